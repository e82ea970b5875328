"""Environment: what decides the last bits of a run, beside the program and its data."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")


def environment() -> dict[str, str]:
    """Python, NumPy, its BLAS, the processor, and the number of BLAS threads: each of them may change how sums are rounded."""
    built = getattr(np.__config__, "CONFIG", {})
    blas = built.get("Build Dependencies", {}).get("blas", {})
    features = " ".join(built.get("SIMD Extensions", {}).get("found", []))
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "NumPy": np.__version__,
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "processor": f"{_processor()} {features}".strip(),
        "number of BLAS threads": _threads(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # another system than Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _threads() -> str:
    """The environment variable that BLAS reads when it is loaded, or else the number of cores for this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return next(filter(None, map(os.environ.get, _THREADS)), str(cores))

"""Environment: what the bits of a run depend on beside the program and its data."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")


def environment() -> dict[str, str]:
    """Python, NumPy, its BLAS, the processor, and how many threads BLAS may use: with others, sums are rounded otherwise."""
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
    """What the environment says, as BLAS reads it when it is loaded; else the cores that this process may use."""
    said = next((os.environ[name] for name in _THREADS if os.environ.get(name)), None)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return said or str(cores)

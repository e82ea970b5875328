"""What gradcheck says of a case of the benchmark, and how well it names the bug."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minitorch_np import gradcheck

from .catalogue import Case
from .layers import scaled

NAMINGS = ("right", "vague", "wrong", "missing")


def _read() -> dict[tuple[str, str], str]:
    """Case and name -> what a reader of the first sentence found: "right", "vague" or "wrong"."""
    text = (Path(__file__).parent / "readings.txt").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line and not line.startswith("#")]
    return {(case, name): reading for case, name, reading in rows}


READINGS = _read()


@dataclass
class Result:
    """One verdict on one case.

    Attributes:
        scale: of the gradients of a wrong one, of the inputs of a right one.
        name, sentence: of the first diagnosis, "" if there is none.
        naming: one of NAMINGS. A name that is neither expected by the catalogue nor among the readings counts as wrong.
    """

    checker: str
    case: str
    scale: float
    verdict: str
    seconds: float
    name: str = ""
    sentence: str = ""
    naming: str = "missing"

    def __str__(self) -> str:
        return f"{self.case} (scale {self.scale:g}): {self.verdict}, {self.name or 'no name'}: {self.sentence}"


def ours(target: object, x: np.ndarray, y: np.ndarray | None, *, strict_dtype: bool = False) -> tuple[str, str, str]:
    """The verdict, and the name and sentence of the first diagnosis."""
    try:
        report = gradcheck(target, x, y, raise_exception=False, rng=0, strict_dtype=strict_dtype)
    except Exception as error:  # a wrong layer may not bring the checker down
        return type(error).__name__, "", str(error)
    if report.diagnosis is not None:
        return report.verdict, report.diagnosis.name, report.diagnosis.sentence
    raised = report.verdict == "fail" and any("backward raised" in finding for finding in report.findings)
    return report.verdict, "wrong shape" if raised and "shape" in report.findings[0] else "", "\n".join(report.findings)


def judge(case: Case, scale: float = 1.0) -> Result:
    """gradcheck on a case whose gradients are multiplied by scale."""
    x, y = case.draw()
    start = time.perf_counter()
    # The four bugs that are of the dtype alone are a remark by default.
    verdict, name, sentence = ours(scaled(case.make(), scale), x, y, strict_dtype=case.names == ("wrong dtype",))
    seconds = time.perf_counter() - start
    return Result("gradcheck", str(case), scale, verdict, seconds, name, sentence, _naming(case, name))


def _naming(case: Case, name: str) -> str:
    if not name:
        return "missing"
    if (reading := READINGS.get((str(case), name))) is not None:
        return reading
    return "vague" if name == "wrong elements" else "right" if name in case.names else "wrong"

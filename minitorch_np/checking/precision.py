"""Precision: the same layer in float32 and in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dtypes(subject: Subject, dy: NDArray) -> list[Diagnosis]:
    """float64 in gives float64 out, float32 gives float32."""
    for dtype in (np.dtype(np.float64), np.dtype(np.float32)):
        with np.errstate(all="ignore"):
            try:
                subject.put_back()
                looked_at = (
                    subject
                    if dtype == np.float64
                    else Subject(subject.layer, subject.x, training=subject.training, dtype=dtype)
                )
                y = looked_at.forward()
                gradients = looked_at.backward(dy.astype(dtype))
            except (ValueError, TypeError, FloatingPointError, RuntimeError):
                return []
        for name, array in {"y": y, **gradients}.items():
            if name == "x" and "x" not in subject.values():
                continue
            got = np.asarray(array).dtype if array is not None else dtype
            if got.kind == "f" and got != dtype:
                what = "y" if name == "y" else gradient_of(name)
                return [
                    Diagnosis(
                        "wrong dtype",
                        name if name != "y" else "x",
                        f"For {dtype} inputs, {what} is {got}.",
                        "Keep the dtype of x: no astype, no array of another dtype, float(…) for NumPy scalars.",
                    )
                ]
    return []


def in_float32(subject: Subject, dy: NDArray, gradients: dict[str, Any]) -> list[str]:
    """What float32 makes of the same gradients, where that is more than rounding; no fault of backward alone."""
    found: list[str] = []
    subject.forward()
    if subject.draws_globally or subject.state.drew():
        return found  # in float32 a generator draws other numbers, so that the two gradients are of different functions
    subject.put_back()
    try:
        with np.errstate(all="ignore"):
            single = Subject(subject.layer, subject.x, training=subject.training, dtype=np.float32)
            rough = single.gradients(dy.astype(np.float32))
    except (ValueError, TypeError, FloatingPointError):
        return []
    for name, exact in gradients.items():
        if (
            exact is None
            or rough[name] is None
            or np.shape(exact) != np.shape(rough[name])
            or not np.isfinite(exact).all()
        ):
            continue
        size = float(np.abs(exact).max(initial=0))
        error = float(np.abs(rough[name] - exact).max(initial=0))
        if 1e-30 < size < 1e30 and not error <= 1e-2 * size:
            what = "not finite" if not np.isfinite(error) else f"off by {error / size:.0%} of its largest element"
            found.append(f"In float32 {gradient_of(name)} is {what}: its formula loses digits.")
    return found

"""The precision of a layer: float32 and float64 give results of their own dtype, and nearly the same gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject


def dtypes(subject: Subject, dy: NDArray) -> list[Diagnosis]:
    """float64 in gives float64 out, float32 gives float32."""
    for dtype in (np.dtype(np.float64), np.dtype(np.float32)):
        try:
            with np.errstate(all="ignore"):
                in_dtype = subject if dtype == np.float64 else subject.again(dtype=dtype)
                y = in_dtype.forward()
                gradients = in_dtype.backward(dy.astype(dtype))
        except (ValueError, TypeError, FloatingPointError, RuntimeError):
            return []
        if "x" not in subject.values():
            del gradients["x"]
        for name, array in {"y": y, **gradients}.items():
            got = np.asarray(array).dtype
            if got.kind == "f" and got != dtype:
                what, tensor = ("y", "x") if name == "y" else (gradient_of(name), name)
                change = "Keep the dtype of x: no astype, no array of another dtype, float(…) for NumPy scalars."
                return [Diagnosis("wrong dtype", tensor, f"For {dtype} inputs, {what} is {got}.", change)]
    return []


def in_float32(subject: Subject, dy: NDArray, gradients: dict[str, Any]) -> list[str]:
    """Gradients that float32 computes with large errors: a note, since backward is right in float64."""
    subject.forward()
    if subject.draws_globally or subject.state.has_drawn():
        return []  # in float32 a generator draws other numbers, so that the two gradients are of different functions
    try:
        with np.errstate(all="ignore"):
            rough = subject.again(dtype=np.float32).gradients(dy.astype(np.float32))
    except (ValueError, TypeError, FloatingPointError):
        return []
    found: list[str] = []
    for name, exact in gradients.items():
        if exact is None or np.shape(exact) != np.shape(rough[name]) or not np.isfinite(exact).all():
            continue
        size = float(np.abs(exact).max(initial=0))
        error = float(np.abs(rough[name] - exact).max(initial=0))
        if 1e-30 < size < 1e30 and not error <= 1e-2 * size:
            what = "not finite" if not np.isfinite(error) else f"off by {error / size:.0%} of its largest element"
            found.append(f"In float32 {gradient_of(name)} is {what}: its formula loses digits.")
    return found

"""The precision of a layer: its results keep the dtype of its inputs, and float32 gives nearly the gradients of float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.truth import rms

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject


def check_precision(
    subject: Subject, y: NDArray, dy: NDArray, gradients: dict[str, Any]
) -> tuple[list[Diagnosis], list[str]]:
    """The diagnosis of results in another dtype than x, and notes on gradients that float32 computes with large errors.

    Args:
        y, gradients: the results in float64.
    """
    results = {"float64": {"y": y, **gradients}}
    subject.forward()
    draws = subject.draws_globally or subject.state.has_drawn()
    try:
        single = subject.again(dtype=np.float32)
        results["float32"] = {"y": single.forward(), **single.backward(dy.astype(np.float32))}
    except (ValueError, TypeError, FloatingPointError, RuntimeError):
        pass  # a layer may refuse float32
    for dtype, arrays in results.items():
        for name, array in arrays.items():
            got = np.asarray(array).dtype
            if got.kind == "f" and got != dtype and (name != "x" or "x" in subject.values()):
                what, tensor = ("y", "x") if name == "y" else (gradient_of(name), name)
                change = "Keep the dtype of x: no astype, no array of another dtype, float(…) for NumPy scalars."
                return [Diagnosis("wrong dtype", tensor, f"For {dtype} inputs, {what} is {got}.", change)], []
    # With other numbers from a generator, the float32 gradients would be those of another function.
    if draws or "float32" not in results:
        return [], []
    notes, rough = [], results["float32"]
    for name, exact in gradients.items():
        if exact is None or np.shape(exact) != np.shape(rough[name]) or not np.isfinite(exact).all():
            continue
        size = float(np.abs(exact).max(initial=0))
        error = float(np.abs(rough[name] - exact).max(initial=0))
        lost = (
            1e-5 * float(np.abs(dy * y).max(initial=0)) / rms(subject.values()[name])
            if name in subject.values()
            else 0.0
        )
        if 1e-30 < size < 1e30 and not error <= max(1e-2 * size, lost):
            what = "not finite" if not np.isfinite(error) else f"off by {error / size:.0%} of its largest element"
            notes.append(
                f"In float32 {gradient_of(name)} is {what}: its formula loses digits. Avoid differences of large numbers."
            )
    return [], notes

"""gradcheck: is this backward the derivative of that forward, and if not, where and which bug."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments, instead_of
from minitorch_np.base.arrays import as_array
from minitorch_np.base.callers import caller
from minitorch_np.base.randomness import spawn
from minitorch_np.base.validation import check_order, flag
from minitorch_np.checking.anatomy import WithLoss, parts
from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.part import Part
from minitorch_np.checking.report import GradcheckError, GradcheckReport
from minitorch_np.checking.subject import GlobalRandomness, LossLayer, as_layer, parameters
from minitorch_np.layer import Layer
from minitorch_np.losses import Loss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from minitorch_np.base.randomness import Seed

_INPUTS = 20_000  # numbers in x beyond which only some of its rows are looked at


class GradcheckWarning(UserWarning):
    """A check that could not decide."""


@answers_foreign_arguments
def gradcheck(
    target: Any,
    x: ArrayLike | tuple[int, ...],
    y: ArrayLike | None = None,
    *,
    loss: Loss | None = None,
    wrt: str | Sequence[str] = "all",
    method: str = "auto",
    rng: Seed = 0,
    raise_exception: bool = True,
) -> GradcheckReport:
    """Compare backward with the derivative of forward, and name the bug if they differ.

    Args:
        target: a Layer, a Model, a Loss, or any object with forward and backward (see gradcheck.adapt).
        x: inputs with one row per example, or their shape, batch included: then they are drawn. For a loss, the prediction.
        y: the target of a loss.
        loss: for a model, a loss to put behind it; then y is its target.
        wrt: "all", or the names to look at: "x" and parameters such as "kernel".
        method: "auto", "complex" or "differences".
        rng: a seed; the same one repeats the check.
        raise_exception: False returns a failing report instead of raising it.

    Returns:
        The report. It is true where everything passed. The target is left as it was, to the bit.

    Raises:
        GradcheckError: backward is wrong; the error's `report` says where and why.
        ValueError: x, y or the options do not fit, or forward itself fails.
    """
    for given, name in ((target, "target"), (loss, "loss")):
        if isinstance(given, type):
            raise ValueError(f"gradcheck: {name}:{instead_of(given)}")
        if isinstance(given, (list, tuple)):
            raise ValueError(
                f"gradcheck: {name} is a {type(given).__name__}. Put its layers into one: Sequential([…])."
            )
    if loss is not None and not hasattr(loss, "forward"):
        raise ValueError(f"gradcheck: loss is an object such as MSELoss(), got {loss!r}.{instead_of(loss)}")
    if loss is not None and y is None:
        raise ValueError("gradcheck: loss compares with a target: give it too, gradcheck(model, x, y, loss=…).")
    if loss is None and y is not None and isinstance(target, Layer):
        raise ValueError(
            "gradcheck: y is the target of a loss: give loss=MSELoss() or loss=model.loss too, or leave y out."
        )
    names = [wrt] if isinstance(wrt, str) else wrt
    if not isinstance(names, (list, tuple, set)) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"gradcheck: wrt is 'all' or names such as 'x' and 'kernel', got {wrt!r}.")
    if method not in ("auto", "complex", "differences"):
        raise ValueError(f"gradcheck: method is 'auto', 'complex' or 'differences', got {method!r}.")
    flag("gradcheck", "raise_exception", raise_exception)
    spawn(rng, 0)  # which says what a seed is
    randomness = GlobalRandomness()
    try:
        with np.errstate(all="ignore"):  # extreme values are tried on purpose
            report = _check(target, x, y, loss, wrt, method, rng)
    finally:
        randomness.put_back()
    if raise_exception and report.verdict == "fail":
        raise GradcheckError(report)
    if raise_exception and report.verdict == "inconclusive":
        warnings.warn(str(report), GradcheckWarning, stacklevel=caller())
    return report


@answers_foreign_arguments
def assert_gradients(
    target: Any,
    x: ArrayLike | tuple[int, ...],
    y: ArrayLike | None = None,
    *,
    loss: Loss | None = None,
    wrt: str | Sequence[str] = "all",
    method: str = "auto",
    rng: Seed = 0,
) -> None:
    """For tests: raise GradcheckError unless gradcheck passes; "inconclusive" is no pass."""
    report = gradcheck(target, x, y, loss=loss, wrt=wrt, method=method, rng=rng, raise_exception=False)
    if not report:
        raise GradcheckError(report)


def _check(
    target: Any, x: Any, y: Any, loss: Loss | None, wrt: str | Sequence[str], method: str, rng: Seed
) -> GradcheckReport:
    seed = rng if isinstance(rng, int) else None
    generator = np.random.default_rng([rng, 1]) if isinstance(rng, int) else np.random.default_rng(rng)
    inputs = _inputs(x, generator, target)
    if isinstance(target, Loss) and y is None:
        raise ValueError(
            f"gradcheck: {target!r} compares a prediction with a target: give both, gradcheck(loss, prediction, y)."
        )
    for one in (target, loss):
        if isinstance(one, Loss):
            check_order(one, "forward", "(self, prediction, target)")
    rows = _rows(inputs)
    inputs, y = inputs[rows], y if y is None else as_array(y, "y", "gradcheck")[rows]
    layer = copy.deepcopy(as_layer(target, y if loss is None else None))
    inputs = _build(layer, inputs)
    report = GradcheckReport(_title(target), seed=seed)
    found: list[tuple[str, Layer, NDArray]] = (
        [("", layer, inputs)] if isinstance(layer, LossLayer) else list(parts(layer, inputs))
    )
    if loss is not None:
        found.append(("", WithLoss(layer, LossLayer(loss, y)), inputs))
    for place, part, part_x in found:
        leaf = not part.sublayers() or isinstance(part, LossLayer)
        if report.verdict == "fail" and not leaf:
            continue  # a whole is wrong when a part of it is
        if part_x.dtype.kind in "biu" and not parameters(part):
            continue  # such as Input of class numbers: there is nothing to differentiate by
        outcome = Part(part, part_x, wrt, method, generator).check(thorough=leaf)
        if place and leaf and outcome.verdict == "inconclusive" and part_x.dtype.kind == "f":
            outcome = Part(part, generator.normal(size=part_x.shape), wrt, method, generator).check(thorough=True)
        _enter(report, outcome, place, leaf=leaf)
        if outcome.verdict == "fail" and not report.where:
            report.where = f"{place} ({part!r})" if place else ""
    if report.verdict == "pass" and report.tensors and all(result.untouched for result in report.tensors.values()):
        report.verdict = "inconclusive"
        report.findings.append(
            "No output depends on x or a parameter at this point, so nothing was learnt. Try another x."
        )
    return report


def _enter(report: GradcheckReport, outcome: GradcheckReport, place: str, *, leaf: bool) -> None:
    """Take what was found in one part into the report of the whole."""
    order = ("pass", "inconclusive", "fail")
    if outcome.verdict == "pass" and report.tensors and not leaf:  # its parameters are there already
        if not place and "x" in outcome.tensors:
            report.tensors["x"] = outcome.tensors["x"]
    else:
        for name, result in outcome.tensors.items():
            report.tensors[f"{place}.{name}" if place else name] = result
    report.verdict = max(report.verdict, outcome.verdict, key=order.index)
    report.findings += [f"{place}: {finding}" if place else finding for finding in outcome.findings]
    for diagnosis in outcome.diagnoses:
        name = f"{place}.{diagnosis.tensor}" if place else diagnosis.tensor
        report.diagnoses.append(Diagnosis(diagnosis.name, name, diagnosis.detail, diagnosis.change))
    report.kinks += outcome.kinks
    report.setting = report.setting or outcome.setting
    report.method = outcome.method if not report.method or "differences" in outcome.method else report.method


def _title(target: Any) -> str:
    text = repr(target)
    return text if len(text) <= 100 else f"{type(target).__name__}(…)"


def _inputs(x: Any, rng: np.random.Generator, target: Any) -> NDArray:
    if isinstance(x, tuple) and x and all(isinstance(size, (int, np.integer)) and size >= 0 for size in x):
        return target.example_input(x, rng) if isinstance(target, Layer) else rng.normal(size=x)
    single = isinstance(x, (int, float, np.generic))
    if single or (isinstance(x, tuple) and not any(np.ndim(size) for size in x)):
        raise ValueError(f"gradcheck: x is an array, or its shape with the batch, such as (3, 4); got {x!r}.")
    array = as_array(x, "x", "gradcheck")
    if not array.size:
        raise ValueError(f"gradcheck: x holds no numbers (shape {array.shape}).")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("gradcheck: x holds values that are not finite.")
    return np.array(array, np.float64) if array.dtype.kind == "f" else np.array(array)


def _rows(x: NDArray) -> slice:
    """As many examples as can be looked at closely; at least five, if there are so many."""
    if x.size <= _INPUTS or x.ndim < 2:
        return slice(None)
    return slice(max(5, _INPUTS // max(1, x.size // len(x))))


def _build(layer: Layer, x: NDArray) -> NDArray:
    """The first call, in which layers make their parameters; returns x as floats, or as ints to a layer that takes only those."""
    with np.errstate(all="ignore"):
        if isinstance(layer, LossLayer):
            return x.astype(np.float64)
        if not layer.built and layer._streams is None:
            layer.initialize(x.shape[1:], 0, np.float64)
        try:
            copy.deepcopy(layer)(x.astype(np.float64))
        except (IndexError, TypeError):
            return x
        return x.astype(np.int64 if _takes_whole_numbers(layer, x) else np.float64)


def _takes_whole_numbers(layer: Layer, x: NDArray) -> bool:
    """Whether the layer refuses fractions and has no dx: its inputs are then no values to differentiate by."""
    layer = copy.deepcopy(layer).train()
    try:
        if layer.backward(np.ones_like(layer(x))) is None:
            layer(x + 0.5)
    except ValueError:
        return True
    except Exception:
        pass  # whatever else it raises is its fault, which the check itself will show
    return False

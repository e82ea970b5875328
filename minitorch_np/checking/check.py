"""gradcheck: whether backward is the derivative of forward, and if not, which layer is wrong and which bug it has."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.arrays import as_array
from minitorch_np.base.blocks import small_blocks
from minitorch_np.base.callers import caller
from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.node import Node
from minitorch_np.base.randomness import spawn
from minitorch_np.base.validation import check_order, flag
from minitorch_np.checking.adapting import Foreign, adapt, adapt_loss, is_pair
from minitorch_np.checking.adapting.telling import in_float64, without_axes
from minitorch_np.checking.inputs import are_whole, build, given_or_drawn, is_shape
from minitorch_np.checking.layer_check import LayerCheck
from minitorch_np.checking.layers_inside import layers_with_inputs
from minitorch_np.checking.loss_check import LossCheck
from minitorch_np.checking.losses import LossLayer, ModelWithLoss, of_value_alone
from minitorch_np.checking.packed import given_several, packed
from minitorch_np.checking.plain_weights import plain_weights
from minitorch_np.checking.report import GradcheckError, GradcheckReport
from minitorch_np.checking.subject import GlobalRandomness
from minitorch_np.checking.told_error import check_hint
from minitorch_np.layer import Layer
from minitorch_np.losses import Loss
from minitorch_np.losses.finding import AnyLoss, as_loss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.randomness import Seed
    from minitorch_np.base.shapes import NDArray

_INPUTS = 20_000  # the most numbers in x; of larger inputs only some rows are used


class GradcheckWarning(UserWarning):
    """The check cannot decide."""


@answers_foreign_arguments
def gradcheck(
    target: Any,
    x: ArrayLike | tuple[int, ...],
    y: ArrayLike | None = None,
    *,
    loss: AnyLoss | None = None,
    wrt: str | Sequence[str] = "all",
    method: str = "auto",
    rng: Seed = 0,
    hint: int = 3,
    raise_exception: bool = True,
    strict_dtype: bool = False,
) -> GradcheckReport:
    """Compare backward with the derivative of forward, and name the bug if they differ.

    Args:
        target: a Layer, a Model, a Loss, a function (prediction, target) -> loss as for compile, or any object with forward and
            backward (see gradcheck.adapt).
        x: inputs with one row per example, or their shape with the batch, for random inputs. For a loss, the prediction.
        y: the target of a loss.
        loss: for a model, a loss to put behind it, its name or a function as in compile; then y is its target.
        wrt: "all", or the names of what to check: "x" and parameters such as "kernel".
        method: "auto", "complex" or "differences".
        rng: a seed; the same seed repeats the check.
        hint: how much the report tells: 0 right or wrong, 1 the tensor and its worst element, 2 the kind of bug, 3 what to change.
        raise_exception: False returns a failing report instead of raising an error.
        strict_dtype: True makes results of another dtype than x a failure; otherwise they are a remark.

    Returns:
        The report, which is true if everything passed. The target is not changed, to the bit.

    Raises:
        GradcheckError: backward is wrong; the error's `report` says where and why.
        ValueError: x, y or the options do not fit, or forward itself fails.
    """
    for given, name in ((target, "target"), (loss, "loss")):
        if isinstance(given, type) and (name == "loss" or issubclass(given, (Layer, Loss))):
            raise ValueError(f"gradcheck: {name}:{instead_of(given)}")
        if isinstance(given, (list, tuple)) and not (name == "target" and is_pair(given)):
            raise ValueError(
                f"gradcheck: {name} is a {type(given).__name__}. Put its layers into one: Sequential([…])."
            )
    loss = as_loss(loss, "gradcheck")
    if loss is not None and not hasattr(loss, "forward") and isinstance(target, Layer):
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
    check_hint("gradcheck", hint)
    flag("gradcheck", "strict_dtype", strict_dtype)
    spawn(rng, 0)  # raises unless it is a seed
    randomness = GlobalRandomness()
    try:
        with np.errstate(all="ignore"), small_blocks():  # the check computes with extreme values on purpose
            report = _check(target, x, y, loss, wrt, method, rng, strict_dtype=strict_dtype)
    finally:
        randomness.restore()
    report.hint = int(hint)
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
    loss: AnyLoss | None = None,
    wrt: str | Sequence[str] = "all",
    method: str = "auto",
    rng: Seed = 0,
    hint: int = 3,
    strict_dtype: bool = False,
) -> None:
    """For tests: raise GradcheckError unless gradcheck passes; "inconclusive" is not a pass."""
    report = gradcheck(
        target,
        x,
        y,
        loss=loss,
        wrt=wrt,
        method=method,
        rng=rng,
        hint=hint,
        raise_exception=False,
        strict_dtype=strict_dtype,
    )
    if not report:
        raise GradcheckError(report)


def _check(
    target: Any,
    x: Any,
    y: Any,
    loss: Any,
    wrt: str | Sequence[str],
    method: str,
    rng: Seed,
    *,
    strict_dtype: bool,
) -> GradcheckReport:
    seed = rng if isinstance(rng, int) else None
    generator = np.random.default_rng([rng, 1]) if isinstance(rng, int) else np.random.default_rng(rng)
    title = ""
    several = given_several(target, x, generator)
    if several is not None:
        if loss is not None:
            raise ValueError(
                "gradcheck: loss is for a model with one input and one output. Check the graph without it."
            )
        title = _title(target)
        target, x = packed(copy.deepcopy(target), several)
    inputs = given_or_drawn(x, generator, target)
    if y is not None and loss is None and of_value_alone(target, inputs, y):
        target = as_loss(target, "gradcheck")
    if isinstance(target, Loss) and y is None:
        raise ValueError(
            f"gradcheck: {target!r} compares a prediction with a target: give both, gradcheck(loss, prediction, y)."
        )
    for one in (target, loss):
        if isinstance(one, Loss):
            check_order(one, "forward", "(self, prediction, target)")
    rows = slice(None)
    if inputs.size > _INPUTS and inputs.ndim > 1:
        rows = slice(max(5, _INPUTS // max(1, inputs.size // len(inputs))))
    inputs, y = inputs[rows], y if y is None else as_array(y, "y", "gradcheck")[rows]
    if isinstance(target, Loss):
        layer: Layer = LossLayer(target, y)
    elif y is not None and loss is None:
        layer = copy.deepcopy(adapt_loss(target, y))
    else:
        layer = copy.deepcopy(adapt(target))
    inputs = build(layer, inputs)
    report = GradcheckReport(title or _title(target if isinstance(target, (Layer, Loss)) else layer), seed=seed)
    if isinstance(layer, Foreign):
        report.looked_at = layer.looked_at()
        wrt = layer.checked(wrt)
    found: list[tuple[str, Layer, NDArray]] = [("", layer, inputs)]
    if not isinstance(layer, LossLayer):
        found = list(layers_with_inputs(layer, inputs))
    if loss is not None:
        found.append(("", ModelWithLoss(layer, LossLayer(loss, y)), inputs))
    remarks: list[str] = []
    unchecked = {
        place: plain_weights(part) for place, part, _ in found if not isinstance(part, (LossLayer, ModelWithLoss))
    }
    for place, part, part_x in found:
        leaf = isinstance(part, LossLayer) or not any(name for name, _ in part.walk())
        if report.verdict == "fail" and not leaf:
            continue  # a wrong layer makes every model around it wrong
        if part_x.dtype.kind in "biu" and not Node.parameters(part):
            continue  # such as Input of class numbers, which has no derivative
        check: LayerCheck | LossCheck
        if isinstance(part, (LossLayer, ModelWithLoss)):
            check = LossCheck(part, part_x, wrt, method, generator, strict_dtype=strict_dtype)
            outcome = check.run()
        else:
            elsewhere = not are_whole(part_x) and (leaf if place else is_shape(x))
            check = LayerCheck(part, part_x, wrt, method, generator, strict_dtype=strict_dtype)
            outcome = check.run(thorough=leaf, elsewhere=elsewhere)
        remarks += [f"{place}: {remark}" if place else remark for remark in check.remarks]
        if place and leaf and outcome.verdict == "inconclusive" and part_x.dtype.kind == "f":
            other_x = generator.normal(size=part_x.shape)
            outcome = LayerCheck(part, other_x, wrt, check.method, generator).run(thorough=True)
        _add(report, outcome, place, leaf=leaf)
        if outcome.verdict == "fail" and not report.where:
            report.where = f"{place} ({part!r})" if place else ""
            report.names = _their_names(part)
    if isinstance(layer, Foreign):
        report.names = _their_names(layer)
        report.verdict = "inconclusive" if report.verdict == "pass" and layer.remarks() else report.verdict
        crashed = report.verdict == "fail" and not report.tensors  # then nothing is known of dx or gradients
        unseen = [] if crashed else layer.remarks()
        report.looked_at = "" if crashed else report.looked_at
        report.findings = [*report.findings, *unseen] if report.verdict == "fail" else [*unseen, *report.findings]
        remarks += [*in_float64(set(layer.wide)), *without_axes(layer.lacking, layer.values)]
    for place, findings in unchecked.items():
        report.verdict = "inconclusive" if findings and report.verdict == "pass" else report.verdict
        report.findings += [f"{place}: {finding}" if place else finding for finding in findings]
    if report.verdict == "pass" and all(result.untouched for result in report.tensors.values()):
        report.verdict = "inconclusive"
        report.findings.append(_nothing_compared(report))
    report.findings += remarks
    report.remarks = remarks
    return report


def _nothing_compared(report: GradcheckReport) -> str:
    if report.tensors:
        return "No output depends on x or a parameter at this point, so nothing was compared. Try another x."
    return (
        "Nothing was compared: x holds whole numbers, which have no derivative, and no trainable parameters were found. Give x "
        "as floats."
    )


def _add(report: GradcheckReport, outcome: GradcheckReport, place: str, *, leaf: bool) -> None:
    """Add the results of one layer to the report of the whole."""
    order = ("pass", "inconclusive", "fail")
    prefix = f"{place}." if place else ""
    if outcome.verdict == "pass" and report.tensors and not leaf:  # its parameters are there already
        if not place and "x" in outcome.tensors:
            report.tensors["x"] = outcome.tensors["x"]
    else:
        for name, result in outcome.tensors.items():
            report.tensors[prefix + name] = result
    report.verdict = max(report.verdict, outcome.verdict, key=order.index)
    report.findings += [f"{place}: {finding}" if place else finding for finding in outcome.findings]
    for diagnosis in outcome.diagnoses:
        report.diagnoses.append(replace(diagnosis, tensor=prefix + diagnosis.tensor))
    report.kinks += outcome.kinks
    report.setting = report.setting or outcome.setting
    report.method = outcome.method if not report.method or "differences" in outcome.method else report.method


def _their_names(layer: Layer) -> dict[str, str]:
    """What the code of a layer calls dy, and code from elsewhere the gradients of its parameters."""
    if isinstance(layer, Foreign):
        return layer.names()
    return {"dy": next(iter(inspect.signature(layer.backward).parameters), "dy")}


def _title(target: Any) -> str:
    text = repr(target)
    return text if len(text) <= 100 else f"{type(target).__name__}(…)"

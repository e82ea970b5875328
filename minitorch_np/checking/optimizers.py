"""check_optimizer: whether update takes the steps that its formula says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments, instead_of
from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.closed_forms import CLOSED_FORMS
from minitorch_np.optimizers import Optimizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from minitorch_np.checking.closed_forms import ClosedForm

_STEPS = 6


class OptimizerError(AssertionError):
    """An optimiser whose steps are not those of its formula."""


@answers_foreign_arguments
def check_optimizer(
    optimizer: Optimizer, closed_form: ClosedForm | None = None, *, steps: int = _STEPS, rng: int = 0
) -> None:
    """Hold `update` against its closed form over several steps.

    Args:
        optimizer: it is not changed; a copy with no state is looked at.
        closed_form: `(first value, [grad of step 1, …, grad of step t], optimizer) -> value after step t`, written without
            state. Known for the package's own optimisers.
        steps: how many steps.

    Beside the formula it is checked that a step goes downhill, that the gradient keeps its bytes, that the value keeps
    its array and dtype, that the state holds no array of the caller, and that two parameters do not share state.

    Raises:
        OptimizerError: names the step and what differs.
    """
    if isinstance(optimizer, type):
        raise ValueError(f"check_optimizer:{instead_of(optimizer)}")
    form = closed_form or _known(optimizer)
    generator = np.random.default_rng(rng)
    for dtype in (np.float64, np.float32):
        looked_at = copy.deepcopy(optimizer)
        looked_at.reset()
        start = {name: generator.normal(size=(3, 2)) for name in ("a", "b")}
        parameters = {name: Parameter(value.astype(dtype)) for name, value in start.items()}
        arrays = {name: parameter.value for name, parameter in parameters.items()}
        history: dict[str, list[NDArray]] = {"a": [], "b": []}
        for step in range(1, steps + 1):
            for name, parameter in parameters.items():
                history[name].append(generator.normal(size=(3, 2)).astype(dtype))
                parameter.grad = history[name][-1].copy()
            looked_at.step(parameters)
            _check_arrays(looked_at, parameters, arrays, history, dtype, step)
            for name, parameter in parameters.items():
                expected = form(
                    start[name].astype(dtype).astype(float), [g.astype(float) for g in history[name]], looked_at
                )
                within = 1e-10 if dtype is np.float64 else 1e-4
                if not np.allclose(parameter.value, expected, rtol=within, atol=within):
                    raise OptimizerError(_difference(optimizer, parameter.value, expected, start[name], step))
            for parameter in parameters.values():
                parameter.grad[...] = np.nan  # a state that is the gradient itself would now be seen
    _check_downhill(optimizer)


def _check_arrays(
    optimizer: Optimizer,
    parameters: dict[str, Parameter],
    arrays: dict[str, NDArray],
    history: dict[str, list[NDArray]],
    dtype: type,
    step: int,
) -> None:
    owners: dict[int, str] = {}
    for name, parameter in parameters.items():
        if not np.array_equal(parameter.grad, history[name][-1]):
            raise OptimizerError(f"{optimizer!r}: step {step} changes the gradient in place. Make a new array.")
        if parameter.value is not arrays[name]:
            raise OptimizerError(
                f"{optimizer!r}: step {step} replaces the value's array. Change it in place: value -= …."
            )
        if parameter.value.dtype != dtype:
            raise OptimizerError(f"{optimizer!r}: step {step} turns {np.dtype(dtype)} into {parameter.value.dtype}.")
        for key, array in optimizer.state.get(name, {}).items():
            shared = owners.setdefault(id(array), name)
            if shared != name:
                raise OptimizerError(
                    f"{optimizer!r}: {key!r} of {name} and of {shared} is one array. Keep one for each parameter."
                )
            if isinstance(array, np.ndarray) and (
                array is parameter.grad or array is parameter.value or np.shares_memory(array, parameter.grad)
            ):
                raise OptimizerError(f"{optimizer!r}: the state {key!r} is the caller's own array. Store a copy.")


def _check_downhill(optimizer: Optimizer) -> None:
    looked_at = copy.deepcopy(optimizer)
    looked_at.reset()
    parameter = Parameter(np.array([1.0, -2.0, 3.0]))
    parameter.grad = parameter.value.copy()
    before = float((parameter.value**2).sum())
    looked_at.step({"p": parameter})
    if not float((parameter.value**2).sum()) < before:
        raise OptimizerError(
            f"{optimizer!r}: a step along the gradient of value² / 2 goes uphill. Is the sign right: value -= …?"
        )


def _difference(optimizer: Optimizer, got: NDArray, expected: NDArray, start: NDArray, step: int) -> str:
    text = f"{optimizer!r}: after step {step} the value is {got.flat[0]:.8g}, its formula says {expected.flat[0]:.8g}."
    moved, due = got - start, expected - start
    if step == 1 and np.allclose(moved, -due, rtol=1e-4):
        return f"{text} The step has the wrong sign: value -= …."
    ratio = float((moved * due).sum() / (due * due).sum()) if np.any(due) else 0.0
    if step == 1 and ratio and np.allclose(moved, ratio * due, rtol=1e-4):
        return f"{text} The first step is {ratio:.6g} times too long: a factor, or a missing bias correction."
    if step > 1:
        return f"{text} Earlier steps were right: look at the state and at what depends on the iteration."
    return text


def _known(optimizer: Optimizer) -> ClosedForm:
    for cls, form in CLOSED_FORMS.items():
        if type(optimizer) is cls:
            return form
    raise ValueError(
        f"check_optimizer: the closed form of {type(optimizer).__name__} is not known. "
        "Give closed_form=lambda start, gradients, optimizer: value after these steps."
    )

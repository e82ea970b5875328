"""Probes: promises of a layer that one gradient does not show, tried by a second call, other data or a look at the arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.adapting import Foreign
from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of, same
from minitorch_np.checking.subject import State, Subject, other_inputs
from minitorch_np.checking.unset_memory import unset_memory
from minitorch_np.layer import Layer

_LEAST = 1e-250  # smaller gradients lose digits when they are scaled


def probe(
    subject: Subject, dy: NDArray, rng: np.random.Generator, wrong: list[str], *, of_loss: bool
) -> list[Diagnosis]:
    """Check what a layer promises besides correct gradients.

    Args:
        wrong: the tensors whose gradient is wrong; only for these is it tried whether the gradient is linear in dy.
        of_loss: whether y is a loss, above which nothing is: then dy is 1.
    """
    found = _tried(lambda: unset_memory(subject, dy))
    if found:
        return found
    found = [
        *_tried(lambda: writes_in_place(subject, dy, rng)),
        *_tried(lambda: second_backward(subject, dy)),
    ]
    if not found:
        found = _tried(lambda: other_data_between(subject, dy, rng))
    if not found and wrong:
        found = linear_in_dy(subject, dy, rng, wrong)
    if not found and not wrong and not of_loss:
        found = _tried(lambda: follows_the_size_of_dy(subject, dy))
    return found


def _tried(attempt: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    """What a probe finds, or nothing of a class that refuses a second call: a model refuses some orders of calls."""
    try:
        return attempt()
    except RuntimeError:
        return []


def writes_in_place(subject: Subject, dy: NDArray, rng: np.random.Generator) -> list[Diagnosis]:
    """x, dy, y, the parameters and the cache keep their bytes; arrays handed out keep theirs in later calls."""
    subject.restore()
    layer, x, dy = subject.layer, subject.x.copy(), dy.copy()

    def arguments() -> dict[str, Any]:
        return {"x": x, "dy": dy} | {name: parameter.value for name, parameter in subject.trainable.items()}

    before = {name: array.copy() for name, array in arguments().items()}
    y = layer.forward(x)
    changed = [("forward", name) for name, array in arguments().items() if not _bytes_equal(array, before[name])]
    x[...] = before["x"]
    results = [("y", y, np.copy(y)), *(("the cache", array, array.copy()) for array in _cached(layer))]
    dx = subject.backward(dy)["x"]
    changed += [("backward", name) for name, array in arguments().items() if not _bytes_equal(array, before[name])]
    changed += [("backward", name) for name, array, copy in results if not _bytes_equal(array, copy)]
    if not changed and isinstance(dx, np.ndarray) and isinstance(y, np.ndarray) and y.shape:
        y_before, dx_before = y.copy(), dx.copy()
        layer.forward(other_inputs(x, rng))
        changed += [("a later forward", "an earlier y")] * (not _bytes_equal(y, y_before))
        subject.backward(rng.normal(size=dy.shape))
        changed += [("a later backward", "an earlier dx")] * (not _bytes_equal(dx, dx_before))
    change = "Make a new array instead of writing with +=, *= or [...] =."
    return [
        Diagnosis("writes into its arguments", "x", f"{method} changes {what} in place.", change)
        for method, what in changed[:1]
    ]


def second_backward(subject: Subject, dy: NDArray) -> list[Diagnosis]:
    """A second backward gives the same gradients as the first, and draws nothing."""
    subject.forward()
    generators = State(subject.layer)
    first = {name: _copy(array) for name, array in subject.backward(dy.copy()).items()}
    if generators.has_drawn():
        return [_draws_anew("backward moves a random generator.")]
    for name, parameter in subject.trainable.items():
        if first[name] is None:
            return [never_set(name, f"{gradient_of(name)} is None.")]
        if np.isnan(first[name]).any():
            parameter.grad = np.zeros(parameter.shape)
            subject.layer.backward(dy.copy())
            once = _copy(parameter.grad)
            subject.layer.backward(dy.copy())
            if once is not None and not np.any(once):
                return [never_set(name, f"backward leaves {gradient_of(name)} as it was.")]
            if once is not None and same(np.asarray(parameter.grad), 2 * once):
                return [_accumulates(name)]
    if first["x"] is None and "x" in subject.values():
        return [never_set("x", "backward returned None.")]
    again = {"x": subject.layer.backward(dy.copy())} | {name: p.grad for name, p in subject.trainable.items()}
    for name, array in first.items():
        if not _differ(array, again[name]):
            continue
        if same(np.asarray(again[name]), 2 * array):
            return [_accumulates(name)]
        if _forward_draws(subject):
            return [_draws_anew("A second backward gives another gradient, in a layer that draws.")]
        observed = f"A second backward gives another {gradient_of(name)} than the first."
        change = "backward may change neither the cache nor itself; compute each gradient from the cache alone."
        return [Diagnosis("accumulates", name, observed, change)]
    return []


def linear_in_dy(subject: Subject, dy: NDArray, rng: np.random.Generator, wrong: list[str]) -> list[Diagnosis]:
    """Gradients are linear in dy, and 0 for dy = 0."""
    other = rng.normal(size=dy.shape)
    first, second, both, nothing = (
        {name: _copy(array) for name, array in subject.gradients(g).items()}
        for g in (dy, other, 2.5 * dy + other, np.zeros_like(dy))
    )
    found = []
    for name in wrong:
        a, b, ab, zero = first[name], second[name], both[name], nothing[name]
        if any(array is None or np.shape(array) != np.shape(a) for array in (a, b, ab, zero)):
            continue
        what = gradient_of(name)
        size = np.abs(a) + np.abs(b)
        scale = float(size.max(initial=0))
        if np.any(a) and _close(a, b):
            observed, change = f"{what} is the same for every dy.", "Multiply the layer's own derivative by dy."
            found.append(Diagnosis("ignores the upstream gradient", name, observed, change))
        elif np.isfinite(zero).all() and np.abs(zero).max(initial=0) > 1e-9 * scale:
            found.append(_not_linear(name, f"For dy = 0, {what} is not 0."))
        elif (np.abs(ab - (2.5 * a + b)) > 1e-9 * size + 1e-9 * scale).any():
            found.append(_not_linear(name, f"{what} does not follow multiples and sums of dy."))
    return found


def follows_the_size_of_dy(subject: Subject, dy: NDArray) -> list[Diagnosis]:
    """A dy of another size gives gradients of that size: backward has no limit and no threshold."""
    first = subject.gradients(dy)
    factors = ((2.0**40, "1e12"), (2.0**-40, "1e-12"))  # powers of 2 change no digit
    within = 1e-9
    if isinstance(subject.layer, Foreign):  # its gradients may be differences of parameters, which have fewer digits
        factors, within = ((2.0**10, "1000"), (2.0**-10, "0.001")), 1e-6
    for factor, size in factors:
        for name, scaled in subject.gradients(factor * dy).items():
            once = first[name]
            if once is None or np.shape(scaled) != once.shape or not _LEAST < np.abs(once).max(initial=0) < 1 / _LEAST:
                continue
            if not same(once, scaled / factor, within):
                observed = f"For a dy {size} times as large, {gradient_of(name)} is not {size} times as large."
                change = "Take limits such as np.clip, and thresholds, out of backward: optimizers clip gradients."
                return [Diagnosis("not linear in the upstream gradient", name, observed, change)]
    return []


def other_history(subject: Subject, dy: NDArray, wrong: list[str]) -> list[Diagnosis]:
    """A gradient that depends on the inputs of earlier forwards holds something of them."""
    results = []
    for history in (0, 1):
        warmed_up = Subject(subject.origin, subject.x, training=subject.training, history=history)
        warmed_up.randomness = subject.randomness
        warmed_up.set_parameters(subject.at)
        results.append(warmed_up.gradients(dy))
    first, second = results
    return [
        _stale(name, f"{gradient_of(name)} depends on the inputs of the forwards before the last one.")
        for name in wrong
        if _differ(first[name], second[name]) and np.isfinite(first[name]).all()
    ]


def other_data_between(subject: Subject, dy: NDArray, rng: np.random.Generator) -> list[Diagnosis]:
    """backward belongs to the last forward, whatever was computed before it."""
    fresh = {name: _copy(array) for name, array in subject.gradients(dy).items()}
    subject.restore()
    try:
        subject.layer.forward(other_inputs(subject.x, rng))
    except (ValueError, FloatingPointError):
        return []
    subject.state.restore(generators_alone=True)
    subject.randomness.restore()
    subject.layer.forward(subject.x.copy())
    later = subject.backward(dy.copy())
    for name in subject.values():
        if _differ(fresh[name], later[name]) and np.isfinite(fresh[name]).all():
            return [
                _stale(name, f"After a forward on other data, {gradient_of(name)} is not that of the last forward.")
            ]
    return []


def leak(subject: Subject, dy: NDArray) -> Diagnosis | None:
    """Whether dx of one example depends on dy of another although its outputs do not; for a wrong dx."""
    if dy.ndim < 1 or len(dy) < 2 or len(dy) != len(subject.x):
        return None
    first = subject.gradients(dy)["x"]
    other = dy.copy()
    other[1:] *= -1.5
    second = subject.gradients(other)["x"]
    if np.shape(first) != subject.x.shape or np.shape(second) != subject.x.shape or _close(first[:1], second[:1]):
        return None
    direction = np.zeros(subject.x.shape)
    direction[0] = np.sqrt(2.0)
    moved = np.imag(subject.forward({"x": subject.x + 1e-60j * direction}))
    if np.any(moved[1:]):
        return None
    observed = "dx of the first example changes with dy of the others, whose outputs do not depend on it."
    change = "Sum or take the mean over the features of one example, not over the batch."
    return Diagnosis("leaks across examples", "x", observed, change)


def never_set(name: str, observed: str) -> Diagnosis:
    change = "Return dL/dx from backward." if name == "x" else f"Write self.{name}.grad = … in backward."
    return Diagnosis("never set", name, observed, change)


def _stale(name: str, observed: str) -> Diagnosis:
    change = "Store what backward needs anew in every forward, in self.cache."
    return Diagnosis("stale cache", name, observed, change)


def _not_linear(name: str, observed: str) -> Diagnosis:
    change = "dy enters every gradient once, as a factor; conditions look at x or y, never at dy."
    return Diagnosis("not linear in the upstream gradient", name, observed, change)


def _accumulates(name: str) -> Diagnosis:
    observed = f"A second backward doubles {gradient_of(name)}."
    return Diagnosis("accumulates", name, observed, "Write grad = …, not grad += …: backward overwrites.")


def _draws_anew(observed: str) -> Diagnosis:
    change = "Keep in self.cache what forward drew, and use that."
    return Diagnosis("draws anew in backward", "x", observed, change)


def _cached(layer: Layer) -> list[NDArray]:
    """The arrays in the caches of a layer, of the layers inside and of their losses."""
    arrays = []
    nodes = [node for _, node in layer.walk()]
    owners = [owner for node in nodes for owner in (node, getattr(node, "loss", None)) if owner is not None]
    pending = [vars(owner).get("_cache") for owner in owners]
    while pending:
        item = pending.pop()
        if isinstance(item, np.ndarray):
            arrays.append(item)
        elif isinstance(item, (tuple, list)):
            pending += item
        elif isinstance(item, dict):
            pending += item.values()
    return arrays


def _forward_draws(subject: Subject) -> bool:
    subject.restore()
    before = State(subject.layer)
    subject.layer.forward(subject.x.copy())
    return before.has_drawn()


def _differ(a: Any, b: Any) -> bool:
    """Whether two gradients that can be compared differ by more than rounding."""
    return a is not None and b is not None and np.shape(a) == np.shape(b) and not _close(a, b)


def _close(a: Any, b: Any) -> bool:
    return same(a, b) or bool(np.array_equal(a, b, equal_nan=True))


def _bytes_equal(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.asarray(a).tobytes() == np.asarray(b).tobytes()


def _copy(array: Any) -> Any:
    return None if array is None else np.array(array)

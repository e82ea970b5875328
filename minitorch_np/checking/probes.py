"""Probes: what the numbers of one backward do not show, but a second call, other data or the bytes afterwards do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of, same
from minitorch_np.checking.precision import dtypes
from minitorch_np.checking.subject import State, Subject, generator_state, other_inputs
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WITHIN = 1e-9


def probe(subject: Subject, dy: NDArray, rng: np.random.Generator, wrong: list[str]) -> list[Diagnosis]:
    """Everything that the contract of a layer promises beside the right numbers.

    Args:
        wrong: the tensors whose numbers are wrong; how those follow dy is asked too.
    """
    found = [*untouched_arrays(subject, dy, rng), *second_backward(subject, dy)]
    if not found:
        found = other_data_between(subject, dy, rng)
    if not found and wrong:
        found = upstream(subject, dy, rng, wrong)
    return [*found, *dtypes(subject, dy)]


def untouched_arrays(subject: Subject, dy: NDArray, rng: np.random.Generator) -> list[Diagnosis]:
    """x, dy, y, the parameters and the cache keep their bytes; arrays handed out keep theirs in later calls."""
    subject.put_back()
    layer, x, dy = subject.layer, subject.x.copy(), dy.copy()
    before = {"x": x.copy(), "dy": dy.copy()} | {name: p.value.copy() for name, p in subject.trainable.items()}
    y = layer.forward(x)
    changed = [("forward", name) for name, array in (("x", x),) if not _bytes_equal(array, before[name])]
    changed += [("forward", name) for name, p in subject.trainable.items() if not _bytes_equal(p.value, before[name])]
    x[...] = before["x"]
    y_before, cached = np.copy(y), _cached(layer)
    dx = subject.backward(dy)["x"]
    for name, array in (("x", x), ("dy", dy)):
        if not _bytes_equal(array, before[name]):
            changed.append(("backward", name))
    changed += [("backward", name) for name, p in subject.trainable.items() if not _bytes_equal(p.value, before[name])]
    if not _bytes_equal(y, y_before):
        changed.append(("backward", "y"))
    if any(not _bytes_equal(array, copy) for array, copy in cached) and not changed:
        changed.append(("backward", "the cache"))
    if not changed and isinstance(dx, np.ndarray) and isinstance(y, np.ndarray) and y.shape:
        dx_before, y_before = dx.copy(), y.copy()
        layer.forward(other_inputs(x, rng))
        if not _bytes_equal(y, y_before):
            changed.append(("a later forward", "an earlier y"))
        subject.backward(rng.normal(size=dy.shape))
        if not _bytes_equal(dx, dx_before):
            changed.append(("a later backward", "an earlier dx"))
    return [
        Diagnosis(
            "writes into its arguments",
            "x",
            f"{who} changes {what} in place.",
            "Make a new array instead of writing with +=, *= or [...] =.",
        )
        for who, what in changed[:1]
    ]


def second_backward(subject: Subject, dy: NDArray) -> list[Diagnosis]:
    """A second backward says the same as the first, and draws nothing."""
    subject.forward()
    generators = State(subject.layer)
    first = {name: _copy(array) for name, array in subject.backward(dy).items()}
    if _drew(generators):
        return [_draws_anew("backward moves a random generator.")]
    for name, parameter in subject.trainable.items():
        if first[name] is not None and np.isnan(first[name]).any():
            parameter.grad = np.zeros(parameter.shape)
            subject.layer.backward(dy)
            once = _copy(parameter.grad)
            subject.layer.backward(dy)
            if once is not None and np.any(once) and same(np.asarray(parameter.grad), 2 * once):
                return [_accumulates(name)]
            if once is not None and not np.any(once):
                return [
                    Diagnosis(
                        "never set",
                        name,
                        f"{gradient_of(name)} is what stood there before backward.",
                        f"Write self.{name}.grad = … in backward.",
                    )
                ]
        elif first[name] is None:
            return [
                Diagnosis(
                    "never set", name, f"{gradient_of(name)} is None.", f"Write self.{name}.grad = … in backward."
                )
            ]
    if first["x"] is None and "x" in subject.values():
        return [Diagnosis("never set", "x", "backward returned None.", "Return dL/dx from backward.")]
    again = {"x": subject.layer.backward(dy)} | {name: p.grad for name, p in subject.trainable.items()}
    for name, array in first.items():
        if array is None or again[name] is None or np.shape(array) != np.shape(again[name]):
            continue
        if not _close(array, again[name]):
            if same(np.asarray(again[name]), 2 * array):
                return [_accumulates(name)]
            if generators.saved and _draws(subject):
                return [_draws_anew("A second backward gives another gradient, in a layer that draws.")]
            return [
                Diagnosis(
                    "accumulates",
                    name,
                    f"A second backward gives another {gradient_of(name)} than the first.",
                    "backward may change neither the cache nor itself; compute each gradient from the cache alone.",
                )
            ]
    return []


def upstream(subject: Subject, dy: NDArray, rng: np.random.Generator, wrong: list[str]) -> list[Diagnosis]:
    """Gradients are linear in dy, and 0 for dy = 0; asked of tensors whose numbers are wrong."""
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
        size = np.abs(a) + np.abs(b)
        scale = float(size.max(initial=0))
        if np.any(a) and _close(a, b):
            found.append(
                Diagnosis(
                    "ignores the upstream gradient",
                    name,
                    f"{gradient_of(name)} is the same for every dy.",
                    "Multiply the layer's own derivative by dy.",
                )
            )
        elif np.isfinite(zero).all() and np.abs(zero).max(initial=0) > 1e-9 * scale:
            found.append(_not_linear(name, f"For dy = 0, {gradient_of(name)} is not 0."))
        elif (np.abs(ab - (2.5 * a + b)) > _WITHIN * size + 1e-9 * scale).any():
            found.append(_not_linear(name, f"{gradient_of(name)} does not follow multiples and sums of dy."))
    return found


def history(lives: tuple[Subject, Subject], dy: NDArray, wrong: list[str]) -> list[Diagnosis]:
    """A gradient that is another one after another past holds something of that past."""
    found = []
    first, second = (life.gradients(dy) for life in lives)
    for name in wrong:
        a, b = first[name], second[name]
        if a is None or b is None or np.shape(a) != np.shape(b) or not np.isfinite(a).all() or _close(a, b):
            continue
        found.append(_stale(name, f"{gradient_of(name)} depends on what the layer saw before its last forward."))
    return found


def other_data_between(subject: Subject, dy: NDArray, rng: np.random.Generator) -> list[Diagnosis]:
    """backward belongs to the last forward, whatever was computed before it."""
    fresh = {name: _copy(array) for name, array in subject.gradients(dy).items()}
    subject.put_back()
    try:
        subject.layer.forward(other_inputs(subject.x, rng))
    except (ValueError, FloatingPointError):
        return []
    subject.state.put_back(generators_alone=True)
    subject.randomness.put_back()
    subject.layer.forward(subject.x)
    later = subject.backward(dy)
    for name in subject.values():
        a, b = fresh[name], later[name]
        if a is None or b is None or np.shape(a) != np.shape(b) or not np.isfinite(a).all():
            continue
        if not _close(a, b):
            return [
                _stale(name, f"After a forward on other data, {gradient_of(name)} is not that of the last forward.")
            ]
    return []


def leak(subject: Subject, dy: NDArray) -> Diagnosis | None:
    """Whether dx of one example follows dy of another although its outputs do not; asked when dx is wrong."""
    if dy.ndim < 1 or len(dy) < 2 or len(dy) != len(subject.x):
        return None
    first = subject.gradients(dy)["x"]
    other = dy.copy()
    other[1:] *= -1.5
    second = subject.gradients(other)["x"]
    if first is None or second is None or np.shape(first) != subject.x.shape or np.shape(second) != subject.x.shape:
        return None
    if _close(first[:1], second[:1]):
        return None
    direction = np.zeros(subject.x.shape)
    direction[0] = np.sqrt(2.0)
    moved = np.imag(subject.forward({"x": subject.x + 1e-60j * direction}))
    if np.any(moved[1:]):
        return None
    return Diagnosis(
        "leaks across examples",
        "x",
        "dx of the first example changes with dy of the others, whose outputs do not depend on it.",
        "Sum or take the mean over the features of one example, not over the batch.",
    )


def _stale(name: str, seen: str) -> Diagnosis:
    return Diagnosis("stale cache", name, seen, "Store what backward needs anew in every forward, in self.cache.")


def _not_linear(name: str, seen: str) -> Diagnosis:
    change = "dy enters every gradient once, as a factor; conditions look at x or y, never at dy."
    return Diagnosis("not linear in the upstream gradient", name, seen, change)


def _accumulates(name: str) -> Diagnosis:
    return Diagnosis(
        "accumulates",
        name,
        f"A second backward doubles {gradient_of(name)}.",
        "Write grad = …, not grad += …: backward overwrites.",
    )


def _cached(layer: Layer) -> list[tuple[NDArray, NDArray]]:
    arrays = []
    owners = [owner for _, node in layer.walk() for owner in (node, getattr(node, "loss", None)) if owner is not None]
    for owner in owners:
        pending = [vars(owner).get("_cache")]
        while pending:
            item = pending.pop()
            if isinstance(item, np.ndarray):
                arrays.append((item, item.copy()))
            elif isinstance(item, (tuple, list)):
                pending += item
            elif isinstance(item, dict):
                pending += item.values()
    return arrays


def _draws_anew(seen: str) -> Diagnosis:
    return Diagnosis("draws anew in backward", "x", seen, "Keep in self.cache what forward drew, and use that.")


def _draws(subject: Subject) -> bool:
    """Whether forward draws."""
    subject.put_back()
    before = State(subject.layer)
    subject.layer.forward(subject.x.copy())
    return _drew(before)


def _drew(state: State) -> bool:
    for item, content in state.saved:
        is_generator = isinstance(item, (np.random.Generator, np.random.RandomState))
        if is_generator and repr(generator_state(item)) != repr(content):
            return True
    return False


def _close(a: Any, b: Any) -> bool:
    size = float(max(np.abs(a).max(initial=0), np.abs(b).max(initial=0)))
    return bool((np.abs(a - b) <= _WITHIN * (np.abs(a) + np.abs(b)) + 1e-12 * size).all()) or bool(
        np.array_equal(a, b, equal_nan=True)
    )


def _bytes_equal(a: Any, b: Any) -> bool:
    return np.asarray(a).shape == np.asarray(b).shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()


def _copy(array: Any) -> Any:
    return None if array is None else np.array(array)

"""Setting: one forward as a graph, with its true gradients and with those that backward gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.losses import LossLayer, ModelWithLoss
from minitorch_np.checking.subject import Subject
from minitorch_np.checking.truth import Truth
from minitorch_np.tracing.array import TracedArray, wrap
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.graph import constant
from minitorch_np.tracing.trace import trace

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer

_NUMBERS = 2_000  # in x; of larger inputs a few examples are taken


class Setting:
    """A layer with data and one upstream gradient.

    Attributes:
        subject: the layer under test.
        values: the inputs and parameters by name.
        graph: the traced forward, with these as leaves.
        dy: the upstream gradient, which is 1 for a loss.
        true: the gradients by the graph.
        observed: the gradients by backward; None where it leaves none.
        kept: the float arrays that the layer holds after forward, such as its cache, buffers and a loss's target, by name.

    Raises:
        TraceError: forward is not traced, or its y or gradients are not those of the graph.
    """

    def __init__(self, subject: Subject, generator: np.random.Generator) -> None:
        self.subject = subject
        y = np.array(subject.forward())
        of_loss = isinstance(subject.layer, (LossLayer, ModelWithLoss))
        self.dy = np.ones(y.shape) if of_loss else generator.normal(size=y.shape)
        self.kept = _kept(subject.layer)
        self.values = {name: value.copy() for name, value in subject.values().items()}
        subject.restore()
        try:
            self.graph = trace(self._forward, self.values)
        finally:
            subject.restore()
        if not np.allclose(self.graph.output.value, y, rtol=1e-10, atol=1e-12 * np.abs(y).max(initial=0)):
            raise TraceError("the y of the graph is not that of forward")
        self.true = self.graph.gradients(self.dy)
        self._compare_with_truth(generator)
        given = subject.gradients(self.dy.copy())
        self.observed = {
            name: None if given[name] is None else np.array(given[name], np.float64) for name in self.values
        }
        subject.restore()

    def _forward(self, arrays: dict[str, NDArray]) -> Any:
        for name, array in arrays.items():
            if name != "x":
                self.subject.trainable[name].replace(array)
        self._trace_buffers()
        return self.subject.layer.forward(arrays["x"] if "x" in arrays else self.subject.x.copy())

    def _trace_buffers(self) -> None:
        """Replace the float arrays that the layer holds, for forward may write into them. Restoring the subject puts them back."""
        traced: dict[int, TracedArray] = {}

        def replacement(value: Any) -> Any:
            if type(value) is not np.ndarray or value.dtype.kind != "f":
                return value
            return traced.setdefault(id(value), wrap(constant(value)))

        state = self.subject.state
        for holder, _ in state.dictionaries:
            if isinstance(holder, dict):
                holder.update({name: replacement(value) for name, value in holder.items()})
        for items, _ in state.lists:
            items[:] = [replacement(value) for value in items]
        for parameter, _ in state.parameters:
            parameter.replace(replacement(parameter.value))

    def _compare_with_truth(self, generator: np.random.Generator) -> None:
        """Along one direction for each tensor."""
        truth = Truth(self.subject, generator)
        size = max(float(np.abs(gradient).sum()) for gradient in self.true.values())
        for name, value in self.values.items():
            direction = generator.normal(size=value.shape)
            slope, error = truth.slope(name, direction)
            gap = abs(float((slope * self.dy).sum() - (self.true[name] * direction).sum()))
            if not gap <= 1e-9 * size + error * float(np.abs(self.dy).sum()):
                raise TraceError(f"the gradient of {name} by the graph is not the slope of forward")


def settings(layer: Layer, x: NDArray) -> tuple[Setting, Setting]:
    """Two settings: of the data, and of another batch size; where that does not work, of other data; else of another dy.

    Of large inputs a few examples are taken: a search goes through forward's operations a thousand times.

    Raises:
        TraceError: forward is not traced, or there is no second setting.
    """
    count = len(x) if x.ndim else 0
    few = min(count, max(4, _NUMBERS // max(x[0].size, 1))) if count else 0
    first = _setting(lambda: (layer, x) if few == count else _examples(layer, x, few), 11)
    size = few - 2 if few > 3 else few + 2
    for change in (lambda: _examples(layer, x, size), lambda: (layer, _other(x)), lambda: (layer, x)):
        try:
            second = _setting(change, 12)
        except Exception:  # a user's forward may raise anything for another batch size
            continue
        if all((second.observed[name] is None) == (given is None) for name, given in first.observed.items()):
            return first, second
    raise TraceError("there is no second setting")


def _setting(change: Callable[[], tuple[Layer, NDArray]], seed: int) -> Setting:
    return Setting(Subject(*change(), jitter=np.random.default_rng(7)), np.random.default_rng(seed))


def _examples(layer: Layer, x: NDArray, count: int) -> tuple[Layer, NDArray]:
    """The layer, with the targets if it is a loss, and other examples, `count` of them."""
    if not x.ndim:
        raise ValueError("there are no examples")
    chosen = np.arange(count) % len(x)
    layer = copy.deepcopy(layer)
    for holder in (layer, getattr(layer, "loss", None)):
        if isinstance(holder, LossLayer) and np.ndim(holder.target):
            holder.target = np.asarray(holder.target)[chosen]
    return layer, _other(x[chosen])


def _other(x: NDArray) -> NDArray:
    return x * np.random.default_rng(51).uniform(0.9, 1.0, x.shape) if x.dtype.kind == "f" else np.roll(x, 1, 0)


def _kept(layer: Layer) -> dict[str, NDArray]:
    """The float arrays in the caches and attributes of a layer, of the layers inside and of an object that it wraps."""
    found: dict[str, NDArray] = {}
    pending: list[tuple[str, Any, int]] = [("", node, 0) for _, node in layer.walk()]
    while pending:
        name, item, depth = pending.pop(0)
        if isinstance(item, np.ndarray):
            if item.size > 1 and (item.dtype.kind == "f" or name == "target"):
                found.setdefault(name, np.array(item, np.float64))
        elif depth < 3 and isinstance(item, (list, tuple)):
            pending += [(f"{name}[{place}]", part, depth + 1) for place, part in enumerate(item)]
        elif depth < 3 and isinstance(item, dict):
            pending += [(f"{name}[{key!r}]", part, depth + 1) for key, part in item.items()]
        elif (
            depth < 3
            and hasattr(item, "__dict__")
            and not isinstance(item, (type, Parameter))
            and not (depth and callable(item))
        ):
            pending += [
                (key.removeprefix("_") if key == "_cache" else key, part, depth + 1) for key, part in vars(item).items()
            ]
    return found

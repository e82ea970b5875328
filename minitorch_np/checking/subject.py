"""Subject: what is checked, apart from the original, in float64, and starting every forward from the same state."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.validation import one_number
from minitorch_np.layer import Layer
from minitorch_np.losses import Loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type, types.FunctionType, types.ModuleType, np.dtype)


class State:
    """Everything below an object that can change: attributes, lists, dictionaries, arrays, generators."""

    def __init__(self, root: Any) -> None:
        self.saved: list[tuple[Any, Any]] = []
        seen: set[int] = set()
        pending = [root]
        while pending:
            item = pending.pop()
            if isinstance(item, _ATOMS) or id(item) in seen:
                continue
            seen.add(id(item))
            if isinstance(item, np.ndarray):
                self.saved.append((item, item.copy(order="K")))
            elif isinstance(item, (np.random.Generator, np.random.RandomState, random.Random)):
                self.saved.append((item, generator_state(item)))
            elif isinstance(item, (list, dict, set)):
                self.saved.append((item, item.copy()))
                pending += item.values() if isinstance(item, dict) else item
            elif isinstance(item, tuple):
                pending += item
            elif isinstance(item, Parameter):
                self.saved.append((item, (item.value, item.grad, item.trainable)))
                pending += [item.value, item.grad]
            elif hasattr(item, "__dict__"):
                self.saved.append((vars(item), vars(item).copy()))
                pending += vars(item).values()

    def drew(self) -> bool:
        """Whether a generator has moved since."""
        return any(
            pickle.dumps(generator_state(item)) != pickle.dumps(content)
            for item, content in self.saved
            if isinstance(item, (np.random.Generator, np.random.RandomState, random.Random))
        )

    def put_back(self, *, generators_alone: bool = False) -> None:
        for item, content in self.saved:
            if generators_alone and isinstance(item, (np.ndarray, list, dict, set, Parameter)):
                continue
            if isinstance(item, np.ndarray):
                if item.flags.writeable:
                    np.copyto(item, content)
            elif isinstance(item, list):
                item[:] = content
            elif isinstance(item, (dict, set)):
                item.clear()
                item.update(content)
            elif isinstance(item, Parameter):
                item.replace(content[0])
                item.grad, item.trainable = content[1:]
            else:
                set_generator_state(item, content)


class GlobalRandomness:
    """NumPy's and Python's global generators: put back before every forward, and at the end as they were."""

    def __init__(self) -> None:
        self.states: Any = np.random.get_state(), random.getstate()  # noqa: NPY002 strangers draw from it

    def moved(self) -> bool:
        now: Any = np.random.get_state()  # noqa: NPY002
        same = now[2] == self.states[0][2] and np.array_equal(now[1], self.states[0][1])
        return not same or random.getstate() != self.states[1]

    def put_back(self) -> None:
        np.random.set_state(self.states[0])  # noqa: NPY002
        random.setstate(self.states[1])


class LossLayer(Layer):
    """A loss with its target as a layer: y is the loss, so dL/dx is dy times the loss's own gradient."""

    def __init__(self, loss: Any, target: Any) -> None:
        self.loss, self.target = loss, target

    def forward(self, x: NDArray) -> NDArray:
        value = self.loss.forward(x, self.target)
        real = value.real if np.iscomplexobj(value) else value
        one_number(f"{self.loss!r}.forward", real, "Return the mean over the batch, self.mean(values).")
        return np.asarray(value)

    def backward(self, dy: NDArray) -> NDArray:
        dx = self.loss.backward()
        if dx is None:
            raise ValueError(f"{self.loss!r}.backward: expected dL/dprediction, got None. End it with a return.")
        return dy * dx


class Subject:
    """A copy of a layer in one dtype.

    Args:
        target: a Layer.
        x: the inputs at which it is looked at.
        training: the mode; the cache is kept in both.
        past: which other inputs and parameters it has seen before; what stays of them in a gradient is stale.
        jitter: draws another value for parameters that are all 0 or all 1, as they begin: there a missing factor hides.
    """

    def __init__(
        self,
        target: Layer,
        x: NDArray,
        *,
        training: bool = True,
        dtype: Any = np.float64,
        jitter: np.random.Generator | None = None,
        past: int = 0,
    ) -> None:
        self.origin = target
        self.layer = copy.deepcopy(target)
        self.dtype = np.dtype(dtype)
        self.x = np.array(x, self.dtype if x.dtype.kind in "fc" else None)
        self.training = training
        self.randomness = GlobalRandomness()
        for _, node in self.layer.walk():
            node.training, node.keep_cache, node._cache = training, True, None
            if hasattr(node, "wants_dx"):
                node.wants_dx = True
            if isinstance(node, Layer):
                node._dtype = self.dtype
            if isinstance(node, LossLayer) and np.asarray(node.target).dtype.kind == "f":
                node.target = np.asarray(node.target, self.dtype)
        for parameter in parameters(self.layer).values():
            parameter.replace(np.array(parameter.value, self.dtype))
            parameter.grad = None
            if jitter is not None and parameter.trainable:
                parameter.replace(unequal(parameter.value, jitter))
        self._live_once(past)
        self.draws_globally = self.randomness.moved()
        self.layer.drop_caches()
        self.trainable = {name: parameter for name, parameter in parameters(self.layer).items() if parameter.trainable}
        self.at = {name: parameter.value for name, parameter in self.trainable.items()}
        self.state = State(self.layer)

    def _live_once(self, past: int) -> None:
        """A first forward on other data with other parameters; generators and buffers made in it are there from now on."""
        trainable = [parameter for parameter in parameters(self.layer).values() if parameter.trainable]
        values = [parameter.value for parameter in trainable]
        for parameter in trainable:
            parameter.replace(parameter.value * self.dtype.type(0.9 - 0.2 * past))
        y = self.layer.forward(other_inputs(self.x, np.random.default_rng(5 + past)))
        with contextlib.suppress(Exception):  # a wrong backward is told of later
            self.layer.backward(np.ones_like(y))
        for parameter, value in zip(trainable, values, strict=True):
            parameter.replace(value)
            parameter.grad = None

    def values(self) -> dict[str, NDArray]:
        """The arrays that the outputs depend on: "x", where it is no class number, and the trainable parameters."""
        found = {"x": self.x} if self.x.dtype.kind in "fc" else {}
        return found | self.at

    def put_back(self) -> None:
        self.state.put_back()
        if self.draws_globally:
            self.randomness.put_back()

    def forward(self, changed: dict[str, NDArray] | None = None) -> NDArray:
        """y from the same state every time, with some of the values replaced."""
        self.put_back()
        changed = changed or {}
        for name, value in changed.items():
            if name != "x":
                self.trainable[name].replace(value)
        return self.layer.forward(changed["x"] if "x" in changed else self.x.copy(order="K"))

    def gradients(self, dy: NDArray) -> dict[str, Any]:
        """What backward says after a forward: dx as "x", and each parameter's grad. NaN stood there before."""
        self.forward()
        return self.backward(dy)

    def backward(self, dy: NDArray) -> dict[str, Any]:
        for parameter in self.trainable.values():
            parameter.grad = np.full(parameter.shape, np.nan, self.dtype)
        dx = self.layer.backward(dy)
        return {"x": dx} | {name: parameter.grad for name, parameter in self.trainable.items()}


def other_inputs(x: NDArray, rng: np.random.Generator | None = None) -> NDArray:
    """Inputs of the same kind, but not these: the rows in another order, and all of them a little smaller."""
    rng = np.random.default_rng(5) if rng is None else rng
    rows = x[rng.permutation(len(x))] if x.ndim and len(x) > 1 else x
    return rows * (1 - 0.2 * rng.uniform(size=x.shape)).astype(x.dtype) if x.dtype.kind == "f" else rows


def unequal(value: NDArray, rng: np.random.Generator) -> NDArray:
    """The same array, or, if all its elements are equal, one scattered around it."""
    if not value.size or np.ptp(value):
        return value
    return value + 0.25 * (abs(value.flat[0]) or 1.0) * rng.normal(size=value.shape)


def parameters(layer: Layer) -> dict[str, Parameter]:
    """All parameters by name; a model's own method would first ask whether it is built."""
    return {
        f"{place}.{name}".lstrip("."): parameter
        for place, node in layer.walk()
        for name, parameter in node.own_parameters().items()
    }


def as_layer(target: Any, y: Any = None) -> Layer:
    """The target as a layer: a loss with its y, a stranger through its adapter."""
    if isinstance(target, Loss):
        return LossLayer(target, y)
    if isinstance(target, Layer):
        return target
    from minitorch_np.checking.adapt import adapt

    return adapt(target) if y is None else LossLayer(target, y)


def generator_state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def set_generator_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)

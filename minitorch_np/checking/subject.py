"""Subject: a float64 copy of the layer under test, in which every forward starts from the same state."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.node import Node
from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.arrays_inside import in_slots, of_class
from minitorch_np.checking.losses import LossLayer, target_in
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from minitorch_np.base.shapes import NDArray

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type, types.FunctionType, types.ModuleType, np.dtype)
_REPEATS = 3  # forwards that must give the same y
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


class State:
    """Everything below an object that can change: attributes, also of its class, lists, dictionaries, arrays, generators."""

    def __init__(self, root: Any) -> None:
        # Pairs (object, content) by kind, because a check restores the state for each number that it compares.
        self.generators: list[tuple[Any, Any]] = []
        self.arrays: list[tuple[NDArray, NDArray]] = []
        self.lists: list[tuple[list[Any], list[Any]]] = []
        self.dictionaries: list[tuple[Any, Any]] = []  # and sets
        self.parameters: list[tuple[Parameter, tuple[Any, ...]]] = []
        self.slots: list[tuple[Any, dict[str, Any]]] = []
        found: set[int] = set()
        pending = [root]
        while pending:
            item = pending.pop()
            if isinstance(item, _ATOMS) or id(item) in found:
                continue
            found.add(id(item))
            if isinstance(item, np.ndarray):
                self.arrays.append((item, item.copy(order="K")))
            elif isinstance(item, _GENERATORS):
                self.generators.append((item, _generator_state(item)))
            elif isinstance(item, list):
                self.lists.append((item, item.copy()))
                pending += item
            elif isinstance(item, (dict, set)):
                self.dictionaries.append((item, item.copy()))
                pending += item.values() if isinstance(item, dict) else item
            elif isinstance(item, tuple):
                pending += item
            elif isinstance(item, Parameter):
                self.parameters.append((item, (item.value, item.grad, item.trainable)))
                pending += [item.value, item.grad]
            else:
                own, slots = getattr(item, "__dict__", {}), in_slots(item)
                self.dictionaries += [(own, own.copy())] if hasattr(item, "__dict__") else []
                self.slots += [(item, slots)] if slots else []
                pending += [*own.values(), *slots.values(), *(value for _, value in of_class(item))]

    def has_drawn(self) -> bool:
        """Whether a generator has moved since."""
        return any(pickle.dumps(_generator_state(item)) != pickle.dumps(content) for item, content in self.generators)

    def restore(self, *, generators_alone: bool = False) -> None:
        for generator, state in self.generators:
            _set_generator_state(generator, state)
        if generators_alone:
            return
        for array, content in self.arrays:
            if array.flags.writeable:
                np.copyto(array, content)
        for items, listed in self.lists:
            items[:] = listed
        for parameter, (value, grad, trainable) in self.parameters:
            parameter.replace(value)
            parameter.grad = grad
            if parameter.trainable is not trainable:
                parameter.trainable = trainable
        for dictionary, entries in self.dictionaries:
            dictionary.clear()
            dictionary.update(entries)
        for owner, attributes in self.slots:
            for name, value in attributes.items():
                setattr(owner, name, value)


class GlobalRandomness:
    """The state of NumPy's and Python's global generators, which user-defined layers may draw from."""

    def __init__(self) -> None:
        self.states = self._now()

    @staticmethod
    def _now() -> Any:
        return np.random.get_state(), random.getstate()  # noqa: NPY002

    def has_moved(self) -> bool:
        return pickle.dumps(self._now()) != pickle.dumps(self.states)

    def restore(self) -> None:
        np.random.set_state(self.states[0])  # noqa: NPY002
        random.setstate(self.states[1])


class Subject:
    """A copy of a layer in one dtype.

    Args:
        target: a Layer.
        x: the inputs at which it is checked.
        training: the mode; the cache is kept in both.
        history: the number of a warm-up pass; each runs on other inputs with other parameters. What stays of them in a gradient
            is stale.
        jitter: draws another value for parameters that are all 0 or all 1, as they begin: there a missing factor hides.
    """

    def __init__(
        self,
        target: Layer,
        x: NDArray,
        *,
        training: bool = True,
        dtype: DTypeLike = np.float64,
        jitter: np.random.Generator | None = None,
        history: int = 0,
    ) -> None:
        self.origin = target
        self.layer = copy.deepcopy(target)
        self.dtype = np.dtype(dtype)
        self.x = np.array(x, self.dtype if x.dtype.kind in "fc" else None)
        self.training = training
        self.randomness = GlobalRandomness()
        set_precision(self.layer, self.dtype, training=training)
        for parameter in trainable(self.layer).values():
            if jitter is not None:
                parameter.replace(_not_constant(parameter.value, jitter))
        self._warm_up(history)
        self.draws_globally = self.randomness.has_moved()
        self.layer.drop_caches()
        self.trainable = trainable(self.layer)
        self.set_parameters({name: parameter.value for name, parameter in self.trainable.items()})

    def _warm_up(self, history: int) -> None:
        """Warm-up pass on other data with other parameters, so that lazy buffers and generators exist."""
        values = [(parameter, parameter.value) for parameter in trainable(self.layer).values()]
        for parameter, value in values:
            parameter.replace(value * np.asarray(0.9 - 0.2 * history, self.dtype))
        y = self.layer.forward(other_inputs(self.x, np.random.default_rng(5 + history)))
        with contextlib.suppress(Exception):  # a later check reports a wrong backward
            self.layer.backward(np.ones_like(y))
        for parameter, value in values:
            parameter.replace(value)
            parameter.grad = None

    def set_parameters(self, values: dict[str, NDArray]) -> None:
        """Check at these values of the trainable parameters, and start every forward from the state as it is now."""
        self.at = values
        for name, value in values.items():
            self.trainable[name].replace(value.copy(order="K"))
        self.state = State(self.layer)

    def again(self, x: NDArray | None = None, dtype: DTypeLike = np.float64) -> Subject:
        """The same layer with the same parameters, at other inputs or in another dtype."""
        self.restore()
        return Subject(self.layer, self.x if x is None else x, training=self.training, dtype=dtype)

    def values(self) -> dict[str, NDArray]:
        """The arrays that the outputs depend on: "x", unless it holds class numbers, and the trainable parameters."""
        return ({"x": self.x} if self.x.dtype.kind in "fc" else {}) | self.at

    def restore(self) -> None:
        self.state.restore()
        if self.draws_globally:
            self.randomness.restore()

    def forward(self, changed: dict[str, NDArray] | None = None) -> NDArray:
        """y from the same state every time, with some of the values replaced."""
        self.restore()
        changed = changed or {}
        for name, value in changed.items():
            if name != "x":
                self.trainable[name].replace(value.copy(order="K"))
        return self.layer.forward(changed.get("x", self.x).copy(order="K"))

    def repeats(self, y: NDArray) -> bool:
        """Whether forward gives the same y again, but for the rounding of sums over another memory layout."""
        size = float(np.abs(y[np.isfinite(y)]).max(initial=0))
        others = (np.asarray(self.forward()) for _ in range(_REPEATS))
        return all(o.shape == y.shape and np.allclose(o, y, rtol=0, atol=1e-11 * size, equal_nan=True) for o in others)

    def gradients(self, dy: NDArray) -> dict[str, Any]:
        """Copies of the results of backward after a forward: dx as "x", and the grad of each parameter."""
        self.forward()
        results = self.backward(dy.copy())
        return {name: None if array is None else np.array(array) for name, array in results.items()}

    def backward(self, dy: NDArray) -> dict[str, Any]:
        """The results themselves, without a forward before, of a backward that is given this very array and may write into it.

        Each grad holds NaN before, so that elements that backward does not write show.
        """
        for parameter in self.trainable.values():
            parameter.grad = np.full(parameter.shape, np.nan, self.dtype)
        dx = self.layer.backward(dy)
        return {"x": dx} | {name: parameter.grad for name, parameter in self.trainable.items()}


def set_precision(layer: Layer, dtype: DTypeLike, *, training: bool = True, keep_cache: bool = True) -> None:
    """Bring a layer and all inside into one dtype and mode, without caches and gradients."""
    for _, node in layer.walk():
        node.training, node.keep_cache, node._cache = training, keep_cache, None
        node._dtype, node.wants_dx = np.dtype(dtype), True
        if isinstance(node, LossLayer):
            node.target = target_in(node.target, dtype)
    for parameter in Node.parameters(layer).values():
        parameter.replace(np.array(parameter.value, dtype))
        parameter.grad = None


def trainable(layer: Layer) -> dict[str, Parameter]:
    """The trainable parameters by name, also of a model that is not built, for which Model.parameters raises."""
    return {name: parameter for name, parameter in Node.parameters(layer).items() if parameter.trainable}


def other_inputs(x: NDArray, rng: np.random.Generator) -> NDArray:
    """Other inputs of the same kind: the rows in another order, and all of them a little smaller."""
    rows = x[rng.permutation(len(x))] if x.ndim and len(x) > 1 else x
    return rows * (1 - 0.2 * rng.uniform(size=x.shape)).astype(x.dtype) if x.dtype.kind == "f" else rows


def _not_constant(value: NDArray, rng: np.random.Generator) -> NDArray:
    """The same array, or, if all its elements are equal, one scattered around it."""
    if not value.size or np.ptp(value):
        return value
    return value + 0.25 * (abs(value.flat[0]) or 1.0) * rng.normal(size=value.shape)


def _generator_state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _set_generator_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)

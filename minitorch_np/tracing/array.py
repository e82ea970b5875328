"""TracedArray: an ndarray that knows the node that computed it.

NumPy does the arithmetic, a TracedArray only writes down what was done. It is an ndarray, so user code and helpers need no change.
Views are the delicate part: writing into a view changes its parent, and the other way round.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.graph import Node, constant
from minitorch_np.tracing.recorder import current, instruction_name, paused, record

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

# Filled by functions.py and ufuncs.py, which know NumPy's functions.
FUNCTIONS: dict[Any, Callable[[Any, Any], Any]] = {}
UFUNC: list[Callable[..., Any]] = []

_view = np.ndarray.view


class TracedArray(np.ndarray):
    """An array with a node.

    Attributes:
        node: of its present elements, unless the parent has been written into since; `node_of` gives the node that holds.
        parent: the array that it is a view of.
        places: for each element its number in the parent, counted from 1.
        seen: the parent's node when `node` was made.
    """

    node: Node | None
    parent: TracedArray | None
    places: NDArray
    seen: Node | None

    def __array_finalize__(self, obj: Any) -> None:
        self.node = self.parent = self.seen = None

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple[Any, ...] = (), where: Any = True,
        axis: Any = 0, keepdims: bool = False, dtype: Any = None, casting: Any = None, order: Any = None, initial: Any = None,
        axes: Any = None, subok: bool = True,
    ) -> Any:  # fmt: skip
        if initial is not None and method == "reduce":
            raise TraceError(f"np.{ufunc.__name__}.reduce with initial is not traced")
        return UFUNC[0](ufunc, method, inputs, out[0] if out else None, where, axis, keepdims)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in FUNCTIONS:
            return FUNCTIONS[func](args, kwargs)
        if not hasattr(getattr(func, "_implementation", None), "__code__"):
            raise TraceError(f"np.{func.__name__} is not traced")
        found = super().__array_function__(func, types, args, kwargs)  # Python code, which calls what is traced
        if (
            isinstance(found, (np.ndarray, np.inexact))
            and found.dtype.kind in "fc"
            and not isinstance(found, TracedArray)
        ):
            raise TraceError(f"np.{func.__name__} is not traced")
        return found

    def __getitem__(self, key: Any) -> Any:
        return gather(lambda array: array[plain(key)], [self])

    def __setitem__(self, key: Any, value: Any) -> None:
        numbers = np.arange(1, self.size + 1).reshape(self.shape)
        places = numbers[plain(key)]
        if isinstance(value, TracedArray) and value.parent is self and np.array_equal(value.places, places):
            node_of(value)
            return  # the end of `y[key] += b`, which the view has done
        base, new = node_of(self), as_node(value)
        np.ndarray.__setitem__(_view(self, np.ndarray), plain(key), new.value)
        given = np.arange(1, new.value.size + 1).reshape(new.value.shape) + self.size
        while given.ndim > places.ndim:  # NumPy drops leading axes of length 1
            given = given[0]
        numbers[plain(key)] = given
        write(self, record("gather", [base, new], plain(self), numbers))

    def __iter__(self) -> Iterator[Any]:
        frame = sys._getframe(1)
        if instruction_name(frame.f_code, frame.f_lasti) == "UNPACK_SEQUENCE":
            return iter([gather(lambda array, n=n: array[n], [self], part=n) for n in range(len(self))])
        return (self[n] for n in range(len(self)))

    def __float__(self) -> NoReturn:
        raise TraceError("float() of a number that depends on the inputs is not traced")

    def __round__(self, digits: int | None = None) -> Any:
        return round(float(plain(self)), digits)

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return wrap(node_of(self))

    def __repr__(self) -> str:
        return repr(plain(self))

    def __str__(self) -> str:
        return str(plain(self))

    def __format__(self, specification: str) -> str:
        return format(plain(self)[()], specification)


def holds_traced(value: Any) -> bool:
    """Whether it is a traced array, or a list in which there is one."""
    if isinstance(value, (list, tuple)):
        return any(holds_traced(item) for item in value)
    return isinstance(value, TracedArray)


def plain(value: Any) -> Any:
    """The same without nodes; also within lists, tuples and dictionaries."""
    if isinstance(value, TracedArray):
        return _view(value, np.ndarray)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def wrap(node: Node) -> TracedArray:
    """An array with the values of a node, and memory of its own; or without it, if nothing may be written."""
    recorder = current()
    if recorder is not None and not recorder.writing:
        array = _view(node.value, TracedArray)
        array.flags.writeable = False
    else:
        array = _view(np.array(node.value), TracedArray)
    array.node = node
    return array


def known(array: TracedArray) -> Node:
    """The node that was last noted for an array."""
    if array.node is None:
        raise TraceError("an operation lost the trace")
    return array.node


def node_of(array: TracedArray) -> Node:
    """The node of an array's present elements."""
    if array.parent is not None:
        above = node_of(array.parent)
        if above is not array.seen and (above.active or array.seen is None or array.seen.active):
            array.seen = above
            array.node = record("gather", [above], plain(array), array.places)
    node = known(array)
    if node.value.shape != array.shape:
        raise TraceError("an assignment to an array's shape is not traced")
    if not node.active:
        # Constants are read where they are, at the moment of use: a random generator fills an array unseen, after it was made.
        array.node = node = constant(plain(array))
    return node


def as_node(value: Any) -> Node:
    if isinstance(value, TracedArray):
        return node_of(value)
    return as_node(stacked(value)) if holds_traced(value) else constant(value)


def stacked(value: Any) -> Any:
    """A traced array of nested lists with traced numbers."""
    if isinstance(value, (list, tuple)):
        return np.stack([stacked(item) for item in value])
    return value if isinstance(value, TracedArray) else wrap(constant(value))


def write(array: TracedArray, node: Node) -> None:
    """Note that an array has been written into: its node, and those of all that it is a view of."""
    before, array.node = array.node, node
    if array.parent is None:
        return
    parent, above = array.parent, known(array.parent)
    old, new = node.operands if len(node.operands) == 2 else (None, None)
    if (
        node.op in ("add", "subtract")
        and new is not None
        and new.value.shape == node.value.shape
        and (old is before or not (old is None or old.active or before is None or before.active))
    ):
        # y[key] += b is y + (b among zeros); so b's places in y can be told, which are a common mistake.
        numbers = np.zeros(parent.size, np.int64)
        numbers[array.places.ravel() - 1] = np.arange(1, array.size + 1)
        among_zeros = np.concatenate([[0.0], new.value.ravel()])[numbers].reshape(parent.shape)
        placed = record("gather", [new], among_zeros, numbers.reshape(parent.shape), step="put")
        changed = record(node.op, [above, placed], plain(parent), node.detail, step="whole")
    else:
        numbers = np.arange(1, parent.size + 1)
        numbers[array.places.ravel() - 1] = np.arange(1, array.size + 1) + parent.size
        changed = record("gather", [above, node], plain(parent), numbers.reshape(parent.shape))
    write(parent, changed)
    array.seen = changed


def gather(
    move: Callable[..., Any],
    arrays: Sequence[Any],
    *,
    numbering: Callable[..., Any] | None = None,
    part: int | None = None,
) -> Any:
    """Call a function that only moves elements.

    It is called a second time, on the numbers of the elements, counted from 1 through all arrays: the result says where each element
    came from, and 0 where it is a filler.

    Args:
        numbering: the same function for the second call, if its fillers are not 0.
    """
    nodes = [as_node(array) for array in arrays]
    numbers, start = [], 1
    for node in nodes:
        numbers.append(np.arange(start, start + node.value.size).reshape(node.value.shape))
        start += node.value.size
    whole = arrays[0] if len(arrays) == 1 and isinstance(arrays[0], TracedArray) else None
    with paused():
        moved = move(*([node.value for node in nodes] if whole is None else [plain(whole)]))
        places = (numbering or move)(*numbers)
    if isinstance(moved, (list, tuple)):
        results = zip(moved, places, strict=True)
        return type(moved)([as_view(nodes, *result, whole, n) for n, result in enumerate(results)])
    return as_view(nodes, moved, places, whole, part)


def as_view(
    nodes: list[Node], moved: Any, places: Any, whole: TracedArray | None, part: int | None = None
) -> TracedArray:
    """The traced array of moved elements: a view of `whole`, if they lie in its memory."""
    moved, places = np.asarray(moved), np.asarray(places)
    node = record("gather", nodes, moved, places, part=part)
    if whole is None or not np.may_share_memory(moved, whole):
        return wrap(node)
    view = _view(moved, TracedArray)
    view.node, view.parent, view.places, view.seen = node, whole, places, nodes[0]
    return view

"""What an object of somebody else does besides computing: it makes the step itself, and keeps what it saw in lists that grow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.adapting.calls import RESETS, method_of, parameters_of
from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.gradient_names import is_gradient_of, plain
from minitorch_np.checking.arrays_inside import Path, copied, get, is_number, put, walk
from minitorch_np.checking.evidence import same
from minitorch_np.checking.foreign_settings import RATES
from minitorch_np.checking.subject import GlobalRandomness, State

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.adapting.foreign_code import ForeignCode

_UPDATES = ("update", "apply", "step", "optimize", "get_update", "__call__")
Calls = list[tuple[Any, Any]]


def record_updates(root: Any) -> dict[Path, Calls]:
    """Let the optimisers inside an object write down their gradients, and change nothing.

    An optimiser has a method with two arguments, an array and its gradient, such as update(w, grad). The calls are by the path of the
    optimiser, each with the array and the gradient. Copies of the object write into the same lists.
    """
    found: dict[Path, Calls] = {}
    for path, item in walk(root):
        for name in _UPDATES if path and not isinstance(item, np.ndarray) else ():
            method = getattr(item, name, None) if name != "__call__" else None
            roles = _roles(method) if callable(method) else None
            if roles is not None:
                found[path] = []
                with contextlib.suppress(AttributeError):  # an object without a __dict__
                    setattr(item, name, _recorder(found[path], *roles))
                break
    return found


def _roles(method: Callable[..., Any]) -> tuple[int, int] | None:
    """The places of the array and its gradient among the arguments that a method needs, if it needs these two."""
    named = parameters_of(method)
    needed = [plain(name.strip("/")) for name, one in (named or {}).items() if one.default is one.empty]
    gradients = [
        number
        for number, name in enumerate(needed)
        if "grad" in name.lower() or any(is_gradient_of(name, other) for other in needed if other != name)
    ]
    return (1 - gradients[0], gradients[0]) if len(needed) == 2 and len(gradients) == 1 else None


def _recorder(calls: Calls, value: int, gradient: int) -> Callable[..., Any]:
    def update(*arguments: Any) -> Any:
        calls.append((arguments[value], arguments[gradient]))
        return arguments[value]

    return update


def bears_resets(code: Code, x: NDArray) -> bool:
    """Whether the object still works if its method such as zero_grad is called before each forward.

    It may take away more than gradients: the state of a cell. Where lists grow, they are kept short in another way.
    """
    if code.is_pair or method_of(code.root, RESETS) is None:
        return True

    def works() -> bool:
        root = copied(code.root)
        try:
            returned = code.forward(root, x.copy())
            y = returned[0] if isinstance(returned, tuple) else returned
            code.backward(root, np.ones(np.shape(y)), x.copy(), returned, y, 0.0)
        except Exception:  # whatever code of somebody else raises
            return False
        return True

    code.resets = False
    grows, fine = bool(_growing(code, x)), works()
    if grows and fine:
        return False
    code.resets = True
    return works() or not fine


def before_forward(code: Code, x: NDArray, ready: Any) -> Any | None:
    """The object as it is before a forward, if every forward adds to its lists and counters; otherwise None.

    Args:
        ready: the object after one forward.
    """
    growing = _growing(code, x)
    if not growing:
        return None
    root = copied(ready)
    for path, size in growing.items():
        item = get(root, path)
        if isinstance(item, list):
            del item[size:]
        else:
            put(root, path, size)
    return root


def _growing(code: Code, x: NDArray) -> dict[Path, int]:
    """The lists and counters that grow by the same with each forward, and their sizes before the first; {} if no list does."""
    root, seen = copied(code.root), []
    try:
        for _ in range(3):
            code.forward(root, x.copy())
            seen.append({path: _size(item) for path, item in walk(root) if _size(item) is not None})
    except Exception:  # a second forward that is refused; forward itself is tried elsewhere
        return {}
    first, second, third = seen
    growing = {
        path: 2 * size - second[path]
        for path, size in first.items()
        if path in second
        and path in third
        and third[path] - second[path] == second[path] - size > 0 <= 2 * size - second[path]
    }
    return growing if any(isinstance(get(root, path), list) for path in growing) else {}


def _size(item: Any) -> Any:
    """The length of a list, or a whole number, which may count."""
    return (
        len(item) if isinstance(item, list) else item if isinstance(item, int) and not isinstance(item, bool) else None
    )


def set_rates(root: Any, rate: float) -> bool:
    """Set every learning rate inside an object; returns whether there is one."""
    places = [
        path
        for path, item in walk(root)
        if path and isinstance(item, float) and str(path[-1]).strip("_").lower() in RATES
    ]
    for path in places:
        put(root, path, rate)
    return bool(places)


def stacked(value: Any) -> Any:
    """The gradients of several inputs of one shape as one array, for an x that holds the inputs as its rows."""
    if isinstance(value, (list, tuple)) and value and all(is_number(item) for item in value):
        shapes = {np.shape(item) for item in value}
        return np.stack(value) if len(shapes) == 1 else value
    return value


def adds_up(layer: ForeignCode, rows: NDArray) -> bool:
    """Whether a second backward gives another result, and not so after a new forward, as in a graph that is made for one backward."""

    def gradients() -> list[NDArray]:
        dx = layer.backward(dy)
        return [np.array(a) for a in (dx, *(parameter.grad for parameter in layer.values.values())) if is_number(a)]

    dy = np.random.default_rng(2).normal(size=np.shape(layer.forward(rows)))
    randomness, state = GlobalRandomness(), State(layer.code.root)
    try:
        first, second = gradients(), gradients()
        state.restore()
        layer.forward(rows)
        gradients()
        layer.forward(rows)
        third = gradients()
    except Exception:  # the check itself reports it
        return False
    finally:
        state.restore()
        randomness.restore()
    return not _same(first, second) and _same(first, third)


def _same(first: list[NDArray], second: list[NDArray]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and same(a, b) for a, b in zip(first, second, strict=True)
    )

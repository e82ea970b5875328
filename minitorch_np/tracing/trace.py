"""trace: run a forward on traced arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minitorch_np.tracing import functions, interpolation, methods, products, ufuncs  # noqa: F401  they teach TracedArray NumPy's functions
from minitorch_np.tracing.array import TracedArray, holds_traced, node_of, stacked, wrap
from minitorch_np.tracing.creation import Replacements
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.graph import Graph, Node
from minitorch_np.tracing.recorder import Recorder

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

__all__ = ["TraceError", "trace"]


def trace(
    forward: Callable[[dict[str, NDArray]], Any],
    leaves: dict[str, NDArray],
    *,
    with_places: bool = True,
    replacing: bool | Replacements = True,
    writing: bool = True,
) -> Graph:
    """The graph of y = forward(arrays).

    Args:
        forward: gets the leaves as traced arrays, by name.
        leaves: the arrays with respect to which there are derivatives.
        with_places: whether each node notes its place in the source, which takes most of the time.
        replacing: whether functions such as np.zeros and math.exp are traced too, for which they are replaced in all modules; or
            the replacements that an earlier trace has found, which is faster.
        writing: whether forward may write into traced arrays; without it, none is copied.

    Raises:
        TraceError: forward does something that is not traced, or fails on traced arrays. The y of the graph may still be another one
            than forward's, where numbers left the trace unseen: compare them, and the gradients too.
    """
    replacements = Replacements() if replacing is True else replacing
    recorder = Recorder(trace.__code__, with_places=with_places, replacing=bool(replacements), writing=writing)
    nodes: dict[str, Node] = {}
    arrays: dict[str, Any] = {}
    for name, value in leaves.items():
        nodes[name] = node = Node("leaf", [], value.copy() if writing else value, leaf=name)
        recorder.add(node)
        with recorder.recording():
            arrays[name] = wrap(node)
    try:
        with replacements.made() if replacements else contextlib.nullcontext(), recorder.recording():
            y = forward(arrays)
            y = stacked(y) if isinstance(y, (list, tuple)) and holds_traced(y) else y
            output = node_of(y) if isinstance(y, TracedArray) else None
    except TraceError:
        raise
    except Exception as error:  # what a user's forward raises on arrays of another class
        raise TraceError(f"forward raised {type(error).__name__}: {error}") from error
    if output is None:
        raise TraceError("the result of forward is not traced")
    if not output.active:
        raise TraceError("the result of forward depends on no leaf")
    return Graph(recorder.nodes, nodes, output)

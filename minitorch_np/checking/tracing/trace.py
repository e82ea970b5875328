"""trace: run a forward on traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minitorch_np.checking.tracing import functions, methods, products, ufuncs  # noqa: F401  these teach TracedArray NumPy's functions
from minitorch_np.checking.tracing.array import TracedArray, node_of, wrap
from minitorch_np.checking.tracing.creation import replaced
from minitorch_np.checking.tracing.errors import TraceError
from minitorch_np.checking.tracing.graph import Graph, Node
from minitorch_np.checking.tracing.recorder import Recorder

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

__all__ = ["TraceError", "trace"]


def trace(forward: Callable[[dict[str, NDArray]], NDArray], leaves: dict[str, NDArray]) -> Graph:
    """The graph of y = forward(arrays).

    Args:
        forward: gets the leaves as traced arrays, by name.
        leaves: the arrays with respect to which there are derivatives.

    Raises:
        TraceError: forward does something that is not traced, or fails on traced arrays. The y of the graph may still be another one
            than forward's, where numbers left the trace unseen: compare them, and the gradients too.
    """
    recorder = Recorder(trace.__code__)
    nodes: dict[str, Node] = {}
    arrays: dict[str, Any] = {}
    for name, value in leaves.items():
        nodes[name] = node = Node("leaf", [], value.copy(), leaf=name)
        recorder.add(node)
        arrays[name] = wrap(node)
    try:
        with replaced(), recorder.recording():
            y = forward(arrays)
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

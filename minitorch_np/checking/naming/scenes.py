"""Scenes: where the steps of forward are in the user's source, as its reader sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.tracing.source import Place

if TYPE_CHECKING:
    from types import CodeType

    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.tracing.graph import Node

_PACKAGE = __file__.rsplit("checking", 1)[0]


class Scenes:
    """Where nodes are in the user's source: in forward itself, or in a function that forward calls."""

    def __init__(self, backward: TrueBackward) -> None:
        self.backward = backward

    def depth(self, node: Node) -> int:
        """How many calls a node's own line is below forward, or below another method of the layer."""
        methods = [
            (depth, code)
            for depth, (code, _) in enumerate(node.frames or ())
            if code.co_varnames[:1] == ("self",) or code.co_name == "forward"
        ]
        own = [depth for depth, code in methods if not code.co_filename.startswith(_PACKAGE)]
        return own[0] if own else methods[0][0] if methods else 0

    def hidden(self, node: Node) -> float:
        """A price for what a reader of forward does not see: the inner steps of a helper, or of np.var."""
        users = [user for user, _ in self.backward.users.get(node.index, [])]
        if node.leaf is not None or not node.frames or not users:
            return 0
        call = self._call(node)
        inner = call is not None and all(self._call(user) == call for user in users)
        one_expression = all(user.frames and user.frames[0] == node.frames[0] for user in users)
        return 0.3 * inner + 0.25 * one_expression

    def is_named(self, node: Node) -> bool:
        """Whether a node has a name of its own, as a variable or as what a function returns, and is no part of an expression."""
        places = [Place(node, depth) for depth in range(self.depth(node) + 1)] if node.frames else []
        return any(place.variable or place.statement == f"return {place.expression}" for place in places)

    def inside(self, node: Node, k: int | None) -> bool:
        """Whether a node is an inner step of a helper, or its k-th operand is made in the same call of it."""
        call = self._call(node)
        same_call = k is not None and call is not None and self._call(node.operands[k]) == call
        return call is not None and (same_call or self.hidden(node) >= 0.3)

    def _call(self, node: Node) -> tuple[CodeType, int] | None:
        depth = self.depth(node)
        return node.frames[depth] if depth else None  # None also for constants and leaves, which have no frames

    def place(self, node: Node) -> Place:
        return Place(node, self.depth(node))

"""The line of NumPy that carries a gradient through one operation of forward, in the user's own variables."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitorch_np.tracing.graph import Node
    from minitorch_np.tracing.source import Place

_DERIVATIVES = {
    "tanh": "1 - {y}**2",
    "exp": "{y}",
    "expm1": "{y} + 1",
    "sqrt": "1 / (2 * {y})",
    "log": "1 / {x}",
    "log1p": "1 / (1 + {x})",
    "square": "2 * {x}",
    "absolute": "np.sign({x})",
    "sin": "np.cos({x})",
    "cos": "-np.sin({x})",
    "reciprocal": "-1 / {x}**2",
    "negative": "-1",
}
_BINARY = {
    "add": ("{d}", "{d}"),
    "subtract": ("{d}", "-{d}"),
    "multiply": ("{d} * {b}", "{d} * {a}"),
    "divide": ("{d} / {b}", "-{d} * {a} / {b}**2"),
    "maximum": ("{d} * ({a} > {b})", "{d} * ({b} > {a})"),
    "minimum": ("{d} * ({a} < {b})", "{d} * ({b} < {a})"),
    "matmul": ("{d} @ {b}.T", "{a}.T @ {d}"),
}


def derivative(node: Node, x: str, y: str) -> str:
    """The derivative of a function of one array, from the names of array and result."""
    return _DERIVATIVES.get(node.op, "").format(x=bracketed(x), y=bracketed(y))


def of_edge(node: Node, k: int, place: Place, incoming: str) -> tuple[str, str] | None:
    """The variable and the right side of what goes back to an operand, or None if it is not known how to write it.

    Args:
        incoming: the name of the gradient at the node.
    """
    texts, operand = place.operands, node.operands[k]
    if node.op == "where" and len(texts) == 3 and node.value.shape == operand.value.shape:
        sides = (incoming, "0") if k == 0 else ("0", incoming)
        return _variable(texts[1 + k]), f"np.where({texts[0]}, {', '.join(sides)})"
    if len(texts) != len(node.operands):
        return None
    if node.op == "power" and k == 0:
        right = f"{incoming} * {bracketed(texts[1])} * {bracketed(texts[0])}**({texts[1]} - 1)"
    elif node.op in _DERIVATIVES:
        right = f"{incoming} * ({derivative(node, texts[0], place.expression)})"
    elif node.op in _BINARY:
        if node.op == "matmul" and {o.value.ndim for o in node.operands} != {2}:
            return None
        if node.operands[0] is node.operands[-1] and node.op != "multiply":
            return None
        twice = "2 * " if node.operands[0] is node.operands[-1] else ""
        right = twice + _BINARY[node.op][k].format(d=incoming, a=bracketed(texts[0]), b=bracketed(texts[1]))
    elif node.op == "mean" and node.value.size == 1 and bracketed(texts[0]) == texts[0] and "(" not in texts[0]:
        right = f"{incoming} / {bracketed(texts[0])}.size * np.ones_like({texts[0]})"
    else:
        return None
    shape, due = node.value.shape, operand.value.shape
    if node.op in _BINARY and node.op != "matmul" and shape != due:
        lead = len(shape) - len(due)
        axes = [i for i, size in enumerate(shape) if i < lead or (due[i - lead] == 1 and size != 1)]
        right = f"{bracketed(right)}.sum(axis={axes[0] if len(axes) == 1 else tuple(axes)}{'' if lead else ', keepdims=True'})"
    return _variable(texts[k]), right


def mask(node: Node, operand: str) -> str:
    """Where the elements are that a maximum or minimum over axes took."""
    axes, _ = node.detail
    extreme = f"{bracketed(operand)}.{node.op}(axis={axes[0] if len(axes) == 1 else axes}, keepdims=True)"
    return f"({operand} == {extreme})"


def adding(expression: str, gradient: str, values: str) -> str:
    """What adds the gradient of an indexed array, or "" if the expression is no index."""
    try:
        node = ast.parse(expression, mode="eval").body
    except SyntaxError:
        return ""
    if not isinstance(node, ast.Subscript):
        return ""
    index = ast.unparse(node.slice)
    return f"np.add.at({gradient}, {f'({index})' if isinstance(node.slice, ast.Tuple) else index}, {values})"


def _variable(text: str) -> str:
    """A name for the gradient of an expression: drms for rms, dpart for one without a name, and for y, as dy is what backward is given."""
    name = text.removesuffix(".value").removeprefix("self.")
    return f"d{name}" if name.isidentifier() and name != "y" else "dpart"


def bracketed(text: str) -> str:
    """The expression with parentheses, if it needs them before an operator."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return text
    simple = isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant))
    return text if simple else f"({text})"

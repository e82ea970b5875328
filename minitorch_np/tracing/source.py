"""Place: where a node is in the user's source, in the user's own words."""

from __future__ import annotations

import ast
import functools
import linecache
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitorch_np.tracing.graph import Node

_MODULES = (
    "np",
    "numpy",
    "np.linalg",
    "math",
    "np.lib.stride_tricks",
)  # before a function's name these are no operands


class Place:
    """Where an operation is written.

    Args:
        depth: 0 for the innermost of the user's functions, 1 for the line that called it, and so on.

    Attributes:
        file, line, function: of the expression; line is 0 for a leaf.
        expression: its text, or "" if there is no source.
        statement: the text of the statement that it is in.
        operands: the texts of what the expression is made of: both sides of `a + b`, the arguments of a call after the object called.
        variable: the name that the statement assigns the expression's value to, or "".
    """

    def __init__(self, node: Node, depth: int = 0) -> None:
        self.file, self.line, self.function = "", 0, ""
        self.expression = self.statement = self.variable = ""
        self.operands: list[str] = []
        self._part = node.part
        if node.leaf is not None:
            self.expression = node.leaf
        if node.frames:
            self._read(*node.frames[min(depth, len(node.frames) - 1)])

    def _read(self, code: CodeType, offset: int) -> None:
        self.file, self.function = code.co_filename, code.co_name
        positions = list(code.co_positions())[offset // 2]
        self.line = positions[0] or 0
        if None in positions:
            return
        module, lines = _parsed(code.co_filename)
        if module is None:
            return
        expression, statement = _find(code.co_filename, positions)
        if statement is not None:
            self.statement = _words(lines, statement)
            self.variable = self._assigned(lines, expression, statement)
        if expression is not None:
            self._describe(lines, expression)
        elif isinstance(statement, (ast.Assign, ast.AugAssign)):
            self.expression = self.statement
            if isinstance(statement, ast.AugAssign):
                self.operands = [_words(lines, statement.target), _words(lines, statement.value)]

    def _describe(self, lines: list[bytes], expression: ast.expr) -> None:
        if isinstance(expression, ast.Tuple) and self._part is not None and self._part < len(expression.elts):
            self.expression = self.variable = _words(lines, expression.elts[self._part])  # a, b = array
            return
        self.expression = _words(lines, expression)
        match expression:
            case ast.BinOp():
                parts = [expression.left, expression.right]
            case ast.UnaryOp():
                parts = [expression.operand]
            case ast.Subscript():
                parts = [expression.value]
            case ast.Call(func=ast.Attribute(value=owner)) if _words(lines, owner) not in _MODULES:
                parts = [owner, *expression.args]
            case ast.Call():
                parts = list(expression.args)
            case _:
                parts = []
        self.operands = [_words(lines, part) for part in parts]

    def _assigned(self, lines: list[bytes], expression: ast.expr | None, statement: ast.stmt) -> str:
        """The name that the statement gives to the expression's value."""
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or expression is None:
            return ""
        target, value = statement.targets[0], statement.value
        if value is expression and not isinstance(target, ast.Tuple):
            return _words(lines, target)
        if isinstance(target, ast.Tuple):
            place = self._part if value is expression else None
            if isinstance(value, ast.Tuple) and expression in value.elts and len(value.elts) == len(target.elts):
                place = value.elts.index(expression)
            if place is not None and place < len(target.elts):
                return _words(lines, target.elts[place])
        return ""


@functools.lru_cache(32)
def _parsed(file: str) -> tuple[ast.Module | None, list[bytes]]:
    """The syntax tree of a file, and its lines in the encoding that the tree counts columns in."""
    lines = linecache.getlines(file)
    try:
        return (ast.parse("".join(lines)) if lines else None), [line.encode() for line in lines]
    except SyntaxError:
        return None, []


@functools.lru_cache(4096)
def _find(file: str, positions: tuple[int, int, int, int]) -> tuple[ast.expr | None, ast.stmt | None]:
    """The expression that is exactly here, and the innermost statement around it."""
    first_line, last_line, first_column, last_column = positions
    module, _ = _parsed(file)
    statement = None
    for node in ast.walk(module) if module is not None else ():
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and _begin(node) <= (first_line, first_column):
            statement = node if _end(node) >= (last_line, last_column) else statement
    for node in ast.walk(statement or module) if module is not None else ():
        if isinstance(node, ast.expr) and (*_begin(node), *_end(node)) == (
            first_line,
            first_column,
            last_line,
            last_column,
        ):
            return node, statement
    return None, statement


def _begin(node: ast.stmt | ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.stmt | ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _words(lines: list[bytes], node: ast.stmt | ast.expr) -> str:
    """The text of a node on one line. (ast.get_source_segment splits the whole file anew in every call.)"""
    (first, left), (last, right) = _begin(node), _end(node)
    part = b"".join(lines[first - 1 : last])
    return " ".join(part[left : len(part) - len(lines[last - 1]) + right].decode().split())

"""Recorder: gives each operation of the traced thread its number and its place in the code."""

from __future__ import annotations

import contextlib
import dis
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.graph import Node, constant

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_TRACER = str(Path(__file__).parent)
_PACKAGE = Path(__file__).parents[1]
# What runs between the user's functions: it belongs to the site of an operation, but is nothing to show.
_MACHINERY = (str(Path(np.__file__).parent), str(_PACKAGE / "checking"), str(_PACKAGE / "base"))
_thread = threading.local()
_starts: dict[int, tuple[CodeType, list[int]]] = {}


class Recorder:
    """The operations of one forward.

    Args:
        bottom: the code of the function that started it; the frames below are not the user's.
        with_places: whether operations get a place in the code.
        replacing: whether NumPy's functions are replaced for this thread, as they may be for another.
        writing: whether the user's code may write into traced arrays. If not, no array is copied, and writing raises ValueError.
    """

    def __init__(
        self, bottom: CodeType, *, with_places: bool = True, replacing: bool = True, writing: bool = True
    ) -> None:
        self.bottom, self.with_places, self.replacing, self.writing = bottom, with_places, replacing, writing
        self.nodes: list[Node] = []
        self.visits: dict[Any, int] = {}

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record what this thread does."""
        before = current()
        _thread.recorder = self
        try:
            yield
        finally:
            _thread.recorder = before

    def add(self, node: Node) -> None:
        node.index = len(self.nodes)
        self.nodes.append(node)

    def place(self, node: Node, detail: str) -> None:
        """Note the calls that led to the operation.

        NumPy's own functions belong to the site, so that two products within one call of NumPy are two sites, but not to the frames.
        """
        site: list[Any] = [node.op, node.part, detail]
        frames = []
        frame = sys._getframe(2)
        while frame is not None and frame.f_code is not self.bottom:
            code = frame.f_code
            if not code.co_filename.startswith(_TRACER):
                offset = _instruction(code, frame.f_lasti)
                site += (code.co_filename, code.co_firstlineno, offset)
                if not code.co_filename.startswith(_MACHINERY):
                    frames.append((code, offset))
            frame = frame.f_back  # type: ignore[assignment]
        node.frames, node.site = tuple(frames), tuple(site)
        node.visit = self.visits.get(node.site, 0)
        self.visits[node.site] = node.visit + 1


def current() -> Recorder | None:
    """The recorder of this thread, if it is tracing."""
    return getattr(_thread, "recorder", None)


def is_replacing() -> bool:
    """Whether this thread is tracing with functions replaced."""
    recorder = current()
    return recorder is not None and recorder.replacing


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Let NumPy compute on plain arrays, as in a thread that is not traced."""
    before = current()
    _thread.recorder = None
    try:
        yield
    finally:
        _thread.recorder = before


def record(
    op: str, operands: list[Node], value: NDArray, detail: Any = None, *, part: int | None = None, step: str = ""
) -> Node:
    """The node of an operation, or a constant if no operand depends on a leaf.

    Args:
        part: the position among several results.
        step: tells apart two operations that one expression of the user needs.
    """
    if not any(operand.active for operand in operands):
        return constant(value)
    recorder = current()
    if recorder is None:
        raise TraceError(f"{op} was called outside of the traced forward")
    node = Node(op, operands, np.array(value) if recorder.writing else np.asarray(value), detail, part=part)
    if recorder.with_places:
        recorder.place(node, step)
    recorder.add(node)
    return node


def _instruction(code: CodeType, offset: int) -> int:
    """The start of the instruction at an offset.

    Once code is warm, CPython gives an offset inside the instruction's inline cache.
    """
    known = _starts.get(id(code))
    if known is None:
        starts = [0] * (len(code.co_code) // 2 + 1)
        for instruction in dis.get_instructions(code):
            starts[instruction.offset // 2] = instruction.offset
        for unit in range(1, len(starts)):
            starts[unit] = starts[unit] or starts[unit - 1]
        known = _starts[id(code)] = code, starts  # keeps the code, so that its id stays its own
    return known[1][max(offset, 0) // 2]


def instruction_name(code: CodeType, offset: int) -> str:
    """The name of the instruction that runs at an offset."""
    return dis.opname[code.co_code[_instruction(code, offset)]]

"""ToldError: a failed check of a training step or an optimiser, told at four levels like a gradcheck report."""

from __future__ import annotations


class ToldError(AssertionError):
    """What is wrong, and how much of it is told.

    Args:
        who: the function that checked, and what it checked.
        seen: which step and which number are wrong, as a sentence. bug: the mistake, or "". change: what to do instead, or "".

    Attributes:
        hint: 0 right or wrong, 1 the step and a number with both values, 2 the mistake, 3 what to change.
    """

    def __init__(self, who: str, seen: str, bug: str = "", change: str = "") -> None:
        super().__init__(who, seen, bug, change)
        self.who, self.seen, self.bug, self.change = who, seen, bug, change
        self.hint = 3

    def __str__(self) -> str:
        if self.hint == 0:
            return f"{self.who} is WRONG"
        lines = [f"{self.who}: {self.seen}"]
        lines += [f" LIKELY BUG: {self.bug}"] if self.bug and self.hint >= 2 else []
        lines += [f"   {self.change}"] if self.change and self.hint >= 3 else []
        return "\n".join(lines)


def check_hint(who: str, hint: int) -> None:
    """Raise ValueError unless hint is one of the levels."""
    if hint not in (0, 1, 2, 3):
        raise ValueError(f"{who}: hint is 0, 1, 2 or 3, got {hint!r}.")

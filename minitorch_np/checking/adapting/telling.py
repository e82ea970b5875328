"""What the report says of how somebody else's code was understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.reading import Reading
from minitorch_np.checking.arrays_inside import text
from minitorch_np.checking.evidence import gradient_of

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.shapes import Shape

_MOST = 12  # parameters that are listed
_FEW = 6  # arrays that are listed as left out


def looked_at(reading: Reading, notes: list[str], *, has_slope: bool) -> str:
    """Which arrays were taken for parameters, which gradients for theirs, and which were left out.

    Args:
        notes: what else is to be said.
        has_slope: whether x holds floats; whole numbers have no derivative.
    """
    parts = [f"x ({reading.dx.shown()})"] if reading.dx.kind != "missing" else []
    for name, source in reading.gradients.items():
        guess = ", by its shape" if name in reading.guessed else ""
        parts.append(f"{name} ({source.shown()}{guess})")
    if len(parts) > _MOST:
        parts[_MOST:] = [f"and {len(parts) - _MOST} more"]
    told = [f"looked at, each with its gradient: {', '.join(parts) or 'nothing'}"]
    told += [] if reading.gradients else ["no parameters found"]
    if reading.dx.kind == "missing":
        told.append("dx was not checked: backward returns none" if has_slope else "no dx: x holds whole numbers")
    for words, left in (
        ("left out", reading.unseen | reading.constants),
        ("without a gradient, and y does not depend on it", reading.unused),
    ):
        named = [f"{name} {shape}" for name, shape in left.items()]
        named[_FEW:] = [f"{len(named) - _FEW} more"] if len(named) > _FEW else []
        told += [f"{words}: {', '.join(named)}"] if named else []
    return "; ".join([*told, *filter(None, notes)])


def averaging(examples: int, *, averaged: bool, found: bool) -> str:
    """What is said of gradients that are divided by the number of examples."""
    if not found:
        return ""
    told = f"the gradients of the parameters are divided by the {examples} examples"
    if averaged:
        return f"{told}: this is taken for the 1/m of a mean loss, as in courses, and they are multiplied by {examples} before the check"
    return f"{told}: if that is meant as the 1/m of a mean loss, write adapt(…, averaged=True)"


def missing_dx(names: list[str]) -> list[str]:
    """What is asked of a layer that returns no dx."""
    return [
        "dx was not checked: backward returns none, and no attribute is named like it. Say where it is: adapt(layer, dx='…'). To "
        f"check the parameters alone, write gradcheck(layer, x, wrt={names!r})."
    ]


def unseen_parameters(reading: Reading) -> list[str]:
    """For each array that was not checked the line to write."""
    known = {name: source for name, source in reading.gradients.items() if source.kind == "attribute"}
    pairs = [f"{name!r}: {text(source.paths[0])!r}" for name, source in known.items()]
    found = []
    for name, shape in reading.unseen.items():
        holder, dot, last = name.rpartition(".")
        line = ", ".join([*pairs, f"{name!r}: {f'{holder}{dot}d{last}'!r}"])
        found.append(
            f"{name} {shape} was not checked: y depends on it, and no gradient of it was found. "
            f"Say where its gradient is: adapt(layer, parameters={{{line}}}). If it is a constant, leave it out there."
        )
    return found


def their_names(reading: Reading, code: Code) -> dict[str, str]:
    """What the code calls dy, and the gradients that it keeps in attributes."""
    found = {
        gradient_of(name): source.shown() for name, source in reading.gradients.items() if source.kind == "attribute"
    }
    arguments = [argument.strip("/") for argument, role in code.backward_call.roles.items() if role == "dy"]
    return found | ({"dy": arguments[0]} if arguments else {})


def in_float64(wide: set[str]) -> list[str]:
    """A remark on results that are float64 though x and the parameters are float32."""
    if not wide:
        return []
    *first, last = sorted(wide)
    named = f"{', '.join(first)} and {last} are" if first else f"{last} is"
    return [f"For float32 inputs, {named} float64. That is right, but slower than float32."]


def without_axes(lacking: Mapping[str, Shape], values: Mapping[str, Parameter]) -> list[str]:
    """A remark on gradients that lack axes of length 1 that their values have."""
    return [
        f"{gradient_of(name)} has shape {shape}, and {name} {values[name].shape}: right where broadcasting adds the axis."
        for name, shape in lacking.items()
    ]

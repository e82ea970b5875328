"""What the report says of how somebody else's code was understood."""

from __future__ import annotations

from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.reading import Reading
from minitorch_np.checking.arrays_inside import text
from minitorch_np.checking.evidence import gradient_of

_MOST = 12  # parameters that are listed


def looked_at(reading: Reading, note: str) -> str:
    """Which arrays were taken for parameters, which gradients for theirs, and which were left out."""
    dx = "no gradient: backward returns nothing" if reading.dx.kind == "missing" else reading.dx.shown()
    parts = [f"x ({dx})"]
    for name, source in reading.gradients.items():
        guess = ", by its shape" if name in reading.guessed else ""
        parts.append(f"{name} ({source.shown()}{guess})")
    if len(parts) > _MOST:
        parts[_MOST:] = [f"and {len(parts) - _MOST} more"]
    told = f"looked at, each with its gradient: {', '.join(parts)}"
    told += "" if reading.gradients else "; no parameters found"
    left = [f"{name} {shape}" for name, shape in reading.unseen.items()] + reading.constants
    told += f"; left out: {', '.join(left)}" if left else ""
    return told + (f"; {note}" if note else "")


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

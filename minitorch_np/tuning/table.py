"""Table: every fit of a search, in memory and in a file from which another run continues."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from minitorch_np.base.configurable import without_address
from minitorch_np.base.files import AnyPath, as_path, check_writable, write_whole
from minitorch_np.saving import archive
from minitorch_np.saving.errors import ModelFileError, refusing

FORMAT = 1
OF_TRIAL = "the model of trial "


class Fit(NamedTuple):
    """One trained model, and its scores on the fold held out, or None if training diverged."""

    trial: int
    settings: dict[str, Any]
    fold: int
    epochs: int
    seed: int
    seconds: float
    scores: dict[str, float] | None


class Table:
    """The fits of one search.

    A fit depends on the search, the trial, its epochs and the fold alone, so a fit in the table is not run again.

    Args:
        path: a file, read if it exists, and written whole after each fit; None for no file.
        about: the description of the search, which the file's must equal; for models, only those of trials in both.

    Raises:
        ModelFileError: the file is damaged, or belongs to another search; the message names the difference.
    """

    path: Path | None
    about: dict[str, str]

    def __init__(self, path: Path | None, about: Mapping[str, str]) -> None:
        self.path, self.about = path, dict(about)
        self.fits: dict[tuple[int, int, int], Fit] = {}
        if path is not None and path.exists():
            fits, there = read(path, self.about)
            self.about = there | self.about
            self.fits = {(fit.trial, fit.epochs, fit.fold): fit for fit in fits}

    def __contains__(self, place: tuple[int, int, int]) -> bool:
        """Whether (trial, epochs, fold) has been run."""
        return place in self.fits

    def add(self, fit: Fit) -> None:
        self.fits[fit.trial, fit.epochs, fit.fold] = fit
        if self.path is not None:
            fits = [_for_json(fit) for _, fit in sorted(self.fits.items())]
            content = json.dumps({"format": FORMAT, "search": self.about, "fits": fits}, indent=1, allow_nan=False)
            write_whole(self.path, (content + "\n").encode())

    def of(self, trial: int) -> list[Fit]:
        """The fits of one trial, by epochs and fold."""
        return [fit for (number, _, _), fit in sorted(self.fits.items()) if number == trial]


def checked_path(path: AnyPath) -> Path:
    """The path of a table.

    Raises:
        ValueError: it does not end in .json. FileNotFoundError, PermissionError: it cannot be written.
    """
    checked = as_path(path, "search", "table")
    if checked.suffix != ".json":
        raise ValueError(
            f"search: table ends in .json, got {str(checked)!r}. For a spreadsheet there is result.to_csv(path)."
        )
    check_writable(checked, "search(table=…)")
    return checked


def read(path: Path, about: Mapping[str, str]) -> tuple[list[Fit], dict[str, str]]:
    """The fits in a file of the search that `about` describes, and the file's own description."""
    text = path.read_bytes()
    with refusing(path):
        content = archive.parse(text, len(text))  # any size is allowed: the search wrote it
    if content.get("format") != FORMAT:
        what = f"its format is {content.get('format')!r}, expected {FORMAT}, that of the table of a search"
        raise ModelFileError(path, what, "Give search another path")
    try:
        there = dict(content["search"])
        fits = [_from_json(fit, there["objective"]) for fit in content["fits"]]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ModelFileError(path, f"it is no table of a search ({error})", "Give search another path") from None
    for name in dict.fromkeys([*about, *there]):
        if name.startswith(OF_TRIAL) and not (name in about and name in there):
            continue  # now there are more trials, or fewer
        if about.get(name) != there.get(name):
            here, then = about.get(name, "nothing"), there.get(name, "nothing")
            if name == "data":
                here, then = "other examples", "those it began with"
            what = f"it is of another search: {name} is {here} here and {then} there"
            raise ModelFileError(path, what, "Give search what that one began with, or another path")
    return fits, there


def _for_json(fit: Fit) -> dict[str, Any]:
    """JSON has neither NaN nor infinity (RFC 8259), so both become text."""
    if fit.scores is None:
        return fit._asdict()
    scores = {name: value if math.isfinite(value) else str(float(value)) for name, value in fit.scores.items()}
    return fit._replace(scores=scores)._asdict()  # type: ignore[arg-type]


def _from_json(item: Mapping[str, Any], objective: str) -> Fit:
    fit = Fit(**item)
    if not all(type(number) is int for number in (fit.trial, fit.fold, fit.epochs, fit.seed)):
        raise TypeError("trial, fold, epochs and seed are whole numbers")
    if fit.scores is None:
        return fit
    scores = {name: float(value) for name, value in fit.scores.items()}
    if objective not in scores:
        raise ValueError(f"there is a fit without {objective!r}")
    return fit._replace(scores=scores, seconds=float(fit.seconds))


def description(thing: Any) -> str:
    """The repr of an object without its memory address; without a repr of its own, its class and attributes."""
    if isinstance(thing, (list, tuple)):
        return f"[{', '.join(map(description, thing))}]"
    if isinstance(thing, Mapping):
        return f"{{{', '.join(f'{name!r}: {description(value)}' for name, value in thing.items())}}}"
    if type(thing).__repr__ is object.__repr__:
        return f"{type(thing).__name__} with {description(getattr(thing, '__dict__', {}))}"
    return without_address(thing)


def plain(value: Any) -> Any:
    """A setting as a JSON value, or as text if JSON has no such value."""
    if isinstance(value, float) and not math.isfinite(value):
        return description(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else description(value)

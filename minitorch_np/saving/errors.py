"""ModelFileError: anything that is wrong with a model file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from minitorch_np.base.callers import caller
from minitorch_np.base.text import printable

_LONGEST = 500


class ModelFileError(ValueError):
    """A file that is no model, or not one that can be trusted. Nothing was changed by reading it.

    Attributes:
        path: the file. what: what is wrong with it. remedy: what to do.
    """

    def __init__(self, path: str | os.PathLike[str], what: str, remedy: str) -> None:
        # What a file holds may be quoted in it: megabytes, or control characters that a terminal would obey.
        what = printable(what[:_LONGEST])[:_LONGEST] + ("…" if len(what) > _LONGEST else "")
        super().__init__(f"{printable(os.fsdecode(path))}: {what}. {remedy}")
        self.path, self.what, self.remedy = path, what, remedy


class NotHere(ValueError):
    """A file asks for something that is not here: it may be sound, and saving it again would not help."""


@contextmanager
def refusing(path: str | os.PathLike[str], remedy: str = "Save it again") -> Iterator[None]:
    """Whatever goes wrong inside the `with` block, because of what a file holds, becomes a ModelFileError."""
    try:
        yield
    except (ModelFileError, PermissionError):
        raise
    except Exception as error:  # what a forger may make fail, and how, no list names
        said = isinstance(error, ValueError) and str(error)
        what = said or f"not a readable model file ({type(error).__name__}: {error})"
        remedy = "The file itself may be sound" if isinstance(error, NotHere) else remedy
        raise ModelFileError(path, what, remedy) from None


def warn_unsummed(path: str | os.PathLike[str], guard: str) -> None:
    """Say that a file was taken although nothing proves that its numbers are those that were saved."""
    warnings.warn(
        f"{printable(os.fsdecode(path))} has no SHA-256 inside, as files that Keras wrote have none: {guard}. "
        "Saved again by this package it has one.",
        stacklevel=caller(),
    )

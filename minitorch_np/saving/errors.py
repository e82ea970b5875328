"""ModelFileError: anything that is wrong with a model file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from minitorch_np.base.callers import caller
from minitorch_np.base.text import as_sentence, printable

SAVE_AGAIN = "Save it again"
DISTRUST = "Do not trust this file"
OTHER_MODEL = "The file is of another model, or of one whose build makes its parameters in another order"
_LONGEST = 500


class ModelFileError(ValueError):
    """The file is not a model, or not one that can be trusted. Nothing was changed by reading it.

    Attributes:
        path: the file. what: what is wrong with it. remedy: what to do.
    """

    path: str | os.PathLike[str]
    what: str
    remedy: str

    def __init__(self, path: str | os.PathLike[str], what: str, remedy: str) -> None:
        # The message may quote the file: megabytes, or control characters that a terminal would obey.
        what = printable(what[:_LONGEST])[:_LONGEST] + ("…" if len(what) > _LONGEST else "")
        super().__init__(f"{printable(os.fsdecode(path))}: {as_sentence(what)} {remedy}")
        self.path, self.what, self.remedy = path, what, remedy


def not_saved(model: object, error: ValueError) -> ValueError:
    """The error of `save` for a model that a file cannot hold, from the error that says why."""
    return ValueError(f"{type(model).__name__}.save: {as_sentence(error)} save_weights keeps the weights alone.")


class FileProblem(ValueError):
    """What is wrong with the file that is being read, and the remedy. `refusing` adds the path."""

    def __init__(self, what: str, remedy: str = SAVE_AGAIN) -> None:
        super().__init__(what)
        self.remedy = remedy


class NotHere(FileProblem):
    """The file needs something that this package does not have, so the file may be sound.

    Args:
        thing: what it needs. reason: what the message says after it. remedy: what to do.
    """

    def __init__(
        self,
        thing: str,
        reason: str = ", which this package does not have",
        remedy: str = "The file itself may be sound",
    ) -> None:
        super().__init__(thing + reason, remedy)
        self.thing = thing


@contextmanager
def refusing(path: str | os.PathLike[str], remedy: str = SAVE_AGAIN) -> Iterator[None]:
    """Inside the `with` block, whatever goes wrong because of the file's content becomes a ModelFileError."""
    try:
        yield
    except (ModelFileError, PermissionError):
        raise
    except Exception as error:  # a malicious file can raise any exception
        message = isinstance(error, ValueError) and str(error)
        what = message or f"not a readable model file ({type(error).__name__}: {error})"
        raise ModelFileError(path, what, error.remedy if isinstance(error, FileProblem) else remedy) from None


def warn(path: str | os.PathLike[str], text: str) -> None:
    """Warn of something about a file, at the line outside this package that reads or writes it."""
    warnings.warn(printable(f"{os.fsdecode(path)}: {text}"), stacklevel=caller())

"""Opening a file to read it: a file, whole, that nobody is writing to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from minitorch_np.saving.errors import ModelFileError, refusing

_BLOCK = 512  # what st_blocks counts
_FEW = 1 << 30  # some file systems count late what was written just now


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The file, open for reading.

    Raises:
        PermissionError: it may not be read.
        ModelFileError: there is none, it is a folder, another process is writing to it, most of it is a hole; and whatever goes
            wrong inside the `with` block.
    """
    with refusing(path):
        if not Path(path).is_file():
            what = "it is a folder" if Path(path).is_dir() else "there is no such file"
            raise ModelFileError(path, what, "Give the path of a saved file")
        with open(path, "rb") as file:
            _refuse_written(file, path)
            status = os.fstat(file.fileno())
            if status.st_size > 64 * max(_FEW, _BLOCK * getattr(status, "st_blocks", status.st_size)):
                raise ModelFileError(path, f"it says {status.st_size} bytes and holds few", "Copy or save it again")
            yield file


def _refuse_written(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """HDF5 locks a file while it writes; so may others. Where there are no locks there is nothing to be known."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ModelFileError(path, "it is locked: another process is writing to it", "Wait until it is done") from None
    except (ImportError, OSError):
        pass

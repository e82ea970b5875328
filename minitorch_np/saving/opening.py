"""Opening a file for reading, unless another process is writing to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from minitorch_np.saving.errors import SAVE_AGAIN, FileProblem, refusing

_BLOCK = 512  # the unit of st_blocks
_ALWAYS_ALLOWED = 1 << 30  # some file systems count the blocks of a new file late


@contextmanager
def opened(path: Path, remedy: str = SAVE_AGAIN) -> Iterator[BinaryIO]:
    """The file, open for reading.

    Raises:
        PermissionError: the file may not be read.
        ModelFileError: there is no file, it is a folder, another process is writing to it, or it is sparse; and whatever
            goes wrong inside the `with` block, for which `remedy` says what to do unless the error says it.
    """
    with refusing(path, remedy):
        if not path.is_file():
            what = "it is a folder" if path.is_dir() else "there is no such file"
            raise FileProblem(what, "Give the path of a saved file")
        with open(path, "rb") as file:
            _refuse_locked(file)
            status = os.fstat(file.fileno())
            stored = _BLOCK * getattr(status, "st_blocks", status.st_size)
            if status.st_size > 64 * max(_ALWAYS_ALLOWED, stored):
                raise FileProblem(
                    f"it is a sparse file: {status.st_size} bytes claimed, {stored} stored", "Copy or save it again"
                )
            yield file


def _refuse_locked(file: BinaryIO) -> None:
    """HDF5 locks a file while it writes, and so may other programs. Some systems have no locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileProblem("it is locked: another process is writing to it", "Wait until it is done") from None
    except (ImportError, OSError):
        pass

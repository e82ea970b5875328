"""Writing that survives: the old file or the whole new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import time
from pathlib import Path

_SUFFIX = ".saving"
_ABANDONED = 3600  # seconds; no writer takes so long from one write to the next


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Write beside the target, flush to the disk, rename over it; a failed write leaves the old file and nothing else.

    A writer that was killed leaves `.name.….saving`; a later one removes it when an hour has passed.

    Raises:
        FileNotFoundError: the folder does not exist. OSError: what the system says, such as a full disk.
    """
    target = Path(path)
    check_writable(target, "write")
    _sweep(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path: Path, who: str) -> None:
    """Say before training what would fail after it.

    Raises:
        FileNotFoundError: the folder does not exist. IsADirectoryError: the path is one.
        PermissionError: the folder, or the file, may not be written to.
    """
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{who}: the folder {folder} does not exist. Create it first.")
    if path.is_dir():
        raise IsADirectoryError(f"{who}: {path} is a folder. Give the path of a file in it.")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"{who}: {path} cannot be written to. Choose another place, or change its permissions.")


def _sweep(target: Path) -> None:
    """Remove what killed writers left of this file."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # another writer was quicker
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()

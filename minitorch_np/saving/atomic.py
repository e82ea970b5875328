"""Writing that survives: the old file or the whole new one, whatever happens in between."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Write beside the target, flush to the disk, rename over it; a failed write leaves the old file and nothing else.

    Raises:
        FileNotFoundError: the folder does not exist. OSError: what the system says, such as a full disk.
    """
    target = Path(path)
    check_writable(target, "write")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def check_writable(path: Path, who: str) -> None:
    """Say before training what would fail after it.

    Raises:
        FileNotFoundError: the folder does not exist. PermissionError: it, or the file, may not be written to.
    """
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{who}: the folder {folder} does not exist. Create it first.")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"{who}: {path} cannot be written to. Choose another place, or change its permissions.")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

"""Files: paths from str, bytes and os.PathLike, and writing that leaves either the old file or the complete new one."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_SUFFIX = ".saving"
_ABANDONED = 3600  # seconds; a temporary file that is older was left by a killed writer
_LONG = 100  # bytes of a name; most file systems allow 255, some 143, and the temporary name is longer


def as_path(path: Any, who: str, argument: str = "path") -> Path:
    """The path as a Path: a str, bytes or os.PathLike, in which a leading "~" is the user's home folder.

    Raises:
        ValueError: the path is of another type, or empty.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        hint = " Give the name of a file, not an open one." if hasattr(path, "read") else ""
        raise ValueError(f"{who}: {argument} is a str, bytes or pathlib.Path, got {path!r}.{hint}") from None
    if not text or "\0" in text:
        raise ValueError(f"{who}: {argument} is the name of a file or folder, got {text!r}.")
    return Path(os.path.expanduser(text))


def write_whole(path: AnyPath, content: bytes, who: str = "write") -> None:
    """Write to a temporary file beside the target, flush it to the disk, rename it. A failed write leaves the old file.

    A symbolic link stays, and its target is written. The permissions of an earlier file are kept, and its owner and group if the
    system allows it. A killed writer leaves `.name.….saving`; a later one removes it after an hour.

    Raises:
        ValueError: the path is a device or a pipe. FileNotFoundError: the folder does not exist.
        OSError: an error of the system, such as a full disk.
    """
    import secrets

    path = as_path(path, who)
    check_writable(path, who)
    target = Path(os.path.realpath(path))
    _sweep(target)
    earlier = os.stat(target) if target.exists() else None
    mode = 0o666 if earlier is None else stat.S_IMODE(earlier.st_mode)  # the system applies the umask to a new file
    temporary = target.with_name(f"{_hidden(target.name)}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        binary = getattr(os, "O_BINARY", 0)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode), "wb") as file:
            if earlier is not None:
                _take_owner(temporary, earlier)
                os.chmod(temporary, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_csv(path: AnyPath, rows: Iterable[Iterable[Any]], who: str) -> None:
    """Write rows as comma-separated lines; a failed write leaves the old file."""
    import csv

    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    write_whole(path, lines.getvalue().encode(), who)


def check_writable(path: Path, who: str) -> None:
    """Raise, before training, the errors that writing would raise after it.

    Raises:
        FileNotFoundError: the folder does not exist. IsADirectoryError: the path is one.
        PermissionError: the folder, or the file, may not be written to.
        ValueError: it is a device or a pipe, or a link to itself.
    """
    target = Path(os.path.realpath(path))
    name = f"{path} (a link to {target})" if path.is_symlink() else str(path)
    if _is_device(path):
        raise ValueError(
            f"{who}: {name} is not an ordinary file: a device, a pipe, or a link to itself. Give the path of a file."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{who}: the folder {target.parent if path.is_symlink() else path.parent} does not exist. Create it first."
        )
    if target.is_dir():
        raise IsADirectoryError(f"{who}: {name} is a folder. Give the path of a file in it.")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"{who}: {name} cannot be written to. Choose another place, or change its permissions.")
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(
            f"{who}: {name} cannot be written to: a temporary file is written first, and the folder {target.parent} "
            "may not be written to. Choose another place, or change its permissions."
        )


def _is_device(path: Path) -> bool:
    """Whether the path is not a file on a disk: a terminal, a pipe, an open descriptor such as /dev/stdout."""
    for _ in range(40):  # Linux follows at most 40 links
        path = Path(os.path.realpath(path.parent)) / path.name
        if str(path.parent).startswith("/proc/"):
            return True
        if not path.is_symlink():
            return path.exists() and not (path.is_file() or path.is_dir())
        path = path.parent / os.readlink(path)
    return True


def _take_owner(path: Path, earlier: os.stat_result) -> None:
    """Give a file the owner and group of an earlier one, as far as allowed: the group may be allowed where the owner is not."""
    if hasattr(os, "chown"):
        for user, group in ((-1, earlier.st_gid), (earlier.st_uid, -1)):
            with contextlib.suppress(OSError):
                os.chown(path, user, group)


def _hidden(name: str) -> str:
    """The beginning of the names of temporary files for this name."""
    import hashlib

    encoded = os.fsencode(name)
    return f".{name if len(encoded) <= _LONG else hashlib.sha256(encoded).hexdigest()[:32]}"


def _sweep(target: Path) -> None:
    """Remove the temporary files that killed writers left."""
    from glob import escape

    for left in target.parent.glob(f"{escape(_hidden(target.name))}.*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # another writer removed it first
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()

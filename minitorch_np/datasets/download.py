"""Downloads of files with a known SHA-256, unless a copy is already on this computer."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from minitorch_np.base.files import AnyPath, as_path

VARIABLE = "MINITORCH_NP_DATA"


class DataUnavailable(OSError):
    """A file that was not found and cannot be downloaded; the message names the folder to put it into."""


def find_or_download(
    url: str, sha256: str, folder: AnyPath | None = None, *, timeout: float = 10.0, attempts: int = 3
) -> Path:
    """The file of this url: from folder, from $MINITORCH_NP_DATA, from the user's cache, or downloaded into the cache.

    A download is written to a temporary file, and renamed into the cache when it is complete and its SHA-256 is right.

    Args:
        url: the address; its last part is the file's name.
        sha256: the SHA-256 of the content.
        folder: where to look first.
        timeout: seconds to wait for the server in each attempt.
        attempts: the number of attempts.

    Raises:
        DataUnavailable: the file could not be downloaded; nothing has changed.
        ValueError: a file with this name exists and has other content.
    """
    name = url.rpartition("/")[2]
    cache = cache_folder()
    for place in (folder, os.environ.get(VARIABLE), cache):
        if place and (path := as_path(place, "find_or_download", "folder") / name).is_file():
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if found != sha256:
                raise ValueError(
                    f"{path}: not the published file (SHA-256 {found[:12]}…, expected {sha256[:12]}…). "
                    f"Delete it, or put the file from {url} in its place."
                )
            return path
    try:
        return _download(url, sha256, cache / name, timeout, attempts)
    except OSError as error:
        raise DataUnavailable(
            f"{name} was not found and could not be downloaded ({error}). Download {url} into {cache}, "
            f"or into any folder and set {VARIABLE} to that folder."
        ) from None


def cache_folder() -> Path:
    """The folder in which this system keeps files that can be downloaded again."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "minitorch_np"


def _download(url: str, sha256: str, path: Path, timeout: float, attempts: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(attempts - 1):
        try:
            return _download_once(url, sha256, path, timeout)
        except OSError as error:
            if getattr(error, "code", 500) < 500:  # trying a 404 again does not help
                raise
            time.sleep(0.5 * 2**attempt)
    return _download_once(url, sha256, path, timeout)


def _download_once(url: str, sha256: str, path: Path, timeout: float) -> Path:
    import http.client
    import urllib.error
    import urllib.request

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(url, timeout=timeout) as response:
            shutil.copyfileobj(response, file)
        found = hashlib.sha256(Path(temporary).read_bytes()).hexdigest()
        if found != sha256:
            raise OSError(f"the downloaded file has SHA-256 {found[:12]}…, expected {sha256[:12]}…")
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # the error holds the open connection
        if isinstance(error, http.client.HTTPException):
            raise OSError(f"the server's answer broke off: {error!r}") from error
        raise
    return path

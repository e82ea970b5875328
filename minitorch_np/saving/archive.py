"""The archive that a model or a checkpoint is: a stored zip of named files, with SHA-256 sums of all of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from minitorch_np.saving.errors import ModelFileError

SUMS = "sha256.json"
_DESCRIPTION_BYTES = 16_000_000
_MOST_FILES = 10_000
_DISTRUST = "Do not trust this file"


def pack(files: dict[str, bytes]) -> bytes:
    """The files as one zip, with their sums."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**files, SUMS: as_json(sums)}.items():
            archive.writestr(name, content)
    return packed.getvalue()


def unpack(path: str | os.PathLike[str]) -> tuple[dict[str, bytes], bool]:
    """The files inside, none larger than what is stored allows, and whether there were sums, which then all agree.

    Raises:
        ModelFileError: no such file, no zip, something that expands or is not what was saved.
    """
    if not Path(path).is_file():
        what = "it is a folder" if Path(path).is_dir() else "there is no such file"
        raise ModelFileError(path, what, "Give the path of a saved file")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len({entry.filename for entry in entries}) != len(entries) or len(entries) > _MOST_FILES:
                raise ModelFileError(path, "it holds a file twice, or more files than a model has", _DISTRUST)
            for entry in entries:
                if entry.filename.endswith(".json") and entry.file_size > _DESCRIPTION_BYTES:
                    raise ModelFileError(path, f"{entry.filename} is larger than any description", _DISTRUST)
                if entry.file_size > 20 * max(entry.compress_size, 1000):
                    raise ModelFileError(path, f"{entry.filename} unpacks to {entry.file_size} bytes", _DISTRUST)
            files = {entry.filename: archive.read(entry) for entry in entries if "/" not in entry.filename}
    except ModelFileError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, MemoryError) as error:
        raise ModelFileError(path, f"not a readable model file ({error})", "Save it again") from None
    return files, _agree(files, path)


def _agree(files: dict[str, bytes], path: str | os.PathLike[str]) -> bool:
    if SUMS not in files:
        return False
    sums = parse(files.pop(SUMS), path)
    for name in sorted({*files, *sums}):
        if name not in files or sums.get(name) != hashlib.sha256(files[name]).hexdigest():
            what = f"{name} is not what was saved (its SHA-256 differs)"
            raise ModelFileError(path, what, "Copy or save the file again")
    return True


def as_json(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True).encode()


def parse(content: bytes, path: str | os.PathLike[str]) -> Any:
    """The dictionary that a description holds."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = f"a description inside is no JSON ({type(error).__name__})"
        raise ModelFileError(path, what, "Save it again") from None
    if not isinstance(data, dict):
        raise ModelFileError(path, "a description inside is no dictionary", "Save it again")
    return data

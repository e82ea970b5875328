"""The archive that a model or a checkpoint is: a stored zip of named files, with SHA-256 sums of all of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from typing import Any, BinaryIO

from minitorch_np.saving.errors import ModelFileError
from minitorch_np.saving.opening import opened

SUMS = "sha256.json"
LARGEST_DESCRIPTION = 4_000_000
_MOST_FILES = 10_000
_ENTRY_BYTES = 500  # of the zip's directory, for one file
_DISTRUST = "Do not trust this file"


def pack(files: dict[str, bytes], largest_description: int = LARGEST_DESCRIPTION) -> bytes:
    """The files as one zip, with their sums.

    Raises:
        ValueError: more, or larger descriptions, than unpack takes.
    """
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files = {**files, SUMS: as_json(sums)}
    largest = max((len(content), name) for name, content in files.items() if name.endswith(".json"))
    if len(files) > _MOST_FILES or largest[0] > largest_description:
        raise ValueError(
            f"cannot be saved: {len(files)} arrays and descriptions (at most {_MOST_FILES}), the largest description, {largest[1]}, "
            f"of {largest[0]} bytes (at most {largest_description}). Keep numbers in arrays."
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def unpack(
    path: str | os.PathLike[str], largest_description: int = LARGEST_DESCRIPTION, otherwise: str = "Save it again"
) -> tuple[dict[str, bytes], bool]:
    """The files inside, those in folders left out, and whether there were sums, which then all agree; `otherwise` is what to do if the
    file is none of this kind.

    Raises:
        ModelFileError: no such file, no zip, something that expands or is not what was saved.
    """
    with opened(path) as file:
        if _directory_bytes(file) > _MOST_FILES * _ENTRY_BYTES:
            raise ModelFileError(path, "it holds more files than a model has", _DISTRUST)
        if not zipfile.is_zipfile(file):
            raise ModelFileError(path, "it is another kind of file, or not a whole one", otherwise)
        with zipfile.ZipFile(file) as archive:
            _check(archive.infolist(), os.fstat(file.fileno()).st_size, path, largest_description)
            # Reading a file whole compares its CRC-32.
            files = {name: archive.read(name) for name in archive.namelist() if "/" not in name}
    return files, _agree(files, path)


def _directory_bytes(file: BinaryIO) -> int:
    """The size of the zip's directory, all of which ZipFile reads before anything in it can be judged; 0 if there is no zip."""
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    return end[5] if end else 0


def _check(entries: list[zipfile.ZipInfo], size: int, path: str | os.PathLike[str], largest_description: int) -> None:
    """That each entry is a plain file under a plain name, stored as it is, and all together no more than there are bytes."""
    if len({entry.filename for entry in entries}) != len(entries) or len(entries) > _MOST_FILES:
        raise ModelFileError(path, "it holds a file twice, or more files than a model has", _DISTRUST)
    if sum(entry.compress_size for entry in entries) > size:
        raise ModelFileError(path, "its files declare more than is stored", _DISTRUST)
    for entry in entries:
        name = entry.filename
        if ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name:
            raise ModelFileError(path, f"{name!r} inside would lie outside", _DISTRUST)
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelFileError(path, f"{name} inside is no plain file", _DISTRUST)
        if name.endswith(".json") and entry.file_size > largest_description:
            raise ModelFileError(path, f"{name} is larger than any description", _DISTRUST)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            what = f"{name} unpacks to {entry.file_size} bytes; a model's files are stored as they are"
            raise ModelFileError(path, what, "Save it again with this package or with Keras")


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


def parse(
    content: bytes, path: str | os.PathLike[str], largest_description: int = LARGEST_DESCRIPTION
) -> dict[str, Any]:
    """The dictionary that a description holds."""
    if len(content) > largest_description:
        raise ModelFileError(path, f"a description inside has {len(content)} bytes", _DISTRUST)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = f"a description inside is no JSON ({type(error).__name__})"
        raise ModelFileError(path, what, "Save it again") from None
    if not isinstance(data, dict):
        raise ModelFileError(path, "a description inside is no dictionary", "Save it again")
    return data

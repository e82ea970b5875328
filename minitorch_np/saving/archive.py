"""The archive in which models and checkpoints are saved: an uncompressed zip of named files, with a SHA-256 sum of each."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import struct
import zipfile
from typing import Any, BinaryIO

from minitorch_np.saving.errors import DISTRUST, FileProblem

SUMS = "sha256.json"
LARGEST_DESCRIPTION = 4_000_000
_MOST_FILES = 10_000
_ENTRY_BYTES = 500  # in the zip's directory, for one file
# What is at the end of a zip: the end record of zip64 and its locator, if it has them, and the end record (APPNOTE.TXT 4.3.14-16).
_ENDS = struct.Struct("<4s36xQ8x" + "4s4xQ4x" + "4s8xI4xH")


def pack(files: dict[str, bytes], largest_description: int = LARGEST_DESCRIPTION) -> bytes:
    """The files as one zip, with their sums.

    Raises:
        ValueError: there are more files, or larger descriptions, than unpack accepts.
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
    file: BinaryIO, kind: str, remedy: str, largest_description: int = LARGEST_DESCRIPTION
) -> tuple[dict[str, bytes], bool]:
    """The files inside, without those in folders, and whether there were sums; if there were, they all agree.

    Args:
        kind, remedy: what the file should be and what to do if it is something else, for the message.

    Raises:
        FileProblem: it is not a whole zip, it is compressed, or it is not what was saved.
    """
    if _directory_bytes(file, kind, remedy) > _MOST_FILES * _ENTRY_BYTES:
        raise FileProblem("it holds more files than a model has", DISTRUST)
    with zipfile.ZipFile(file) as archive:
        _check(archive.infolist(), os.fstat(file.fileno()).st_size, largest_description)
        # Reading a whole file compares its CRC-32.
        files = {name: archive.read(name) for name in archive.namelist() if "/" not in name}
    return files, _agree(files)


def _directory_bytes(file: BinaryIO, kind: str, remedy: str) -> int:
    """The size of the zip's directory. ZipFile reads the whole directory before anything in it can be checked."""
    begin = file.seek(0, os.SEEK_END) - _ENDS.size
    file.seek(max(0, begin))
    signature64, size64, locator, place64, signature, size, comment = _ENDS.unpack(file.read().rjust(_ENDS.size, b"\0"))
    is_64 = locator == b"PK\6\7"
    if signature != b"PK\5\6" or comment or (is_64 and (signature64, place64) != (b"PK\6\6", begin)):
        raise FileProblem(f"it is not {kind}", remedy)
    return size64 if is_64 else size


def _check(entries: list[zipfile.ZipInfo], size: int, largest_description: int) -> None:
    """Raise unless each entry is an uncompressed file with a plain name, and the entries are not larger than the zip."""
    if len({entry.filename for entry in entries}) != len(entries) or len(entries) > _MOST_FILES:
        raise FileProblem("it holds a file twice, or more files than a model has", DISTRUST)
    if sum(entry.compress_size for entry in entries) > size:
        raise FileProblem("the sizes of its entries exceed the file's size", DISTRUST)
    for entry in entries:
        name = entry.filename
        if ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name:
            raise FileProblem(f"the entry {name!r} would be unpacked outside", DISTRUST)
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise FileProblem(f"the entry {name} is not an ordinary file", DISTRUST)
        if name.endswith(".json") and entry.file_size > largest_description:
            raise FileProblem(f"{name} is larger than any description", DISTRUST)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            what = f"{name} unpacks to {entry.file_size} bytes; the files of a model are not compressed"
            raise FileProblem(what, "Save it again with this package or with Keras")


def _agree(files: dict[str, bytes]) -> bool:
    """Whether there are sums, which are taken out of the files. Raise if one of them differs."""
    if SUMS not in files:
        return False
    sums = parse(files.pop(SUMS))
    for name in sorted({*files, *sums}):
        if name not in files or sums.get(name) != hashlib.sha256(files[name]).hexdigest():
            raise FileProblem(f"{name} is not what was saved (its SHA-256 differs)", "Copy or save the file again")
    return True


def as_json(data: Any) -> bytes:
    return json.dumps(data).encode()  # in the order of the dictionaries: the inputs of a Graph have one


def parse(content: bytes, largest_description: int = LARGEST_DESCRIPTION) -> dict[str, Any]:
    """The dictionary that a description holds."""
    if len(content) > largest_description:
        raise FileProblem(f"a description inside has {len(content)} bytes", DISTRUST)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"a description inside is not JSON ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise FileProblem("a description inside is not a dictionary")
    return data

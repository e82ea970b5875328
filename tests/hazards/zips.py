"""What may be wrong with a zip."""

import io
import struct
import warnings
import zipfile

import sandbox

from hazards.forging import ARCHIVES, case, files


def packed(entries, bad):
    """entries: (ZipInfo or name, content)."""
    with zipfile.ZipFile(bad, "w") as file:
        for name, content in entries:
            file.writestr(name, content)


@case(*ARCHIVES, "checkpoint", message="would be unpacked outside", **files)
def a_name_outside(files):
    return {**files, "../../evil.py": b"x"}


@case(*ARCHIVES, message="would be unpacked outside", **files)
def an_absolute_name(files):
    return {**files, "/etc/evil": b"x"}


@case(*ARCHIVES, message="would be unpacked outside", **files)
def a_name_outside_on_windows(files):
    return {**files, "..\\evil.py": b"x"}


@case(*ARCHIVES, message="is not an ordinary file")
def a_symbolic_link(good, bad):
    link = zipfile.ZipInfo("assets")
    link.external_attr = 0o120777 << 16
    packed([*sandbox.read_zip(good).items(), (link, b"/etc/passwd")], bad)


@case(*ARCHIVES, message="a file twice")
def a_file_twice(good, bad):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed([*sandbox.read_zip(good).items(), ("config.json", b"{}")], bad)


@case(*ARCHIVES)
def an_encrypted_member(good, bad):
    content = bytearray(good.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.find(signature) + offset] |= 1
    bad.write_bytes(content)


@case(*ARCHIVES, message="are not compressed")
def compressed_members(good, bad):
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in sandbox.read_zip(good).items():
            file.writestr(name, content)


@case(*ARCHIVES, message="larger than any description|unpacks to")
def a_zip_bomb(good, bad):
    with zipfile.ZipFile(bad, "w") as file:
        for name, content in sandbox.read_zip(good).items():
            if name == "config.json":
                file.writestr(name, b" " * 100_000_000, zipfile.ZIP_DEFLATED)
            else:
                file.writestr(name, content)


@case(*ARCHIVES, message="are not compressed")
def a_zip_bomb_that_declares_little(good, bad):
    a_zip_bomb(good, bad)
    content = bytearray(bad.read_bytes())
    place = content.rfind(b"config.json") - 46
    content[place + 24 : place + 28] = struct.pack("<I", 1000)
    bad.write_bytes(content)


@case(*ARCHIVES)
def sizes_that_differ_between_header_and_directory(good, bad):
    content = bytearray(good.read_bytes())
    place = content.rfind(b"model.weights.h5") - 46
    content[place + 20 : place + 28] = struct.pack("<II", 1000, 1000)
    bad.write_bytes(content)


@case(*ARCHIVES, message="exceed the file's size")
def sizes_of_gigabytes(good, bad):
    content = bytearray(good.read_bytes())
    place = content.rfind(b"model.weights.h5") - 46
    content[place + 20 : place + 28] = struct.pack("<II", 1 << 31, 1 << 31)
    bad.write_bytes(content)


@case(*ARCHIVES, message="exceed the file's size")
def sizes_of_exabytes_in_zip64(good, bad):
    extra = struct.pack("<HHQQ", 1, 16, 1 << 60, 1 << 60)
    content = bytearray(good.read_bytes())
    place = content.rfind(b"model.weights.h5") - 46
    content[place + 20 : place + 28] = b"\xff" * 8
    content[place + 30 : place + 32] = struct.pack("<H", len(extra))
    after = place + 46 + len(b"model.weights.h5")
    content[after:after] = extra
    end = content.rfind(b"PK\5\6")
    (size,) = struct.unpack_from("<I", content, end + 12)
    content[end + 12 : end + 16] = struct.pack("<I", size + len(extra))
    bad.write_bytes(content)


@case(*ARCHIVES, message="exceed the file's size|Overlapped")
def members_that_overlap(good, bad):
    """A thousand entries of the directory for the same megabyte."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for name, content in sandbox.read_zip(good).items():
            file.writestr(name, content)
        file.writestr("0000", bytes(1_000_000))
        info = file.getinfo("0000")
        for number in range(1, 1000):
            other = zipfile.ZipInfo(f"{number:04}")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(other, name, getattr(info, name))
            file.filelist.append(other)
    bad.write_bytes(memory.getvalue())


@case("ours.keras", message="more files than a model has")
def two_hundred_thousand_members(good, bad):
    with zipfile.ZipFile(bad, "w") as file:
        for name, content in sandbox.read_zip(good).items():
            file.writestr(name, content)
        info = file.getinfo("config.json")
        for number in range(200_000):
            other = zipfile.ZipInfo(f"{number}")
            other.CRC = other.compress_size = other.file_size = 0
            other.header_offset = info.header_offset
            file.filelist.append(other)


@case("ours.keras", message="check sums are missing")
def no_sums(good, bad):
    packed([(n, c) for n, c in sandbox.read_zip(good).items() if n != "sha256.json"], bad)


@case("checkpoint", message="it is not a checkpoint")
def a_checkpoint_without_sums(good, bad):
    no_sums(good, bad)


@case("checkpoint", message="it is not a checkpoint")
def a_model_for_a_checkpoint(good, bad):
    bad.write_bytes(good.with_name("ours.keras").read_bytes())


@case(*ARCHIVES, message="there is no model.weights.h5", **files)
def an_archive_without_weights(files):
    return {name: content for name, content in files.items() if name != "model.weights.h5"}

"""No file, or none of these kinds, or one that is damaged as a whole."""

import fcntl
import os

import sandbox

from hazards.forging import HDF5, case, description


@case(*sandbox.KINDS)
def empty(good, bad):
    bad.write_bytes(b"")


@case(*sandbox.KINDS)
def a_web_page(good, bad):
    bad.write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20)


@case(*HDF5, message="there is no such file")  # a run whose checkpoint is not there begins
def a_missing_path(good, bad):
    pass


@case(*HDF5, message="it is a folder")
def a_folder(good, bad):
    bad.mkdir()


@case(*sandbox.KINDS)
def cut_in_half(good, bad):
    bad.write_bytes(good.read_bytes()[: good.stat().st_size // 2])


@case(*sandbox.KINDS)
def a_hole_of_four_tebibytes(good, bad):
    bad.write_bytes(good.read_bytes()[:600])
    os.truncate(bad, 1 << 42)


@case(*HDF5, message="there is no such file")
def a_pipe(good, bad):
    os.mkfifo(bad)


@case(*sandbox.KINDS, message="another process is writing")
def locked_by_another_process(good, bad):
    bad.write_bytes(good.read_bytes())
    LOCKED.append(open(bad, "rb"))  # noqa: SIM115 held until the module's tests are over
    fcntl.flock(LOCKED[-1], fcntl.LOCK_EX)


LOCKED = []


@case("ours.keras", message="its format is 9, this version reads 1", **description)
@case("checkpoint", message="its format is 9, this version reads 2", **description)
def a_future_format(described):
    described["format"] = 9


@case("ours.weights.h5", message="its format is 2, this version reads 1")
def a_future_format_of_weights(good, bad):
    bad.write_bytes(good.read_bytes().replace(b"format 1", b"format 2", 1))


@case("ours.keras", "ours.weights.h5", "theirs.keras", "checkpoint")
def one_flipped_bit(good, bad):
    content = bytearray(good.read_bytes())
    content[content.find(b"HDF\r\n") + 3000 if b"HDF\r\n" in content else len(content) // 2] ^= 1
    bad.write_bytes(content)

"""Forged HDF5 files: addresses swapped with each other, and set to places that lead round in a circle. Each file is refused, or gives what
it gave before: no hang, no crash, no other numbers.

A forger may sign a file again, so the sums of this package's files are made right again, and the checksums of HDF5's newer forms as
well. One thing no walk can see: two addresses of a kind that change places, such as those of two arrays of one size. Where that is what
was done, other numbers are counted, and allowed.

    python tests/test_forged.py 2000 500 [kind ...]
"""

import hashlib
import io
import json
import struct
import zipfile
from collections import Counter

import numpy as np
import pytest
import sandbox

from minitorch_np.base.hdf5 import walk
from minitorch_np.base.hdf5.storage import SIGNATURE, Storage
from minitorch_np.saving import weights

MODELS = ("ours.keras", "theirs.keras", "ours.weights.h5", "theirs.weights.h5", "theirs.h5")
WEIGHTS = "model.weights.h5"
UNDEFINED = b"\xff" * 8
AT_THE_END = (b"OHDR", b"OCHK", b"BTHD", b"FRHP", b"FHIB", b"FAHD", b"FADB", b"EAHD", b"EAIB", b"EASB", b"EADB")


def inside(kind, path):
    """The HDF5 part of a file."""
    if kind.endswith(".keras"):
        return sandbox.read_zip(path)[WEIGHTS]
    return path.read_bytes()[512 if kind == "ours.weights.h5" else 0 :]


def write(kind, good, bad, content):
    """The good file with another HDF5 part, signed again."""
    if kind.endswith(".keras"):
        files = {**sandbox.read_zip(good), WEIGHTS: content}
        if files.pop("sha256.json", None):
            sums = {name: hashlib.sha256(part).hexdigest() for name, part in files.items()}
            files["sha256.json"] = json.dumps(sums).encode()
        with zipfile.ZipFile(bad, "w") as archive:
            for name, part in files.items():
                archive.writestr(name, part)
        return
    if kind == "ours.weights.h5":
        content = (weights._HEAD + hashlib.sha256(content).hexdigest().encode()).ljust(512, b"\n") + content
    bad.write_bytes(content)


class Forger:
    """Knows every address in a file, and where the address is stored."""

    def __init__(self, content):
        self.content = content
        storage = Storage(io.BytesIO(content))
        walk._Walk(storage, None).run()
        self.pieces = dict(storage.claimed)
        for starts, ends in storage.chunks:
            self.pieces.update(zip(starts.tolist(), ends.tolist(), strict=True))
        known = {struct.pack("<Q", start) for start in self.pieces if start} | {UNDEFINED}
        raw = {start for start in self.pieces if self.kind(start) == "numbers"}
        self.slots = []  # places of addresses, and the piece in which each is
        for start, end in self.pieces.items():
            if start not in raw:
                places = [place for place in range(start, end - 7) if content[place : place + 8] in known]
                self.slots += [(place, start) for place in places if place - 1 not in places[-1:]]
        self.addresses = sorted(self.pieces)

    def kind(self, address):
        """What is at an address: a signature, an object header of the older form, or numbers."""
        first = self.content[address : address + 8]
        if first[:4].isalpha() and first[:4].isupper():
            return first[:4]
        if first[:1] == b"\1" and address % 8 == 0 and self.pieces.get(address, 0) - address >= 40 and first[1] == 0:
            return "header"
        return "numbers"

    def at(self, place):
        return struct.unpack_from("<Q", self.content, place)[0]

    def swap(self, rng):
        """Two addresses change places; whether they are of a kind."""
        one = two = self.slots[0]
        while self.at(one[0]) == self.at(two[0]):
            one, two = (self.slots[int(number)] for number in rng.choice(len(self.slots), 2, replace=False))
        changed = bytearray(self.content)
        changed[one[0] : one[0] + 8], changed[two[0] : two[0] + 8] = (self.content[p : p + 8] for p in (two[0], one[0]))
        first, second = self.at(one[0]), self.at(two[0])
        twins = first in self.pieces and second in self.pieces and self.kind(first) == self.kind(second)
        return self.signed(changed, {one[1], two[1]}), twins

    def redirections(self):
        """Every address set to what is near it: the piece it is in, what leads there, a neighbour, the superblock, nothing."""
        parents = {self.at(place): start for place, start in self.slots}
        for place, start in self.slots:
            beside = self.addresses[(self.addresses.index(start) + 1) % len(self.addresses)]
            for target in {start, parents.get(start, 0), beside, 0, (1 << 64) - 1} - {self.at(place)}:
                changed = bytearray(self.content)
                struct.pack_into("<Q", changed, place, target)
                yield self.signed(changed, {start})

    def signed(self, changed, starts):
        """The content with the checksums of some pieces made right again."""
        for start in starts:
            end, signature = self.pieces[start], bytes(changed[start : start + 4])
            if start == 0 and changed[8] >= 2:
                end = 48
            elif signature in (b"BTLF", b"BTIN"):  # which come before the end
                end = self.end_of_node(start, end)
            elif signature not in AT_THE_END:
                continue
            struct.pack_into("<I", changed, end - 4, lookup3(bytes(changed[start : end - 4])))
        return bytes(changed)

    def end_of_node(self, start, end):
        last = start + len(self.content[start:end].rstrip(b"\0"))
        for place in range(last, min(last + 4, end + 1)):
            if lookup3(self.content[start : place - 4]) == struct.unpack_from("<I", self.content, place - 4)[0]:
                return place
        return end


def lookup3(data):
    """Bob Jenkins's hash, with which HDF5's newer forms guard their metadata."""
    mask = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask

    def turned(value, by):
        return ((value << by) | (value >> (32 - by))) & mask

    while len(data) > 12:
        one, two, three = struct.unpack_from("<III", data)
        data = data[12:]
        a, b, c = (a + one) & mask, (b + two) & mask, (c + three) & mask
        a = (a - c & mask) ^ turned(c, 4)
        c = c + b & mask
        b = (b - a & mask) ^ turned(a, 6)
        a = a + c & mask
        c = (c - b & mask) ^ turned(b, 8)
        b = b + a & mask
        a = (a - c & mask) ^ turned(c, 16)
        c = c + b & mask
        b = (b - a & mask) ^ turned(a, 19)
        a = a + c & mask
        c = (c - b & mask) ^ turned(b, 4)
        b = b + a & mask
    if not data:
        return c
    one, two, three = struct.unpack("<III", data.ljust(12, b"\0"))
    a, b, c = (a + one) & mask, (b + two) & mask, (c + three) & mask
    c = (c ^ b) - turned(b, 14) & mask
    a = (a ^ c) - turned(c, 11) & mask
    b = (b ^ a) - turned(a, 25) & mask
    c = (c ^ b) - turned(b, 16) & mask
    a = (a ^ c) - turned(c, 4) & mask
    b = (b ^ a) - turned(a, 14) & mask
    return (c ^ b) - turned(b, 24) & mask


def results(good, bad, kind, swaps, circles, seed=0):
    """How many forged files of a kind came out in which way: so many with swapped addresses, and so many of the circles."""
    rng, forger = np.random.default_rng(seed), Forger(inside(kind, good / kind))
    forged = [forger.swap(rng) for _ in range(swaps)]
    every = list(forger.redirections())
    chosen = rng.permutation(len(every))[:circles] if circles is not None else range(len(every))
    forged += [(every[number], False) for number in chosen]
    jobs = []
    for number, (content, _) in enumerate(forged):
        jobs.append((kind, bad / f"{number}.{kind}"))
        write(kind, good / kind, jobs[-1][1], content)
    due, *outcomes = sandbox.outcomes([(kind, good / kind), *jobs])
    if due["result"] != "taken":
        raise RuntimeError(due)
    found, examples = Counter(), {}
    for (_, twins), outcome, job in zip(forged, outcomes, jobs, strict=True):
        other = outcome["result"] == "taken" and outcome["detail"] != due["detail"]
        slow = outcome["seconds"] > 2 or outcome["memory"] > 200
        result = "slow or large" if slow else outcome["result"]
        if other and not slow:
            result = "twins changed places" if twins else "other numbers"
        found[result] += 1
        examples.setdefault(result, (job[1].name, outcome))
    return found, examples


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    sandbox.make(folder)
    sandbox.make_data(folder)
    return folder


@pytest.mark.parametrize("kind", [*MODELS, *sandbox.DATA])
def test_forged_addresses_are_refused_or_change_nothing(good, tmp_path, kind):
    found, examples = results(good, tmp_path, kind, 20, 20)
    assert set(found) <= {"refused", "taken", "twins changed places"}, examples
    assert found["refused"] > 20


def test_the_checksum_is_that_of_hdf5(good):
    content = (good / "newest.h5").read_bytes()
    assert content.startswith(SIGNATURE)
    assert lookup3(content[:44]) == struct.unpack_from("<I", content, 44)[0]


if __name__ == "__main__":
    import sys
    from pathlib import Path
    from tempfile import TemporaryDirectory

    for kind in sys.argv[3:] or [*MODELS, *sandbox.DATA]:
        with TemporaryDirectory() as folder:
            good, bad = Path(folder) / "good", Path(folder) / "bad"
            good.mkdir()
            bad.mkdir()
            sandbox.make(good)
            sandbox.make_data(good)
            found, examples = results(good, bad, kind, int(sys.argv[1]), int(sys.argv[2]), seed=1)
            print(kind, dict(found), flush=True)
            for result, (name, outcome) in examples.items():
                if result not in ("refused", "taken", "twins changed places"):
                    print("   ", result, name, outcome, flush=True)

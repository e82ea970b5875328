"""Saving that survives: kills, full disks and second writers leave the old file or a whole new one."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.saving import atomic

PROGRAM = """
import sys
import minitorch_np as mt

model = mt.Sequential([mt.Input((200,)), mt.Dense(100)])
number = first = int(sys.argv[2])
print("ready", flush=True)
while True:
    model.set_weights([[[number] * 100] * 200, [number] * 100])
    model.save(sys.argv[1])
    number = first + (number + 1 - first) % 10
"""


def network(value):
    model = mt.Sequential([mt.Input((200,)), mt.Dense(100)])
    model.set_weights([np.full((200, 100), value), np.full(100, value)])
    return model


def number_in(path):
    """The one number that all weights are: a mixture of two files would have two."""
    (number,) = {float(value) for weight in mt.load_model(path).get_weights() for value in np.unique(weight)}
    return number


def saving(path, first):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, path, str(first)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def end(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def kill_over_and_over(path, rng, kills):
    network(0).save(path)
    for _ in range(kills):
        process = saving(path, 0)
        time.sleep(rng.uniform(0, 0.05))
        end(process)
        assert 0 <= number_in(path) < 10


def two_write_and_one_reads(path, seconds):
    network(0).save(path)
    writers = [saving(path, 0), saving(path, 100)]
    found, stop = [], time.monotonic() + seconds
    while time.monotonic() < stop:
        found.append(number_in(path))
    for writer in writers:
        assert writer.poll() is None, "a writer failed"
        end(writer)
    return found


def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path):
    kill_over_and_over(tmp_path / "m.keras", np.random.default_rng(0), 6)


def test_with_two_writers_at_once_every_file_read_is_whole(tmp_path):
    found = two_write_and_one_reads(tmp_path / "m.keras", 1.5)
    assert {number >= 100 for number in found} == {True, False}


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    save = network(1).save if name == "m.keras" else network(1).save_weights
    save(path)
    before, limit = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))  # a file cannot grow beyond
    try:
        with pytest.raises(OSError, match="File too large"):
            save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed_when_it_is_old(tmp_path):
    young, old, other = (tmp_path / name for name in (".m.keras.1.saving", ".m.keras.2.saving", ".n.keras.3.saving"))
    for left in (young, old, other):
        left.write_bytes(b"half")
    for left in (old, other):
        os.utime(left, (0, 0))
    network(1).save(tmp_path / "m.keras")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "m.keras", young, other])


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    atomic.write(tmp_path / "ours", b"")
    (tmp_path / "any").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


WRITERS = {
    "checkpoint": lambda path: {"resume": path},
    "whole model": lambda path: {"callbacks": [mt.callbacks.ModelCheckpoint(f"{path}.keras")]},
    "every epoch": lambda path: {"callbacks": [mt.callbacks.ModelCheckpoint(f"{path}-{{epoch:02d}}.weights.h5")]},
    "log": lambda path: {"callbacks": [mt.callbacks.CSVLogger(path)]},
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_cannot_be_written_is_said_before_training(tmp_path, writer, monkeypatch):
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    before = model.get_weights()
    x = np.ones((3, 2))
    with pytest.raises(FileNotFoundError, match=r"the folder .*none does not exist\. Create it first"):
        model.fit(x, x[:, 0], **WRITERS[writer](tmp_path / "none" / "m"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="cannot be written to"):
        model.fit(x, x[:, 0], **WRITERS[writer](tmp_path / "m"))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_said_before_training(tmp_path):
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss())
    with pytest.raises(IsADirectoryError, match="is a folder"):
        model.fit(np.ones((3, 2)), np.ones(3), resume=tmp_path)
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        model.save(tmp_path / "m.keras")


def test_a_name_that_is_not_measured_is_said(tmp_path):
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss())
    keep = mt.callbacks.ModelCheckpoint(tmp_path / "{val_loss:.2f}.keras")
    with pytest.raises(ValueError, match=r"filepath names 'val_loss', which is not measured; there is epoch, loss"):
        model.fit(np.ones((3, 2)), np.ones(3), callbacks=[keep])


if __name__ == "__main__":
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        kill_over_and_over(Path(folder) / "m.keras", np.random.default_rng(1), int(sys.argv[1]))
        left = len(list(Path(folder).iterdir())) - 1
        print(f"{sys.argv[1]} kills while saving: every file whole, {left} temporary files left to be swept")
        found = two_write_and_one_reads(Path(folder) / "n.keras", float(sys.argv[2]))
        print(f"{len(found)} files read beside two writers: every one whole, {len(set(found))} different ones")

"""Where and how files are written: kills, full disks and second writers leave the old file or a whole new one."""

import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import callbacks, datasets, tuning
from minitorch_np.base.files import write_whole

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
    found, start = [], time.monotonic()
    while (waited := time.monotonic() - start) < seconds or (waited < 30 and len({n >= 100 for n in found}) < 2):
        found.append(number_in(path))  # on a busy machine it takes a while until both have written
    for writer in writers:
        assert writer.poll() is None, "a writer failed"
        end(writer)
    return found


def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path):
    kill_over_and_over(tmp_path / "m.keras", np.random.default_rng(0), 6)


def test_with_two_writers_at_once_every_file_read_is_whole(tmp_path):
    found = two_write_and_one_reads(tmp_path / "m.keras", 1.5)
    assert {number >= 100 for number in found} == {True, False}


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "h.csv", "h.json"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    history = mt.History(loss=list(np.random.default_rng(0).random(3000)))
    save = {
        "m.keras": network(1).save,
        "m.weights.h5": network(1).save_weights,
        "h.csv": history.to_csv,
        "h.json": history.to_json,
    }[name]
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
    write_whole(tmp_path / "ours", b"")
    (tmp_path / "any").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


WRITERS = {
    "checkpoint": lambda path: {"resume": path},
    "whole model": lambda path: {"callbacks": [mt.callbacks.ModelCheckpoint(f"{path}.keras")]},
    "every epoch": lambda path: {"callbacks": [mt.callbacks.ModelCheckpoint(f"{path}-{{epoch:02d}}.weights.h5")]},
    "log": lambda path: {"callbacks": [mt.callbacks.CSVLogger(path)]},
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_cannot_be_written_is_reported_before_training(tmp_path, writer, monkeypatch):
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


def test_a_folder_in_the_place_of_the_file_is_reported_before_training(tmp_path):
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss())
    with pytest.raises(IsADirectoryError, match="is a folder"):
        model.fit(np.ones((3, 2)), np.ones(3), resume=tmp_path)
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        model.save(tmp_path / "m.keras")


def test_a_name_that_is_not_measured_is_reported(tmp_path):
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss())
    keep = mt.callbacks.ModelCheckpoint(tmp_path / "{val_loss:.2f}.keras")
    with pytest.raises(ValueError, match=r"filepath names 'val_loss', which is not measured; there is epoch, loss"):
        model.fit(np.ones((3, 2)), np.ones(3), callbacks=[keep])


# Where it is written

FORMS = {
    "str": str,
    "bytes": lambda path: os.fsencode(path),
    "pathlib": Path,
    "a PathLike of bytes": lambda path: OfBytes(os.fsencode(path)),
}


class OfBytes(os.PathLike):
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


def small():
    return mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.1), mt.MSELoss())


X = np.random.default_rng(3).normal(size=(8, 2))
Y = X[:, 0]

# Each writes to a path and reads what it wrote, if it is read again.
USES = {
    "m.keras": lambda path: (small().save(path), mt.load_model(path)),
    "m.weights.h5": lambda path: (small().save_weights(path), small().load_weights(path)),
    "run": lambda path: [small().fit(X, Y, epochs=n, resume=path) for n in (1, 2)],
    "kept.keras": lambda path: small().fit(X, Y, callbacks=[callbacks.ModelCheckpoint(path)]),
    "log.csv": lambda path: small().fit(X, Y, callbacks=[callbacks.CSVLogger(path)]),
    "history.csv": lambda path: small().fit(X, Y).to_csv(path),
    "history.json": lambda path: small().fit(X, Y).to_json(path),
    "table.json": lambda path: [
        tuning.search(built, {"rate": [0.1]}, X, Y > 0, method="grid", folds=2, table=path, workers=1) for _ in range(2)
    ],
    "result.csv": lambda path: tuning.search(
        built, {"rate": [0.1]}, X, Y > 0, method="grid", folds=2, workers=1
    ).to_csv(path),
    "data.h5": lambda path: (write_hdf5(path), datasets.HDF5Dataset(path), datasets.load_hdf5(path)),
    "picture.png": lambda path: (write_picture(path), datasets.load_image(path, (2, 2, 1))),
    "events": lambda path: small().fit(X, Y, log_dir=path),
    "pictures": lambda path: (write_pictures(path), datasets.ImageFolder(path, (2, 2, 1))),
}


def built(rate, rng=0):
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1), mt.Sigmoid()], rng=rng)
    return model.compile(mt.SGD(rate), mt.BCELoss(), ["accuracy"])


def write_hdf5(path):
    with h5py.File(os.path.expanduser(os.fsdecode(path)), "w") as file:
        file["train_set_x"], file["train_set_y"] = X, (Y > 0).astype(int)


def write_picture(path):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    image.new("L", (2, 2)).save(os.path.expanduser(os.fsdecode(path)))


def write_pictures(path):
    (Path(os.path.expanduser(os.fsdecode(path))) / "a").mkdir(parents=True)
    write_picture(os.path.join(os.path.expanduser(os.fsdecode(path)), "a", "1.png"))


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("form", FORMS)
def test_a_path_may_be_given_in_any_form(tmp_path, name, form):
    if name == "events":
        pytest.importorskip("tensorboardX", reason="needs tensorboardX: pip install 'minitorch-np[tensorboard]'")
    USES[name](FORMS[form](tmp_path / name))
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", USES)
def test_a_leading_tilde_is_the_home_folder(tmp_path, monkeypatch, name):
    if name == "events":
        pytest.importorskip("tensorboardX", reason="needs tensorboardX: pip install 'minitorch-np[tensorboard]'")
    monkeypatch.setenv("HOME", str(tmp_path))
    USES[name](f"~/{name}")
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("path", [3, None, io.BytesIO(), "", "a\0b.keras", ["m.keras"]])
def test_what_is_no_path_is_refused_by_name(path):
    with pytest.raises(ValueError, match=r"load_model: path is (a str, bytes or pathlib\.Path|the name of a file)"):
        mt.load_model(path)
    with pytest.raises(ValueError, match=r"Sequential\.save: path is "):
        small().save(path)


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "runs").mkdir()
    real, inner, link = tmp_path / "runs" / "7.keras", tmp_path / "inner.keras", tmp_path / "latest.keras"
    inner.symlink_to(os.path.join("runs", "7.keras"))
    link.symlink_to(inner.name)
    for number in (1, 2):  # the first time the link leads to nothing yet
        network(number).save(link)
        assert link.is_symlink()
        assert inner.is_symlink()
        assert number_in(real) == number_in(link) == number


def test_an_earlier_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "m.keras"
    for mode in (0o600, 0o640, 0o666, 0o755):
        path.touch()
        path.chmod(mode)
        network(1).save(path)
        assert path.stat().st_mode & 0o7777 == mode


def test_an_earlier_file_keeps_its_owner(tmp_path):
    path = tmp_path / "m.keras"
    path.touch()
    try:
        os.chown(path, 12345, 23456)
    except PermissionError:
        pytest.skip("only the administrator gives files to others")
    network(1).save(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_names_as_long_as_the_system_allows_are_written(tmp_path, letter):
    stem = letter * ((255 - len(".keras")) // len(letter.encode()))
    model = small()
    model.fit(X, Y, callbacks=[callbacks.ModelCheckpoint(tmp_path / f"{stem}.keras")], resume=tmp_path / (stem + "12"))
    assert len(list(tmp_path.iterdir())) == 2
    mt.load_model(tmp_path / f"{stem}.keras")


def test_a_missing_folder_is_reported_by_each_writer(tmp_path):
    for write in (mt.History(loss=[1.0]).to_csv, mt.History(loss=[1.0]).to_json, small().save):
        with pytest.raises(FileNotFoundError, match=rf"{write.__name__}: the folder .*none does not exist"):
            write(tmp_path / "none" / "m.keras")


def test_devices_pipes_and_loops_of_links_are_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "loop.keras").symlink_to("loop.keras")
    (tmp_path / "out.keras").symlink_to("/dev/stdout")
    for name in ("pipe.keras", "loop.keras", "out.keras"):
        with pytest.raises(ValueError, match=rf"save: .*{name}.* is not an ordinary file"):
            small().save(tmp_path / name)
    history = small().fit(X, Y)
    for place in ("/dev/stdout", "/dev/null", "/proc/self/fd/1"):
        with pytest.raises(ValueError, match=rf"{place}.* is not an ordinary file"):
            history.to_csv(place)


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        kill_over_and_over(Path(folder) / "m.keras", np.random.default_rng(1), int(sys.argv[1]))
        left = len(list(Path(folder).iterdir())) - 1
        print(f"{sys.argv[1]} kills while saving: every file whole, {left} temporary files left to be swept")
        found = two_write_and_one_reads(Path(folder) / "n.keras", float(sys.argv[2]))
        print(f"{len(found)} files read beside two writers: every one whole, {len(set(found))} different ones")

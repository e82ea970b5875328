"""Programs that leave batches in the middle end at once, and leave neither threads nor open files.

    python tests/test_exit.py 200

runs so many programs, a few at a time, and prints how long the slowest took after its last line.
"""

import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.datasets import HDF5Dataset, ImageFolder
from minitorch_np.source.background import in_background

BEGIN = """
import atexit, os, pathlib, sys, threading, time
import h5py, numpy as np, minitorch_np as mt
from h5py._objects import phil
from minitorch_np.datasets import HDF5Dataset, ImageFolder

folder = pathlib.Path(sys.argv[1])
data = HDF5Dataset(folder / "data.h5", block_bytes=400)
read = h5py.Dataset.read_direct


def slowly(*arguments):  # as a slow disk, with HDF5's lock held
    with phil:
        time.sleep(0.3)
        return read(*arguments)


def network(*layers):
    model = mt.Sequential([mt.Input((10,)), *layers, mt.Dense(1)], rng=0)
    return model.compile(mt.SGD(0.01), mt.MSELoss())


h5py.Dataset.read_direct = slowly
"""
END = "\nprint('done', flush=True)\n"
PROGRAMS = {
    "an iterator that is open": "batches = data.batches(8); next(batches); time.sleep(0.1)",
    "an iterator that was closed": "batches = data.batches(8); next(batches); batches.close()",
    "an iterator that was dropped": "batches = data.batches(8); next(batches); del batches",
    "an iterator in a circle": "circle = [data.batches(8)]; circle.append(circle); next(circle[0]); del circle",
    "a loop that was left": "for batch in data.batches(8, np.random.default_rng(0)): break",
    "an iterator that never began": "batches = data.batches(8)",
    "an iterator in a thread": """
def go():
    global batches
    batches = data.batches(8)
    next(batches)
thread = threading.Thread(target=go); thread.start(); thread.join()
""",
    "pictures": "batches = ImageFolder(folder / 'pictures', (8, 8, 1)).batches(4); next(batches)",
    "fit that a callback ends": """
class Breaks(mt.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise OSError("the callback fails")
try:
    network().fit(data, batch_size=8, callbacks=[Breaks()])
except OSError as error:
    kept = error
""",
    "fit with validation that a callback ends": """
class Breaks(mt.Callback):
    def on_test_batch_end(self, batch, logs=None):
        raise OSError("the callback fails")
try:
    network().fit(data, validation_data=data, callbacks=[Breaks()])
except OSError as error:
    kept = error
""",
    "an error that ends the program": """
batches = data.batches(8); next(batches)
print('done', flush=True); sys.stderr = open(os.devnull, "w"); raise OSError
""",
    "sys.exit": "batches = data.batches(8); next(batches); print('done', flush=True); sys.exit(0)",
    "reading at exit": """
model = network(); model.parameters()
atexit.register(lambda: print(len(model.predict(data, batch_size=30)), flush=True))
""",
    "a thread that continues after the main one": """
model = network(); model.parameters()
def go():
    time.sleep(0.2)
    assert len(model.predict(data, batch_size=30)) == 60
    print('done', flush=True)
threading.Thread(target=go).start()
""",
    "a fork": """
batches = data.batches(8); next(batches)
child = os.fork()
if not child:
    del batches
    sys.exit(len(list(data.batches(20))) != 3)
assert os.waitpid(child, 0)[1] == 0
""",
    "a fork that continues": """
batches = data.batches(8); next(batches)
child = os.fork()
if not child:
    try:
        list(batches)
    except RuntimeError as error:
        sys.exit("fork" not in str(error))
    sys.exit(1)
assert os.waitpid(child, 0)[1] == 0
""",
}

READ_ALL = ("reading at exit", "a thread that continues after the main one")
FEW = ("an iterator that is open", "pictures", "fit with validation that a callback ends", "a fork", *READ_ALL)


def prepare(folder):
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("train_set_x", data=np.zeros((60, 10), "f4"), chunks=(5, 10))
        file["train_set_y"] = np.arange(60) % 2
    image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install 'minitorch-np[image]'")
    for name in "ab":
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(20):
            image.new("L", (200, 200)).save(folder / "pictures" / name / f"{number}.png")


def seconds_to_end(program, folder):
    """How long after its last line a program ends."""
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + program + END, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed = process.stdout.readline()
    start = time.monotonic()
    try:
        _, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert printed, errors
    assert "Exception ignored" not in errors, errors
    return time.monotonic() - start


@pytest.mark.skipif(not hasattr(os, "fork"), reason="one of the programs forks")
@pytest.mark.parametrize("name", FEW)
def test_a_program_that_leaves_batches_ends(tmp_path, name):
    prepare(tmp_path)
    # Reading at exit, and a thread that continues, read all of the file: 12 chunks of 0.3 seconds.
    most = 15 if name in READ_ALL else 4
    assert seconds_to_end(PROGRAMS[name], tmp_path) < most


def open_files(folder):
    descriptors = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.readlink(place) for place in descriptors if os.path.islink(place) and str(folder) in os.readlink(place)]


def dropped(data):
    batches = data.batches(4)
    next(batches)


def closed(data):
    batches = data.batches(4)
    next(batches)
    batches.close()


def in_a_circle(data):
    circle = [data.batches(4)]
    circle.append(circle)
    next(circle[0])


def left_by_an_error(data):
    class Breaks(mt.Callback):
        def on_train_batch_end(self, batch, logs):
            raise OSError("the callback fails")

    model = mt.Sequential([mt.Input(data.shape), mt.Flatten(), mt.Dense(1)], rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    with pytest.raises(OSError, match="the callback fails") as caught:
        model.fit(data, batch_size=4, callbacks=[Breaks()])
    assert not readers()  # though the error still holds what it went through
    assert caught


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith(("reader", "pictures"))]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files under /proc")
@pytest.mark.filterwarnings("ignore:.* is stored in chunks of 5 examples")
@pytest.mark.parametrize("kind", ["file", "pictures"])
@pytest.mark.parametrize("leave", [dropped, closed, in_a_circle, left_by_an_error])
def test_batches_that_are_left_leave_no_thread_and_no_file(tmp_path, kind, leave):
    prepare(tmp_path)
    data = HDF5Dataset(tmp_path / "data.h5", block_bytes=400)
    if kind == "pictures":
        data = ImageFolder(tmp_path / "pictures", (8, 8, 1))
    for _ in range(3):
        leave(data)
    gc.collect()
    assert not readers()
    assert not open_files(tmp_path)


def test_leaving_does_not_wait_for_a_lock_that_the_caller_holds():
    lock, started = threading.Lock(), threading.Event()

    def items():
        yield 1
        started.set()
        with lock:
            yield 2

    with lock:
        batches = in_background(items())
        assert next(batches) == 1
        started.wait(5)
        start = time.monotonic()
        batches.close()
        assert time.monotonic() - start < 5


def main(programs):
    import pathlib
    import tempfile

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        prepare(pathlib.Path(folder))
        names = [name for name in PROGRAMS if name not in READ_ALL]
        chosen = [names[number % len(names)] for number in range(programs)]
        took = list(pool.map(lambda name: seconds_to_end(PROGRAMS[name], folder), chosen))
    slowest = max(range(programs), key=took.__getitem__)
    print(f"{programs} programs ended; the slowest {took[slowest]:.2f} s after its last line ({chosen[slowest]})")


if __name__ == "__main__":
    main(int(sys.argv[1]))

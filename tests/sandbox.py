"""Files opened in processes of their own: what becomes of each, in what time and memory. And good files of every kind."""

import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import warnings
import zipfile

import numpy as np

import minitorch_np as mt

KINDS = ("ours.keras", "theirs.keras", "ours.weights.h5", "theirs.weights.h5", "theirs.h5", "checkpoint")
DATA = ("one_piece.h5", "chunks.h5", "many.h5", "newest.h5", "growing.h5")
SECONDS = 10  # after which a process is ended


def data():
    x = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int)


def network(rng=7):
    layers = [mt.Input((4,)), mt.Dense(3), mt.ReLU(), mt.Dense(1), mt.Sigmoid()]
    return mt.Sequential(layers, rng=rng).compile(mt.SGD(0.1, momentum=0.9), mt.BCELoss(), metrics=["accuracy"])


def make(folder):
    """A good file of every kind, of one network after the same steps."""
    import h5py

    x, y = data()
    model = network()
    model.fit(x, y, epochs=2, batch_size=10, resume=folder / "checkpoint")
    model.save(folder / "ours.keras")
    model.save_weights(folder / "ours.weights.h5")
    (folder / "theirs.weights.h5").write_bytes((folder / "ours.weights.h5").read_bytes()[512:])
    with zipfile.ZipFile(folder / "ours.keras") as ours, zipfile.ZipFile(folder / "theirs.keras", "w") as theirs:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            theirs.writestr(name, ours.read(name))
        described = json.loads(ours.read("config.json"))
    with h5py.File(folder / "theirs.h5", "w") as file:
        file.attrs["keras_version"] = "3.0.0"
        file.attrs["model_config"] = json.dumps(described)
        file.attrs["training_config"] = json.dumps(
            {"loss": "binary_crossentropy", "metrics": [], "optimizer_config": described["compile_config"]["optimizer"]}
        )
        group = file.create_group("model_weights")
        layers = [layer for layer in model.layers if not isinstance(layer, mt.Input)]
        names = [f"{type(layer).__name__.lower()}_{number}" for number, layer in enumerate(layers)]
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name, layer in zip(names, layers, strict=True):
            below = group.create_group(name)
            own = layer.own_parameters()
            below.attrs["weight_names"] = [f"sequential/{name}/{key}".encode() for key in own]
            for key, parameter in own.items():
                below[f"sequential/{name}/{key}"] = parameter.value
    return model


def make_data(folder):
    """A good data file of every kind: in one piece, in compressed chunks, among many others, and in HDF5's newest forms."""
    import h5py

    x = np.random.default_rng(0).integers(0, 256, (90, 4, 3), np.uint8)
    y = np.arange(90) % 2
    settings = {
        "one_piece.h5": {},
        "chunks.h5": {"chunks": (1, 4, 3), "compression": "gzip"},
        "many.h5": {"chunks": (2, 3, 3)},
        "newest.h5": {"chunks": (1, 4, 3), "compression": "gzip"},
        "growing.h5": {"chunks": (1, 4, 3), "maxshape": (None, 4, 3)},
    }
    for kind, how in settings.items():
        newest = kind in ("newest.h5", "growing.h5")
        with h5py.File(folder / kind, "w", libver="latest" if newest else "earliest") as file:
            file.create_dataset("train_set_x", data=x, **how)
            file["train_set_y"], file["list_classes"] = y, ["cat", "dog"]
            if kind != "one_piece.h5":
                file.create_dataset("test_set_x", data=x[::-1], **({**how, "maxshape": (None,) * 3} if newest else how))
                file["test_set_y"] = y[::-1]
            for number in range(300 if kind in ("many.h5", "newest.h5") else 0):
                file[f"others/{number}"] = np.arange(number)


def open_file(kind, path):
    """The weights that a file gives, or the data."""
    if kind in DATA:
        found = [np.concatenate(part) for part in zip(*mt.datasets.HDF5Dataset(path).batches(16), strict=True)]
        return found + [np.array(part) for part in mt.datasets.load_hdf5(path)]
    if kind.endswith("weights.h5"):
        model = network(8)
        model.load_weights(path)
        return model.get_weights()
    if kind == "checkpoint":
        model = network()
        model.fit(*data(), epochs=2, batch_size=10, resume=path, progress=False)
        return model.get_weights()
    return mt.load_model(path).get_weights()


def digest(weights):
    return hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()


def outcomes(jobs):
    """What becomes of each (kind, path): result ("taken", "refused", or what else), digest or message, seconds, and
    megabytes above those before: resident, and reserved.
    """
    text = json.dumps([(kind, str(path)) for kind, path in jobs])
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__], input=text, capture_output=True, text=True, check=True, env=environment
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _serve():
    import pathlib
    import tempfile

    jobs = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:  # whatever is imported when first used is imported now
        make(pathlib.Path(folder))
        for kind in KINDS:
            open_file(kind, pathlib.Path(folder) / kind)
        make_data(pathlib.Path(folder))
        for kind in DATA:
            open_file(kind, pathlib.Path(folder) / kind)
    for kind, path in jobs:
        print(json.dumps(_watched(kind, path)), flush=True)


def _watched(kind, path):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.write(writing, json.dumps(_outcome(kind, path)).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    _, status, used = os.wait4(child, 0)
    report = json.loads(text) if text else {"result": f"died of signal {status & 127}", "detail": "", "memory": 0}
    return {**report, "seconds": used.ru_utime + used.ru_stime}


def _outcome(kind, path):
    before = _memory()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message=".*number of BLAS threads")  # which this program chooses itself
        try:
            result, detail = "taken", digest(open_file(kind, path))
        except mt.ModelFileError as error:
            result, detail = "refused", f"{error.what}. {error.remedy}"
        except ValueError as error:  # of data
            result, detail = "refused" if kind in DATA else "raised ValueError", str(error)[:500]
        except BaseException as error:
            result, detail = f"raised {type(error).__name__}", str(error)[:500]
    memory = max(after - ago for after, ago in zip(_memory(), before, strict=True))
    return {"result": result, "detail": detail, "memory": memory, "warned": [str(w.message) for w in warned]}


def _memory():
    """The most megabytes that were resident, and that were reserved."""
    with open("/proc/self/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return [int(fields[name].split()[0]) / 1000 for name in ("VmHWM", "VmPeak")]


def read_zip(path):
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


if __name__ == "__main__":
    _serve()

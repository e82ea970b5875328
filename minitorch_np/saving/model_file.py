"""`.keras` files: a model whole, in a file that Keras opens too.

A stored zip of `metadata.json`, `config.json` and `model.weights.h5`, as Keras writes it, and of `minitorch_np.json`,
which Keras does not look at: the objects in this package's own words, the class names, and SHA-256 sums of everything.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.configurable import Configurable
from minitorch_np.losses import Loss
from minitorch_np.optimizers import SGD, Optimizer
from minitorch_np.saving import atomic, keras_config, weights
from minitorch_np.saving.errors import ModelFileError
from minitorch_np.saving.objects import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
_OURS = "minitorch_np.json"
_WEIGHTS = "model.weights.h5"
_JSON_BYTES = 16_000_000
_LARGEST_INPUT = 100_000_000
_NO_SIZES = ("shared_object_id", "seed")  # large numbers that Keras writes and that nothing is made of
_AGAIN = "Save the model again"
_DISTRUST = "Do not trust this file"


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write architecture, weights, optimiser with its state, loss, metrics and class names.

    Raises:
        ValueError: the path does not end in .keras, or something in the model cannot be saved; it names it.
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f"{type(model).__name__}.save: path ends in .keras, got {os.fspath(path)!r}.")
    memory = io.BytesIO()
    weights.write_values(model, memory)
    _write_optimizer(model, memory)
    files = {_WEIGHTS: memory.getvalue()}
    foreign = keras_config.without_twin(model)
    described: dict[str, Any] = {"class_name": type(model).__name__, "config": {}}
    if not foreign:
        described = keras_config.to_keras(model)
    described["compile_config"] = None if foreign else keras_config.compile_config(model)
    files["config.json"] = _json(described)
    files["metadata.json"] = _json({"keras_version": "3.0.0", "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")})
    own: dict[str, Any] = {
        "format": FORMAT,
        "model": encode(model, type(model).__name__),
        "input_shape": list(model.input_shape or ()),
        "compile": _compiled(model),
        "class_names": [str(name) for name in getattr(model, "class_names", None) or []],
        "iteration": getattr(getattr(model, "optimizer", None), "iteration", 0),
        "not_in_keras": sorted(set(foreign)),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    own["sha256"] = {**own["sha256"], _OURS: _sum_of(own)}
    files[_OURS] = _json(own)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in ("metadata.json", "config.json", _WEIGHTS, _OURS):
            archive.writestr(name, files[name])
    atomic.write(path, packed.getvalue())


def load_model(path: str | os.PathLike[str], *, allow_nan: bool = False) -> Any:
    """The model of a `.keras` file, compiled as it was saved; files of Keras's own are opened where the layers exist here.

    Args:
        allow_nan: take weights that are not finite.

    Raises:
        ModelFileError: whatever is wrong with the file, with the remedy. Nothing in it is imported or run.
    """
    files = _unpack(path)
    own = _parse(files[_OURS], path) if _OURS in files else None
    model: Any
    try:
        if own is None:
            model = _from_keras(files, path)
        else:
            _verify(own, files, path)
            _refuse_giants(own["model"], len(files[_WEIGHTS]))
            model = decode(own["model"])
            kind: Any = Configurable.registry["Model"]
            if not isinstance(model, kind):
                raise ValueError(f"it holds a {type(model).__name__}, which is no model")
            if own["input_shape"] and not model.built:
                model.initialize(tuple(own["input_shape"]))
        model.require_built("load_model")
    except ModelFileError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, MemoryError) as error:
        raise ModelFileError(path, str(error) or type(error).__name__, "Save the model with this version") from None
    model.set_weights(weights.read_values(model, io.BytesIO(files[_WEIGHTS]), path, allow_nan=allow_nan))
    if own is not None:
        _restore(model, own, files[_WEIGHTS], path)
    return model


def _from_keras(files: dict[str, bytes], path: str | os.PathLike[str]) -> Any:
    if "config.json" not in files:
        raise ModelFileError(path, "there is no config.json inside", _AGAIN)
    described = _parse(files["config.json"], path)
    _refuse_giants(described, len(files[_WEIGHTS]))
    model = keras_config.from_keras(described)
    warnings.warn(f"{path}: written by Keras, without check sums; compile the model before training it.", stacklevel=3)
    return model


def _restore(model: Any, own: dict[str, Any], content: bytes, path: str | os.PathLike[str]) -> None:
    if own.get("class_names"):
        model.class_names = list(map(str, own["class_names"]))
    if own.get("compile") is None:
        return
    try:
        optimizer, loss, metrics = (decode(own["compile"][name]) for name in ("optimizer", "loss", "metrics"))
        if not isinstance(optimizer, Optimizer) or not isinstance(loss, Loss):
            raise ValueError("its optimizer or loss is none")
        model.compile(optimizer, loss, metrics)
        optimizer.iteration = int(own["iteration"])
        optimizer.state = _read_optimizer(model, content, path)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(path, str(error), _AGAIN) from None


# The optimiser's state: for this package under its own group, to the bit; for Keras as it keeps it


def _write_optimizer(model: Any, memory: io.BytesIO) -> None:
    import h5py

    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return
    with h5py.File(memory, "r+") as file:
        for name, state in optimizer.state.items():
            for key, array in state.items():
                file[f"minitorch_np/{name}/{key}"] = array
        if not isinstance(optimizer, SGD) or callable(optimizer.learning_rate):
            return
        file["optimizer/vars/0"] = np.int32(optimizer.iteration)
        file["optimizer/vars/1"] = np.float32(optimizer.learning_rate)
        if not optimizer.momentum:
            return
        trainable = [(name, p) for name, p in model.parameters().items() if p.trainable]
        for number, (name, parameter) in enumerate(trainable, start=2):
            velocity = optimizer.state.get(name, {}).get("velocity", np.zeros_like(parameter.value))
            file[f"optimizer/vars/{number}"] = -float(optimizer.learning_rate) * velocity


def _read_optimizer(model: Any, content: bytes, path: str | os.PathLike[str]) -> dict[str, dict[str, NDArray]]:
    import h5py

    state: dict[str, dict[str, NDArray]] = {}
    with h5py.File(io.BytesIO(content), "r") as file:
        for name, parameter in model.parameters().items():
            group = file.get(f"minitorch_np/{name}")
            for key in group if isinstance(group, h5py.Group) else ():
                dataset = weights.plain_dataset(file, f"minitorch_np/{name}/{key}", path)
                if dataset is None or dataset.shape != parameter.shape:
                    raise ModelFileError(path, f"the optimizer's {key} of {name} does not fit", _AGAIN)
                state.setdefault(name, {})[key] = dataset[()]
    return state


def _compiled(model: Any) -> dict[str, Any] | None:
    if "loss" not in vars(model):
        return None
    return {name: encode(getattr(model, name), f"compile, {name}") for name in ("optimizer", "loss", "metrics")}


# The archive


def _unpack(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """The files inside, each no larger than what is stored allows."""
    if not Path(path).is_file():
        what = "it is a folder" if Path(path).is_dir() else "there is no such file"
        raise ModelFileError(path, what, "Give the path of a .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            known = {"metadata.json", "config.json", _WEIGHTS, _OURS}
            entries = [entry for entry in archive.infolist() if entry.filename in known]
            if len(archive.infolist()) > 100 or len({entry.filename for entry in entries}) != len(entries):
                raise ModelFileError(path, "it holds more files than a model has", _DISTRUST)
            for entry in entries:
                if entry.filename.endswith(".json") and entry.file_size > _JSON_BYTES:
                    raise ModelFileError(path, f"{entry.filename} is larger than any description", _DISTRUST)
                if entry.file_size > 20 * max(entry.compress_size, 1000):
                    raise ModelFileError(path, f"{entry.filename} unpacks to {entry.file_size} bytes", _DISTRUST)
            files = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(path, f"not a readable .keras file ({error})", _AGAIN) from None
    if _WEIGHTS not in files:
        raise ModelFileError(path, f"there is no {_WEIGHTS} inside", _AGAIN)
    return files


def _verify(own: Any, files: dict[str, bytes], path: str | os.PathLike[str]) -> None:
    if not isinstance(own, dict) or not isinstance(own.get("format"), int):
        raise ModelFileError(path, f"{_OURS} says no format", _AGAIN)
    if own["format"] > FORMAT:
        raise ModelFileError(
            path, f"its format is {own['format']}, this version reads {FORMAT}", "Install a newer minitorch-np"
        )
    sums = own.get("sha256")
    if not isinstance(sums, dict):
        raise ModelFileError(path, "its check sums are missing", _DISTRUST)
    for name in files:
        expected = _sum_of(own) if name == _OURS else hashlib.sha256(files[name]).hexdigest()
        if sums.get(name) != expected:
            raise ModelFileError(
                path, f"{name} is not what was saved (its SHA-256 differs)", "Copy or save the file again"
            )


def _sum_of(own: dict[str, Any]) -> str:
    sums = {name: value for name, value in own["sha256"].items() if name != _OURS}
    return hashlib.sha256(_json({**own, "sha256": sums})).hexdigest()


def _json(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True).encode()


def _parse(content: bytes, path: str | os.PathLike[str]) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(path, f"a description inside is no JSON ({type(error).__name__})", _AGAIN) from None


def _refuse_giants(described: Any, stored: int) -> None:
    """Sizes that the stored weights cannot fill are refused before anything is made of them."""
    for item in _walk(described):
        if isinstance(item, (int, float)) and not isinstance(item, bool) and not abs(item) <= max(1_000_000, stored):
            raise ValueError(f"it speaks of {item}, which the weights inside cannot fill")
        sizes = isinstance(item, list) and all(isinstance(size, int) or size is None for size in item)
        if sizes and math.prod(size or 1 for size in item) > _LARGEST_INPUT:
            raise ValueError(f"it speaks of a shape {item}, which is too large")


def _walk(data: Any) -> Iterator[Any]:
    pending = [data]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, dict):
            pending += [value for key, value in item.items() if key not in _NO_SIZES]
        elif isinstance(item, list):
            pending += item

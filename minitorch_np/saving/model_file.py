"""`.keras` files: a model whole, in a file that Keras opens too.

A stored zip of `metadata.json`, `config.json` and `model.weights.h5`, as Keras writes it, and of two files that Keras does
not look at: `minitorch_np.json`, the objects in this package's own words, and `sha256.json`, the sums of everything.
"""

from __future__ import annotations

import io
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.base.allocation import room_for
from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.base.files import AnyPath, as_path, check_writable, write_whole
from minitorch_np.losses import Loss
from minitorch_np.metrics.finding import of_model
from minitorch_np.optimizers import Optimizer
from minitorch_np.saving import (
    archive,
    functions,
    hdf5,
    keras_config,
    keras_graph,
    keras_training,
    legacy,
    limits,
    optimizer_state,
    weights,
)
from minitorch_np.saving.errors import ModelFileError, warn_unsummed
from minitorch_np.saving.objects import decode, encode
from minitorch_np.saving.opening import opened
from minitorch_np.saving.own_state import warn_of_own_state
from minitorch_np.training.input_range import InputRange

FORMAT = 1
_OURS = "minitorch_np.json"
_THEIRS = "config.json"
_WEIGHTS = "model.weights.h5"
_AGAIN = "Save the model again"


def save_model(model: Any, path: AnyPath, *, include_optimizer: bool = True, warned: set[str] | None = None) -> None:
    """Write architecture, weights, optimiser with its state, loss, metrics, class names and what the data were like.

    Args:
        include_optimizer: False leaves out the optimiser's state and its count of steps, so that training begins anew.
        warned: warnings that were given already and are not given again; new ones are added.

    Warns of what Keras does not have, and of functions, such as a metric, which no file holds and which are left out.

    Raises:
        ValueError: the path does not end in .keras, or something in the model cannot be saved; it names it.
    """
    path = as_path(path, f"{type(model).__name__}.save")
    if path.suffix != ".keras":
        raise ValueError(f"{type(model).__name__}.save: path ends in .keras, got {str(path)!r}.")
    check_writable(path, f"{type(model).__name__}.save")
    warn_of_own_state(model, path)
    memory = io.BytesIO()
    weights.write_values(model, memory)
    optimizer, left_out = functions.optimizer_for_file(model)
    if include_optimizer:
        optimizer_state.write(model, optimizer, memory)
    notes: list[str] = []
    foreign = sorted(set(keras_config.without_twin(model)))
    if foreign:
        described: dict[str, Any] = {"class_name": type(model).__name__, "config": {}}
        built_in = all(is_built_in(type(layer)) for _, layer in model.walk())
        where = "" if built_in else ", where the classes that are not of this package are defined or imported"
        notes.append(f"Keras has no {', '.join(foreign)}, so it will not open this file; mt.load_model does{where}.")
    else:
        described = keras_graph.to_keras(model)
        in_part = keras_config.frozen_in_part(model)
        if in_part:
            notes.append(
                f"Keras freezes whole layers, and not {', '.join(in_part)} in part, so it will open this file "
                "uncompiled, and learn what is frozen; mt.load_model opens it as it is."
            )
        elif include_optimizer and model.loss is not None:
            described["compile_config"] = keras_training.compile_config(model, optimizer, notes)
    instead, of_layers = functions.in_layers(model)
    compiled, of_training = functions.compiled(model, optimizer)
    notes += [f"left out is what no file holds: {note}." for note in of_layers + left_out + of_training]
    _warn(path, notes, set() if warned is None else warned)
    own = {
        "format": FORMAT,
        "model": _within_limits(
            model, lambda: limits.checked(encode(model, type(model).__name__, instead), len(memory.getvalue()))
        ),
        "input_shape": list(model.input_shape or ()),
        "compile": _within_limits(model, lambda: limits.counted(compiled)),
        "class_names": _class_names(model),
        "seen": model.input_range.ranges if model.input_range else [],
        "iteration": getattr(getattr(model, "optimizer", None), "iteration", 0) if include_optimizer else 0,
        "not_in_keras": foreign,
        "frozen": [name for name, parameter in model.parameters().items() if parameter.frozen],
    }
    metadata = {"keras_version": "3.0.0", "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
    files = {"metadata.json": archive.as_json(metadata), _THEIRS: archive.as_json(described)}
    write_whole(path, archive.pack({**files, _WEIGHTS: memory.getvalue(), _OURS: archive.as_json(own)}))


def _warn(path: Path, notes: list[str], warned: set[str]) -> None:
    for note in notes:
        if note not in warned:
            warned.add(note)
            warnings.warn(f"{path}: {note}", stacklevel=caller())


def _within_limits(model: Any, describe: Callable[[], Any]) -> Any:
    """A description, unless load_model would refuse it."""
    try:
        return describe()
    except ValueError as error:
        raise ValueError(f"{type(model).__name__}.save: {error}. save_weights keeps the weights alone.") from None


@answers_foreign_arguments
def load_model(path: AnyPath, *, allow_nan: bool = False) -> Any:
    """The model of a `.keras` file, compiled as it was saved. Keras's own files, `.keras` and the older `.h5`, are opened where
    the layers exist here; they have no SHA-256, which is said in a warning.

    Args:
        allow_nan: take weights, and state of the optimiser, that are not finite.

    Raises:
        ModelFileError: whatever is wrong with the file, with the remedy. Nothing in it is imported or run.
    """
    path = as_path(path, "load_model")
    with opened(path) as file:
        if hdf5.is_hdf5(file):
            with room_for(os.fstat(file.fileno()).st_size):
                model = legacy.load(file, path, limits.checked, allow_nan=allow_nan)
            guard = "a number that was damaged would go unseen"
        elif not zipfile.is_zipfile(file):
            what = "it is neither HDF5 nor a whole zip, one of which every model file is"
            raise ModelFileError(path, what, "Copy, download or save it again")
        else:
            model, guard = _of_archive(path, allow_nan)
    if guard:
        warn_unsummed(path, guard)
    return model


def _of_archive(path: str | os.PathLike[str], allow_nan: bool) -> tuple[Any, str]:
    """The model of a .keras file, and what guards its numbers if there are no SHA-256 sums."""
    files, summed = archive.unpack(path)
    for name in (_WEIGHTS, _THEIRS):
        if name not in files:
            raise ModelFileError(path, f"there is no {name} inside", _AGAIN)
    if _OURS in files and not summed:
        raise ModelFileError(path, "its check sums are missing", "Do not trust this file")
    with room_for(len(files[_WEIGHTS])):
        model = _of_ours(files, path, allow_nan) if _OURS in files else _of_keras(files, path, allow_nan)
    return model, "" if summed else "only the CRC-32 of the zip guards its numbers"


def _of_ours(files: dict[str, bytes], path: str | os.PathLike[str], allow_nan: bool) -> Any:
    own = archive.parse(files[_OURS], path)
    if own["format"] != FORMAT:
        what = f"its format is {own['format']!r}, this version reads {FORMAT}"
        raise ModelFileError(path, what, "Install a newer minitorch-np")
    limits.counted({name: value for name, value in own.items() if name != "model"})
    model = decode(limits.checked(own["model"], len(files[_WEIGHTS])))
    kind: Any = Configurable.registry["Model"]
    if not isinstance(model, kind):
        raise ValueError(f"it holds a {type(model).__name__}, which is no model")
    if own["input_shape"] and not model.built:
        model.initialize(tuple(limits.checked(own["input_shape"], len(files[_WEIGHTS]))))
    _fill(model, files[_WEIGHTS], path, allow_nan)
    _freeze(model, _names(own.get("frozen", []), "frozen parameters"))
    model.class_names = _names(own["class_names"], "class_names") or None
    model.input_range = InputRange(_ranges(own["seen"])) if own["seen"] else None
    if own["compile"] is not None:
        compiled = {**own["compile"], "metrics": [_without_old_defaults(m) for m in own["compile"]["metrics"]]}
        optimizer, loss, metrics = (decode(compiled[name]) for name in ("optimizer", "loss", "metrics"))
        if not isinstance(optimizer, Optimizer) or not isinstance(loss, Loss):
            raise ValueError("its optimizer or loss is none")
        if "learning_rate" in own["compile"]:
            optimizer.learning_rate = optimizer.checked_rate(own["compile"]["learning_rate"])
        model.compile(optimizer, loss, metrics)
        of_model(model)
        optimizer.iteration = limits.iteration(own["iteration"])
        optimizer.state = optimizer_state.read(model, files[_WEIGHTS], path, allow_nan=allow_nan)
    return model


def _of_keras(files: dict[str, bytes], path: str | os.PathLike[str], allow_nan: bool) -> Any:
    described = archive.parse(files[_THEIRS], path)
    training = limits.counted(described.pop("compile_config", None))
    model = keras_config.from_keras(limits.checked(described, len(files[_WEIGHTS])))
    keras_training.warn_of_precision(model, described, path)
    _fill(model, files[_WEIGHTS], path, allow_nan)
    if keras_training.compiled(model, training, path):
        optimizer_state.read_keras(model, files[_WEIGHTS], path, allow_nan=allow_nan)
    return model


def _fill(model: Any, content: bytes, path: str | os.PathLike[str], allow_nan: bool) -> None:
    model.require_built("load_model")
    keras_config.freeze(model)
    model.set_weights(weights.read_values(model, io.BytesIO(content), path, allow_nan=allow_nan))


def _class_names(model: Any) -> list[str]:
    """The names as strings, which HDF5 and NumPy hold as bytes."""
    given = [] if model.class_names is None else model.class_names
    items = given.tolist() if isinstance(given, np.ndarray) else given
    listed = isinstance(items, Sequence) and not isinstance(items, (str, bytes))
    names = [item.decode(errors="replace") if isinstance(item, bytes) else item for item in items] if listed else []
    if not listed or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"{type(model).__name__}.save: class_names are strings or bytes, one for each class and no two the same, got "
            f"{given!r:.200}. Write model.class_names = ['cat', 'dog']."
        )
    return names


def _without_old_defaults(metric: Any) -> Any:
    """A described metric. Earlier versions wrote these defaults into the file, where today None asks the loss."""
    old = metric.get("config") if isinstance(metric, dict) else None
    by_class = ("BinaryAccuracy", "BalancedAccuracy", "Precision", "Recall", "F1Score")
    if old in ({"threshold": 0.5}, {"threshold": 0.5, "binary": False}) and metric.get("class") in by_class:
        return {**metric, "config": {}}
    return metric


# What the description holds beside objects


def _names(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"its {what} are {value!r}, no list of names")
    return value


def _freeze(model: Any, names: list[str]) -> None:
    parameters = model.parameters()
    for name in names:
        if name not in parameters:
            raise ValueError(f"it freezes {name}, which the model does not have")
        parameters[name].trainable = False


def _ranges(value: Any) -> list[list[float]]:
    found = np.array(value)
    if found.shape != (3, 2) or found.dtype.kind not in "if" or not np.isfinite(found).all():
        raise ValueError(f"what it says of the data seen is {value!r}, no three ranges")
    return found.astype(float).tolist()

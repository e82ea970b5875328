"""`.keras` files: a whole model, in a file that Keras opens too.

The file is an uncompressed zip. It holds `metadata.json`, `config.json` and `model.weights.h5`, as Keras writes them, and two
files that Keras ignores: `minitorch_np.json`, the model as this package describes it, and `sha256.json`, the sums of all files.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.allocation import limit_allocation
from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.base.files import AnyPath, as_path, check_writable, write_whole
from minitorch_np.losses import Loss
from minitorch_np.metrics import BinaryAccuracy, FromCounts
from minitorch_np.metrics.finding import of_model
from minitorch_np.optimizers import Optimizer
from minitorch_np.saving import (
    archive,
    hdf5,
    keras_functional,
    keras_graph,
    keras_layers,
    keras_training,
    legacy,
    optimizer_state,
    weights,
)
from minitorch_np.saving.errors import DISTRUST, FileProblem, not_saved, warn
from minitorch_np.saving.functions import (
    LastRate,
    check_names,
    checked_functions,
    compiled_for_file,
    compiled_from_file,
    for_file,
    left_out_of_layers,
    line_to_load,
    optimizer_for_file,
    regularizers_with_functions,
    warn_of_left_out,
)
from minitorch_np.saving.keras_config import frozen_in_part, not_in_keras, without_batch_size
from minitorch_np.saving.limits import check_counts, check_iteration, check_layers
from minitorch_np.saving.objects import Functions, MissingFunction, decode, encode
from minitorch_np.saving.opening import opened
from minitorch_np.saving.own_state import warn_of_own_state
from minitorch_np.training.input_range import InputRange

if TYPE_CHECKING:
    from minitorch_np.model import Model

FORMAT = 1
_OURS = "minitorch_np.json"
_KERAS = "config.json"
_WEIGHTS = "model.weights.h5"


def save_model(model: Model, path: AnyPath, *, include_optimizer: bool = True, warned: set[str] | None = None) -> None:
    """Write architecture, weights, optimiser with its state, loss, metrics, class names and the ranges of the inputs.

    Args:
        include_optimizer: False leaves out the optimiser's state and its count of steps, so that training begins anew.
        warned: warnings that were given already and are not repeated; new ones are added.

    Of functions, such as a metric, the file holds the names. Warns of what Keras does not have, and of functions without a name,
    which are left out.

    Raises:
        ValueError: the path does not end in .keras, or something in the model cannot be saved; it names it.
    """
    path = as_path(path, f"{type(model).__name__}.save")
    if path.suffix != ".keras":
        raise ValueError(
            f"{type(model).__name__}.save: path ends in .keras, got {str(path)!r}. Write {path.stem + '.keras'!r}."
        )
    check_writable(path, f"{type(model).__name__}.save")
    check_names(model)
    warn_of_own_state(model, path)
    memory, graph, notes = io.BytesIO(), keras_graph.steps(model), list[str]()
    kept = weights.places(model, graph)
    weights.write_values(kept, memory)
    optimizer, left_out = optimizer_for_file(model)
    if include_optimizer and optimizer is not None:
        optimizer_state.write(optimizer, kept, memory)
    missing = sorted(set(not_in_keras(model)))
    described: dict[str, Any] = {"class_name": type(model).__name__, "config": {}}
    if missing:
        built_in = all(is_built_in(type(layer)) for _, layer in model.walk())
        where = "" if built_in else ", where the classes that are not of this package are defined or imported"
        notes.append(f"Keras has no {', '.join(missing)}, so it will not open this file; mt.load_model does{where}.")
    else:
        described = keras_graph.to_keras(model)
        notes += [*without_batch_size(model), *keras_graph.lost_masks(graph)]
        in_part = frozen_in_part(model)
        if in_part:
            notes.append(
                f"Keras freezes whole layers, and not {', '.join(in_part)} in part, so it will open this file "
                "uncompiled and without frozen layers; mt.load_model opens it as it is."
            )
        elif any(parameter.factors is not None for parameter in model.parameters().values()):
            notes.append(
                "Keras has no rate or decay of a single parameter, so it will open this file uncompiled; mt.load_model opens it as it is."
            )
        elif include_optimizer and optimizer is not None and model.loss is not None:
            described["compile_config"] = keras_training.compile_config(model, optimizer, notes)
    if not missing and (penalties := regularizers_with_functions(model)):
        notes.append(
            f"Keras has no {', '.join(penalties)}, so it will open this file without; mt.load_model opens it as it is."
        )
    compiled, of_training = compiled_for_file(model, optimizer)
    left_out = left_out_of_layers(model) + left_out + of_training
    notes += [f"functions without a name cannot be saved, so this is left out: {note}." for note in left_out]
    warned = set() if warned is None else warned
    for note in [note for note in dict.fromkeys(notes) if note not in warned]:
        warned.add(note)
        warn(path, note)
    try:
        described_model = check_layers(encode(model, type(model).__name__, for_file), len(memory.getvalue()))
        check_counts(compiled)
    except ValueError as error:  # load_model would refuse the file
        raise not_saved(model, error) from None
    own = {
        "format": FORMAT,
        "model": described_model,
        "input_shape": list(model.input_shape or ()),
        "compile": compiled,
        "class_names": _names_of(model, "class_names"),
        "feature_names": _names_of(model, "feature_names"),
        "seen": model.input_range.ranges if model.input_range else [],
        "iteration": optimizer.iteration if include_optimizer and optimizer is not None else 0,
        "not_in_keras": missing,
        "frozen": [name for name, parameter in model.parameters().items() if parameter.frozen],
        "factors": {name: list(one.factors) for name, one in model.parameters().items() if one.factors is not None},
    }
    metadata = {"keras_version": "3.0.0", "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
    described_files = {"metadata.json": metadata, _KERAS: described, _OURS: own}
    files = {name: archive.as_json(content) for name, content in described_files.items()}
    write_whole(path, archive.pack({**files, _WEIGHTS: memory.getvalue()}))


def _names_of(model: Model, what: str) -> list[str]:
    """The names as strings; HDF5 and NumPy give them as bytes."""
    given: Any = [] if getattr(model, what) is None else getattr(model, what)
    items = given.tolist() if hasattr(given, "tolist") else given
    listed = isinstance(items, Sequence) and not isinstance(items, (str, bytes))
    names = [item.decode(errors="replace") if isinstance(item, bytes) else item for item in items] if listed else []
    if not listed or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"{type(model).__name__}.save: {what} are strings or bytes, no two the same, got {given!r:.200}. Write model.{what} = "
            "['cat', 'dog']."
        )
    return names


@answers_foreign_arguments
def load_model(path: AnyPath, *, functions: Functions | None = None, allow_nan: bool = False) -> Model:
    """The model of a `.keras` file, compiled as it was saved. Keras's own files, `.keras` and the older `.h5`, are opened if
    this package has their layers; a warning says that they have no SHA-256.

    Args:
        functions: the functions that the model was made or trained with, by their names: {"closeness": closeness}. A file holds only
            the names, and a name is looked up here alone. What needs a function that is not here is left out, with a warning.
        allow_nan: accept weights, and state of the optimiser, that are not finite.

    Raises:
        ModelFileError: something is wrong with the file; it says what to do. Nothing in the file is imported or run.
    """
    path, functions = as_path(path, "load_model"), checked_functions(functions)
    with opened(path) as file:
        if hdf5.is_hdf5(file):
            with limit_allocation(os.fstat(file.fileno()).st_size):
                model = legacy.load(file, path, functions, allow_nan=allow_nan)
            checked_by = weights.UNCHECKED
        else:
            files, has_sums = archive.unpack(file, "a complete .keras or HDF5 file", "Copy, download or save it again")
            for name in (_WEIGHTS, _KERAS):
                if name not in files:
                    raise FileProblem(f"there is no {name} inside")
            if _OURS in files and not has_sums:
                raise FileProblem("its check sums are missing", DISTRUST)
            with limit_allocation(len(files[_WEIGHTS])):
                model = (
                    _of_ours(files, path, functions, allow_nan)
                    if _OURS in files
                    else _of_keras(files, path, functions, allow_nan)
                )
            checked_by = "" if has_sums else "only the CRC-32 of the zip checks its numbers"
    if checked_by:
        warn(path, weights.NO_SUMS.format(checked_by))
    return model


def _of_ours(files: dict[str, bytes], path: Path, functions: Functions, allow_nan: bool) -> Model:
    own, size = archive.parse(files[_OURS]), len(files[_WEIGHTS])
    if own["format"] != FORMAT:
        raise FileProblem(
            f"its format is {own['format']!r}, this version reads {FORMAT}", "Install a newer minitorch-np"
        )
    check_counts({name: value for name, value in own.items() if name != "model"})
    needed, left_out = [own["model"], own["compile"]], list[str]()
    try:
        model = decode(check_layers(own["model"], size), functions, left_out)
    except MissingFunction as error:
        raise FileProblem(str(error), f"Write {line_to_load(path, needed)}") from None
    kind: Any = Configurable.registry["Model"]
    if not isinstance(model, kind):
        raise ValueError(f"it holds a {type(model).__name__}, which is not a model")
    if own["input_shape"] and not model.built:
        shape = check_layers(own["input_shape"], size)
        model.initialize(tuple(tuple(part) if isinstance(part, list) else part for part in shape))
    with _filling(model, files, allow_nan) as (reader, kept):
        parameters = model.parameters()
        for name in _names(own.get("frozen", []), "frozen parameters"):
            if name not in parameters:
                raise ValueError(f"it freezes {name}, which the model does not have")
            parameters[name].trainable = False
        for name, (rate, decay) in own.get("factors", {}).items():
            parameters[name].rate, parameters[name].decay = rate, decay
        model.class_names = _names(own["class_names"], "class_names") or None
        model.feature_names = _names(own.get("feature_names", []), "feature_names") or None
        model.input_range = InputRange(_ranges(own["seen"])) if own["seen"] else None
        compiled = own["compile"]
        if compiled is not None:
            metrics = [_without_old_defaults(metric) for metric in compiled["metrics"]]
            optimizer, loss, metrics = compiled_from_file(compiled, metrics, functions, left_out)
            if not isinstance(optimizer, Optimizer) or not isinstance(loss, (Loss, type(None))):
                raise ValueError("its optimizer or loss is something else")
            if not callable(optimizer.learning_rate) and "learning_rate" in compiled:
                optimizer.learning_rate = optimizer.checked_rate(compiled["learning_rate"])
            if loss is None:  # its function was not given
                model.optimizer, model.metrics = optimizer, metrics
            else:
                model.compile(optimizer, loss, metrics)
                of_model(model)
            optimizer.iteration = check_iteration(own["iteration"])
            optimizer.state = optimizer_state.read(optimizer, kept, reader)
            if isinstance(optimizer.learning_rate, LastRate):
                optimizer.learning_rate = optimizer.checked_rate(optimizer.learning_rate.rate)
    warn_of_left_out(path, needed, left_out)
    return model


def _of_keras(files: dict[str, bytes], path: Path, functions: Functions, allow_nan: bool) -> Model:
    described = archive.parse(files[_KERAS])
    training = check_counts(described.pop("compile_config", None))
    model = keras_layers.from_keras(check_layers(described, len(files[_WEIGHTS])))
    keras_training.warn_of_precision(model, described, path)
    with _filling(model, files, allow_nan) as (reader, kept):
        if keras_training.compiled(model, training, path, functions):
            optimizer_state.read_keras(model.optimizer, kept, reader, path)
    keras_graph.warn_of_lost_masks(model, path)
    return model


@contextmanager
def _filling(
    model: Model, files: dict[str, bytes], allow_nan: bool
) -> Iterator[tuple[hdf5.Reader, list[weights.Place]]]:
    """Set the model's weights, and give the open file with the places of the parameters for what else is in it."""
    model.require_built("load_model")
    keras_layers.freeze(model)
    kept = weights.places(model, keras_graph.steps(model))
    with hdf5.reading(io.BytesIO(files[_WEIGHTS]), allow_nan=allow_nan) as reader:
        weights.fill(model, kept, reader)
        keras_functional.forget_file(model)
        yield reader, kept


def _without_old_defaults(metric: Any) -> Any:
    """A described metric without the defaults that earlier versions wrote. Today's default, None, asks the loss."""
    if isinstance(metric, dict) and metric.get("config") in ({"threshold": 0.5}, {"threshold": 0.5, "binary": False}):
        cls = Configurable.registry.get(str(metric.get("class")), object)
        return (
            {**metric, "config": {}} if is_built_in(cls) and issubclass(cls, (BinaryAccuracy, FromCounts)) else metric
        )
    return metric


def _names(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"its {what} are {value!r}, expected a list of names")
    return value


def _ranges(value: Any) -> list[list[float]]:
    found = np.array(value)
    if found.shape != (3, 2) or found.dtype.kind not in "if" or not np.isfinite(found).all():
        raise ValueError(f"its input ranges are {value!r}, expected three ranges")
    return found.astype(float).tolist()

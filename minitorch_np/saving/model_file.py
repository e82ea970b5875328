"""`.keras` files: a model whole, in a file that Keras opens too.

A stored zip of `metadata.json`, `config.json` and `model.weights.h5`, as Keras writes it, and of two files that Keras does
not look at: `minitorch_np.json`, the objects in this package's own words, and `sha256.json`, the sums of everything.
"""

from __future__ import annotations

import io
import math
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minitorch_np.configurable import Configurable
from minitorch_np.losses import Loss
from minitorch_np.optimizers import Optimizer
from minitorch_np.saving import archive, atomic, keras_config, keras_training, legacy, optimizer_state, weights
from minitorch_np.saving.errors import ModelFileError
from minitorch_np.saving.objects import decode, encode
from minitorch_np.training.seen import Seen

FORMAT = 1
_OURS = "minitorch_np.json"
_THEIRS = "config.json"
_WEIGHTS = "model.weights.h5"
_LARGEST_INPUT = 100_000_000
_NO_SIZES = ("shared_object_id", "seed", "seen")  # large numbers that nothing is made of
_AGAIN = "Save the model again"


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write architecture, weights, optimiser with its state, loss, metrics, class names and what the data were like.

    Raises:
        ValueError: the path does not end in .keras, or something in the model cannot be saved; it names it.
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f"{type(model).__name__}.save: path ends in .keras, got {os.fspath(path)!r}.")
    atomic.check_writable(Path(path), f"{type(model).__name__}.save")
    memory = io.BytesIO()
    weights.write_values(model, memory)
    optimizer_state.write(model, memory)
    foreign = sorted(set(keras_config.without_twin(model)))
    if foreign:
        described: dict[str, Any] = {"class_name": type(model).__name__, "config": {}}
        warnings.warn(
            f"{os.fspath(path)}: Keras has no {', '.join(foreign)}, so it will not open this file; mt.load_model does, where "
            f"{'that class is' if len(foreign) == 1 else 'these classes are'} defined or imported.",
            stacklevel=3,
        )
    else:
        described = keras_config.to_keras(model)
        described["compile_config"] = keras_training.compile_config(model)
    own = {
        "format": FORMAT,
        "model": encode(model, type(model).__name__),
        "input_shape": list(model.input_shape or ()),
        "compile": _compiled(model),
        "class_names": [str(name) for name in model.class_names or []],
        "seen": model.seen.ranges if model.seen else [],
        "iteration": getattr(getattr(model, "optimizer", None), "iteration", 0),
        "not_in_keras": foreign,
    }
    metadata = {"keras_version": "3.0.0", "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
    files = {"metadata.json": archive.as_json(metadata), _THEIRS: archive.as_json(described)}
    atomic.write(path, archive.pack({**files, _WEIGHTS: memory.getvalue(), _OURS: archive.as_json(own)}))


def load_model(path: str | os.PathLike[str], *, allow_nan: bool = False) -> Any:
    """The model of a `.keras` file, compiled as it was saved. Keras's own files, `.keras` and the older `.h5`, are opened where
    the layers exist here.

    Args:
        allow_nan: take weights that are not finite.

    Raises:
        ModelFileError: whatever is wrong with the file, with the remedy. Nothing in it is imported or run.
    """
    if legacy.is_hdf5(path):
        return _loaded(path, lambda: legacy.load(path, _checked, allow_nan=allow_nan))
    files, summed = archive.unpack(path)
    for name in (_WEIGHTS, _THEIRS):
        if name not in files:
            raise ModelFileError(path, f"there is no {name} inside", _AGAIN)
    if _OURS in files:
        if not summed:
            raise ModelFileError(path, "its check sums are missing", "Do not trust this file")
        return _loaded(path, lambda: _of_ours(files, path, allow_nan))
    return _loaded(path, lambda: _of_keras(files, path, allow_nan))


def _loaded(path: str | os.PathLike[str], load: Any) -> Any:
    """What load returns; whatever the content of a file may raise becomes a ModelFileError."""
    try:
        return load()
    except ModelFileError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
        MemoryError,
        OSError,
    ) as error:
        raise ModelFileError(path, str(error) or type(error).__name__, "Save the model with this version") from None


def _of_ours(files: dict[str, bytes], path: str | os.PathLike[str], allow_nan: bool) -> Any:
    own = archive.parse(files[_OURS], path)
    if own["format"] != FORMAT:
        what = f"its format is {own['format']!r}, this version reads {FORMAT}"
        raise ModelFileError(path, what, "Install a newer minitorch-np")
    model = decode(_checked(own["model"], len(files[_WEIGHTS])))
    kind: Any = Configurable.registry["Model"]
    if not isinstance(model, kind):
        raise ValueError(f"it holds a {type(model).__name__}, which is no model")
    if own["input_shape"] and not model.built:
        model.initialize(tuple(own["input_shape"]))
    _fill(model, files[_WEIGHTS], path, allow_nan)
    model.class_names = list(map(str, own["class_names"])) or None
    model.seen = Seen([[float(low), float(high)] for low, high in own["seen"]]) if own["seen"] else None
    if own["compile"] is not None:
        optimizer, loss, metrics = (decode(own["compile"][name]) for name in ("optimizer", "loss", "metrics"))
        if not isinstance(optimizer, Optimizer) or not isinstance(loss, Loss):
            raise ValueError("its optimizer or loss is none")
        model.compile(optimizer, loss, metrics)
        optimizer.iteration = int(own["iteration"])
        optimizer.state = optimizer_state.read(model, files[_WEIGHTS], path)
    return model


def _of_keras(files: dict[str, bytes], path: str | os.PathLike[str], allow_nan: bool) -> Any:
    described = _checked(archive.parse(files[_THEIRS], path), len(files[_WEIGHTS]))
    model = keras_config.from_keras(described)
    _fill(model, files[_WEIGHTS], path, allow_nan)
    if keras_training.compiled(model, described.get("compile_config"), path):
        optimizer_state.read_keras(model, files[_WEIGHTS], path)
    return model


def _fill(model: Any, content: bytes, path: str | os.PathLike[str], allow_nan: bool) -> None:
    model.require_built("load_model")
    model.set_weights(weights.read_values(model, io.BytesIO(content), path, allow_nan=allow_nan))


def _compiled(model: Any) -> dict[str, Any] | None:
    if "loss" not in vars(model):
        return None
    return {name: encode(getattr(model, name), f"compile, {name}") for name in ("optimizer", "loss", "metrics")}


def _checked(described: Any, stored: int) -> Any:
    """The description, unless it speaks of sizes that the stored weights cannot fill: they are refused before anything is made."""
    for item in _walk(described):
        if isinstance(item, (int, float)) and not isinstance(item, bool) and not abs(item) <= max(1_000_000, stored):
            raise ValueError(f"it speaks of {item}, which the weights inside cannot fill")
        sizes = isinstance(item, list) and all(isinstance(size, int) or size is None for size in item)
        if sizes and math.prod(size or 1 for size in item) > _LARGEST_INPUT:
            raise ValueError(f"it speaks of a shape {item}, which is too large")
    return described


def _walk(data: Any) -> Iterator[Any]:
    pending = [data]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, dict):
            pending += [value for key, value in item.items() if key not in _NO_SIZES]
        elif isinstance(item, list):
            pending += item

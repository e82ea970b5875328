"""Checkpoint: a run of fit in one file, from which it goes on to the bit."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.saving import archive, atomic
from minitorch_np.saving.errors import ModelFileError

FORMAT = 1
_STATE = "state.json"


class Checkpoint:
    """The file of one run. `begin` says what the run is of; then `read` and `write` carry where it stands.

    Args:
        path: the file. Its folder exists and may be written to.

    Raises:
        FileNotFoundError, PermissionError: now, before training.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            atomic.check_writable(self.path, "fit(resume=…)")
        self.about: dict[str, str] = {}

    def begin(self, model: Any, settings: dict[str, Any]) -> None:
        """Note model, optimiser, loss, data and settings, which the run must have in common with the file's."""
        self.about = {f"layer {name or 'model'}": _outline(layer) for name, layer in model.walk()}
        self.about |= {f"shape of {name}": str(p.shape) for name, p in model.parameters().items()}
        optimizer = {name: value for name, value in model.optimizer.config().items() if name != "learning_rate"}
        self.about |= {"optimizer": f"{type(model.optimizer).__name__} with {_words(optimizer)}"}
        self.about |= {"learning_rate": _words(model.optimizer.learning_rate), "loss": _words(model.loss)}
        self.about |= {"metrics": ", ".join(map(_words, model.metrics)), "dtype": str(model.compute_dtype)}
        self.about |= {name: str(value) for name, value in settings.items()}

    def write(self, state: dict[str, Any]) -> None:
        """Put a run's state in the place of the earlier one: plain data, dictionaries, lists and arrays."""
        arrays: dict[str, bytes] = {}
        described = {
            "format": FORMAT,
            "about": self.about,
            "rate": state["optimizer"]["learning_rate"],
            "state": _take_out(state, arrays),
        }
        atomic.write(self.path, archive.pack({_STATE: archive.as_json(described), **arrays}))

    def read(self) -> dict[str, Any] | None:
        """The state, or None where there is no file yet.

        Raises:
            ModelFileError: the file is damaged, or of another run; it names the difference.
        """
        if not self.path.exists():
            return None
        files, _ = archive.unpack(self.path)
        if _STATE not in files:
            raise ModelFileError(self.path, "it is no checkpoint", "Give resume another path")
        described = archive.parse(files[_STATE], self.path)
        if described.get("format") != FORMAT:
            what = f"its format is {described.get('format')!r}, this version reads {FORMAT}"
            raise ModelFileError(self.path, what, "Use the version that wrote it")
        self._compare(described["about"], str(described["rate"]))
        return _put_back(described["state"], files)

    def _compare(self, there: dict[str, str], rate: str) -> None:
        for name in dict.fromkeys([*self.about, *there]):
            here, then = self.about.get(name, "nothing"), there.get(name, "nothing")
            if here == then or (name == "learning_rate" and here == rate):  # a callback has changed it since
                continue
            if name == "data":
                here, then = "other examples", "those the run began with"
            what = f"it is of another run: {name} is {here} here and {then} there"
            raise ModelFileError(self.path, what, "Give fit what the run began with, or resume another path")
        self.about = there


def _outline(layer: Any) -> str:
    """A layer in words; of one with layers inside, which are described by themselves, the rest."""
    if not layer.sublayers():
        return _words(layer)
    rest = {name: value for name, value in layer.config().items() if isinstance(value, (bool, int, float, str))}
    return f"{type(layer).__name__} with {rest}"


def _words(thing: Any) -> str:
    """What an object is, without where it lies in memory and without its generator."""
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(thing))
    return re.sub(r",? ?rng=(Generator\(\w+\)|[^,)]*)", "", text)


def _take_out(value: Any, arrays: dict[str, bytes]) -> Any:
    """The value as what JSON holds, its arrays as files of their own."""
    if isinstance(value, np.ndarray):
        name = f"{len(arrays)}.npy"
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, value, allow_pickle=False)
        arrays[name] = buffer.getvalue()
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": [[key, _take_out(item, arrays)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_take_out(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"a checkpoint holds plain data and arrays, and this is neither: {value!r}")


def _put_back(value: Any, files: dict[str, bytes]) -> Any:
    if isinstance(value, list):
        return [_put_back(item, files) for item in value]
    if isinstance(value, dict) and "array" in value:
        return np.lib.format.read_array(io.BytesIO(files[value["array"]]), allow_pickle=False)
    if isinstance(value, dict):
        return {key: _put_back(item, files) for key, item in value["dict"]}
    return value

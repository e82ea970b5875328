"""Weights as an HDF5 file, in the layout of Keras 3's `.weights.h5`.

Each layer has a group, named after its class and its count among those beside it (`layers/dense`, `layers/dense_1`) or
after the attribute that holds it; its values are the datasets `vars/0`, `vars/1`, … in the order of `parameters()`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.layer import Layer
from minitorch_np.parameter import Parameter


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write every value; a temporary file beside the target is renamed over it once it is whole and on the disk."""
    import h5py

    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist. Create it first.")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        with h5py.File(temporary, "w") as file:
            for place, _, parameter in _places(model):
                file[place] = parameter.value
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Read every value; nothing is changed unless each one is there, of the right shape, and finite.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no HDF5 file, or a value is missing or does not fit; it names the parameter.
    """
    import h5py

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    values = []
    try:
        with h5py.File(path, "r") as file:
            for place, name, parameter in _places(model):
                dataset = file.get(place)
                if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
                    raise ValueError(f"{path}: {name} is missing (expected at {place}). The file is of another model.")
                if dataset.shape != parameter.shape or dataset.dtype.kind != "f":
                    raise ValueError(
                        f"{path}: {name} has shape {parameter.shape} here, {dataset.shape} of {dataset.dtype} in the file."
                    )
                value = dataset[()]
                if not np.isfinite(value).all():
                    raise ValueError(f"{path}: {name} holds values that are not finite.")
                values.append(value)
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error}).") from None
    model.set_weights(values)


def _places(model: Any) -> Iterator[tuple[str, str, Parameter]]:
    """Where each parameter lies in the file, its dotted name, and the parameter."""
    groups: dict[int, str] = {}
    for place, layer in model.walk():
        prefix = groups.get(id(layer), "")
        for child, group in _groups(layer):
            groups[id(child)] = f"{prefix}{group}/"
        for index, (name, parameter) in enumerate(layer.own_parameters().items()):
            yield f"{prefix}vars/{index}", f"{place}.{name}".lstrip("."), parameter


def _groups(layer: Layer) -> Iterator[tuple[Layer, str]]:
    counts: Counter[str] = Counter()
    for name, child in layer.sublayers().items():
        if name in vars(layer):
            yield child, name
        elif type(child).__name__ != "Input":  # Keras does not count it among the layers
            word = keras_name(type(child).__name__)
            counts[word] += 1
            yield child, f"layers/{word}" + (f"_{counts[word] - 1}" if counts[word] > 1 else "")


def keras_name(name: str) -> str:
    """Keras's own way from a class to a group.

    >>> keras_name("ReLU"), keras_name("MaxPooling2D"), keras_name("Dense")
    ('re_lu', 'max_pooling2d', 'dense')
    """
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

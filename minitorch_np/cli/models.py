"""minitorch-np summary, predict and evaluate: the layers of a model file, its classes for images, and its scores."""

from __future__ import annotations

import argparse
import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.hdf5 import check_data_file
from minitorch_np.base.shapes import has_several
from minitorch_np.base.text import printable
from minitorch_np.cli.error import CommandError, complain
from minitorch_np.layers import Sigmoid, Softmax
from minitorch_np.losses.probabilities import probabilities
from minitorch_np.saving import ModelFileError, load_model

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.model import Model


def add_to(commands: Any) -> None:
    """Add the commands."""
    for name, run, text in (
        ("summary", _summary, "print the layers of a model file, and how it was trained"),
        ("predict", _predict, "print the class that the model gives to each image"),
        ("evaluate", _evaluate, "measure the model on a dataset"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("file", help="a model that model.save or Keras wrote (.keras, .h5)")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)
        if name == "predict":
            command.add_argument("images", nargs="+", metavar="image", help="image files of any size and kind")
        if name == "evaluate":
            sets = "an HDF5 file with test_set_x and test_set_y, or train_set_x and train_set_y"
            command.add_argument("data", help=sets)
            command.add_argument("--split", choices=["train", "test"], help="which of the two (test, if it exists)")


def _summary(options: argparse.Namespace) -> int:
    model = _load(options.file)
    known = {
        "input_shape": model.input_shape,
        "output_shape": model.output_shape,
        "parameters": sum(parameter.size for parameter in model.parameters().values()),
        "class_names": model.class_names,
        **{name: repr(getattr(model, name, None)) for name in ("optimizer", "loss", "metrics")},
    }
    if options.json:
        print(json.dumps(known))
        return 0
    model.summary()
    shape: Any = model.input_shape
    of_input = f"inputs {', '.join(map(str, shape))}" if has_several(shape or ()) else f"one input {shape}"
    print(printable(f" {of_input}, {_classes(model)}"))
    if model.loss is not None:
        steps = f", {model.optimizer.iteration:,} steps" if model.optimizer.iteration else ""
        print(printable(f" trained by {model.optimizer!r} on {model.loss!r}{steps}"))
    return 0


def _classes(model: Model) -> str:
    return f"classes {', '.join(model.class_names)}" if model.class_names else "classes without names"


def _predict(options: argparse.Namespace) -> int:
    from minitorch_np.datasets import load_image

    model = _load(options.file)
    shape: Any = model.input_shape or ()
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise CommandError(f"{options.file}: predict takes images, and the inputs of this model have shape {shape}")
    status = 0
    for path in options.images:
        try:
            image = load_image(path, shape)
        except (ValueError, OSError) as error:
            complain(_one_line(path, error))
            status = 1
            continue
        except ImportError as error:
            raise CommandError(str(error)) from error
        difference = model.input_range.difference(image) if model.input_range else None
        if difference:
            complain(f"warning: {path} is unlike the training images: {difference}")
        kind, values = _values(model, model.predict(image[None]), options.file)
        names = [*(model.class_names or [])[: len(values)]]
        names += [f"class {number}" for number in range(len(names), len(values))]
        best = int(values.argmax())
        if options.json:
            known = dict(zip(names, values.tolist(), strict=True))
            print(json.dumps({"image": path, "class": names[best], kind: known, "warning": difference}))
        else:
            value = f"{values[best]:.3f}" if kind == "probabilities" else f"score {values[best]:.4g}"
            print(printable(f"{path}: {names[best]} {value}"))
    return status


def _values(model: Model, outputs: NDArray, file: str) -> tuple[str, NDArray]:
    """Whether the values of the classes are "probabilities" or "scores", and the values, from outputs (1, units)."""
    loss = model.loss
    if outputs.ndim != 2:
        raise CommandError(f"{file}: predict needs one row of outputs for each image, got shape {outputs.shape[1:]}")
    if loss is not None and loss.from_logits and not loss.probabilistic:
        return "scores", np.concatenate([-outputs, outputs], axis=1)[0] if outputs.shape[1] == 1 else outputs[0]
    *_, (_, last) = model.walk()  # the layer whose outputs are the model's
    found = probabilities(outputs, loss)[0]
    known = (loss is not None and loss.probabilistic) or isinstance(last, (Sigmoid, Softmax))
    if not known or not ((found >= 0) & (found <= 1)).all():
        raise CommandError(
            f"{file}: its outputs are not probabilities (the first is {outputs[0, 0]:.4g}), and its loss, {loss!r}, does not "
            "make them such; end the model with Softmax() or Sigmoid(), or save it compiled; for the values themselves use "
            "mt.load_model(...).predict(...)"
        )
    return "probabilities", found


def _evaluate(options: argparse.Namespace) -> int:
    from minitorch_np.datasets import HDF5Dataset

    model = _load(options.file)
    if model.loss is None:
        raise CommandError(f"{options.file}: the file has no loss to measure; save a compiled model")
    try:
        data = HDF5Dataset(options.data, options.split or _split(options.data))
        scores = model.evaluate(data)
    except (ValueError, OSError) as error:
        raise CommandError(_one_line(options.data, error)) from error
    if options.json:
        print(json.dumps({"examples": len(data), **scores._asdict()}))
    else:
        measured = ", ".join(f"{name} {value:.4g}" for name, value in scores._asdict().items())
        print(printable(f"{len(data)} examples: {measured}"))
    return 0


def _split(path: str) -> str:
    import h5py

    try:
        check_data_file(path)
        with h5py.File(path, "r", locking=False) as file:
            return "train" if "train_set_x" in file and "test_set_x" not in file else "test"
    except (OSError, ValueError):
        return "test"  # HDF5Dataset will say what is wrong with the file


def _load(path: str) -> Model:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = load_model(path)
    except ModelFileError as error:
        raise CommandError(str(error)) from error
    for warning in caught:
        complain(f"warning: {warning.message}")
    return model


def _one_line(path: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if path in text else f"{path}: {text}"

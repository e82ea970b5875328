"""minitorch-np summary, predict and evaluate: what a model file holds, what it says of pictures, and how often it is right."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.cli.error import CommandError
from minitorch_np.functions import log_softmax, sigmoid
from minitorch_np.saving import ModelFileError, load_model

if TYPE_CHECKING:
    from numpy.typing import NDArray


def add_to(commands: Any) -> None:
    """Enter the commands among the others."""
    for name, run, text in (
        ("summary", _summary, "print the layers of a model file, and how it was trained"),
        ("predict", _predict, "say what the model sees in pictures"),
        ("evaluate", _evaluate, "measure the model on a data set"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("file", help="a model that model.save or Keras wrote (.keras, .h5)")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)
        if name == "predict":
            command.add_argument("images", nargs="+", metavar="image", help="picture files of any size and kind")
        if name == "evaluate":
            command.add_argument(
                "data", help="an HDF5 file with test_set_x and test_set_y, or train_set_x and train_set_y"
            )
            command.add_argument(
                "--split", choices=["train", "test"], help="which of the two (test, where it is there)"
            )


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
    print(f" one input {model.input_shape}, {_classes(model)}")
    if "loss" in vars(model):
        steps = f", {model.optimizer.iteration:,} steps" if model.optimizer.iteration else ""
        print(f" trained by {model.optimizer!r} on {model.loss!r}{steps}")
    return 0


def _classes(model: Any) -> str:
    return f"classes {', '.join(model.class_names)}" if model.class_names else "classes without names"


def _predict(options: argparse.Namespace) -> int:
    from minitorch_np.datasets import load_image

    model = _load(options.file)
    shape = model.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise CommandError(f"{options.file}: predict takes pictures, and the inputs of this model have shape {shape}")
    status = 0
    for path in options.images:
        try:
            picture = load_image(path, shape)
        except (ValueError, OSError) as error:
            print(f"minitorch-np: {_one_line(path, error)}", file=sys.stderr)
            status = 1
            continue
        except ImportError as error:
            raise CommandError(str(error)) from error
        strange = model.seen.strange(picture) if model.seen else None
        if strange:
            print(f"minitorch-np: warning: {path} is unlike what the model was trained on: {strange}", file=sys.stderr)
        outputs = model.predict(picture[None])[0].ravel()
        chances = _probabilities(model, outputs)
        if not ((chances >= 0) & (chances <= 1)).all():
            loss = repr(model.loss) if "loss" in vars(model) else "none"
            raise CommandError(
                f"{options.file}: its outputs are no probabilities ({outputs[0]:.4g} is the first), and its loss, {loss}, does not "
                "make them such; end the model with Softmax() or Sigmoid(), or save it compiled"
            )
        best = int(chances.argmax())
        name = _name(model, best)
        if options.json:
            chance_of = {_name(model, number): float(chance) for number, chance in enumerate(chances)}
            print(json.dumps({"image": path, "class": name, "probabilities": chance_of, "warning": strange}))
        else:
            print(f"{path}: {name} {chances[best]:.3f}")
    return status


def _name(model: Any, number: int) -> str:
    names = model.class_names or []
    return names[number] if number < len(names) else f"class {number}"


def _probabilities(model: Any, outputs: NDArray) -> NDArray:
    """The probability of each class: of one output, that of class 1 and the rest; scores go through sigmoid or softmax."""
    logits = "loss" in vars(model) and model.loss.from_logits
    if len(outputs) == 1:
        positive = sigmoid(outputs) if logits else outputs
        return np.concatenate([1 - positive, positive])
    return np.exp(log_softmax(outputs)) if logits else outputs


def _evaluate(options: argparse.Namespace) -> int:
    from minitorch_np.datasets import HDF5Dataset

    model = _load(options.file)
    if "loss" not in vars(model):
        raise CommandError(f"{options.file}: the file does not say by which loss to measure; save a compiled model")
    try:
        data = HDF5Dataset(options.data, options.split or _split(options.data))
        scores = model.evaluate(data)
    except (ValueError, OSError) as error:
        raise CommandError(_one_line(options.data, error)) from error
    if options.json:
        print(json.dumps({"examples": len(data), **scores._asdict()}))
    else:
        print(f"{len(data)} examples: {', '.join(f'{name} {value:.4g}' for name, value in scores._asdict().items())}")
    return 0


def _split(path: str) -> str:
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return "train" if "train_set_x" in file and "test_set_x" not in file else "test"
    except OSError:
        return "test"  # what is wrong with the file is said when it is opened for good


def _load(path: str) -> Any:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = load_model(path)
    except ModelFileError as error:
        raise CommandError(str(error)) from error
    for warning in caught:
        print(f"minitorch-np: warning: {warning.message}", file=sys.stderr)
    return model


def _one_line(path: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if path in text else f"{path}: {text}"

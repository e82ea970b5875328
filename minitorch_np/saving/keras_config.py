"""Keras's descriptions of layers, losses and optimisers, out of ours and into ours; classes come from the registry."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable
from typing import Any

from minitorch_np import losses, optimizers
from minitorch_np.configurable import Configurable
from minitorch_np.layer import Layer
from minitorch_np.saving.objects import registered_name
from minitorch_np.saving.weights import keras_name

# Our class -> Keras's class and config.
_TO_KERAS: dict[str, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    "Input": lambda layer: ("InputLayer", {"batch_shape": [None, *layer.shape]}),
    "Dense": lambda layer: ("Dense", {"units": int(layer.units), "use_bias": bool(layer.use_bias)}),
    "ReLU": lambda layer: ("ReLU", {}),
    "Sigmoid": lambda layer: ("Activation", {"activation": "sigmoid"}),
    "Rescaling": lambda layer: ("Rescaling", {"scale": float(layer.scale), "offset": float(layer.offset)}),
    "Flatten": lambda layer: ("Flatten", {}),
}
_ACTIVATIONS: dict[str, Callable[[], list[Layer]]] = {
    "linear": list,
    "relu": lambda: [_make("ReLU")],
    "sigmoid": lambda: [_make("Sigmoid")],
}


def _make(name: str, *arguments: Any, dtype: str | None = None) -> Any:
    """An object of a class of this package."""
    cls: Any = Configurable.registry[name]
    return cls(*arguments) if dtype is None else cls(*arguments, dtype=dtype)


def without_twin(model: Any) -> list[str]:
    """The classes in a model that Keras does not have; a model that is no Sequential is one itself."""
    if registered_name(type(model)) != "Sequential":
        return [type(model).__name__]
    found = []
    for layer in model.layers:
        name = registered_name(type(layer))
        if name == "Sequential":
            found += without_twin(layer)
        elif name not in _TO_KERAS:
            found.append(name)
    return found


def to_keras(model: Any, name: str = "sequential") -> dict[str, Any]:
    """A Sequential as Keras's `config.json` describes it."""
    described = []
    for own_name, layer in model.sublayers().items():
        if registered_name(type(layer)) == "Sequential":
            described.append(to_keras(layer, own_name))
            continue
        class_name, config = _TO_KERAS[registered_name(type(layer))](layer)
        config = {"name": own_name, "dtype": model.dtype, **config}
        described.append(_object("keras.layers", class_name, config))
    whole = _object("keras", "Sequential", {"name": name, "layers": described})
    if model.input_shape is not None:
        whole["build_config"] = {"input_shape": [None, *model.input_shape]}
    return whole


def compile_config(model: Any) -> dict[str, Any] | None:
    """How the model learns, in Keras's words; None where Keras has no words for it."""
    optimizer, loss = getattr(model, "optimizer", None), getattr(model, "loss", None)
    if type(optimizer) is not optimizers.SGD or callable(optimizer.learning_rate) or optimizer.weight_decay:
        return None  # Keras's weight decay is another one
    described = _loss(loss)
    if described is None:
        return None
    config = {
        "name": "sgd",
        "learning_rate": float(optimizer.learning_rate),
        "momentum": float(optimizer.momentum),
        "nesterov": bool(optimizer.nesterov),
        "clipnorm": optimizer.clipnorm,
        "global_clipnorm": optimizer.global_clipnorm,
        "clipvalue": optimizer.clipvalue,
    }
    metrics = [metric for metric in model.metrics if metric == "accuracy"]
    return {"optimizer": _object("keras.optimizers", "SGD", config), "loss": described, "metrics": metrics}


def _loss(loss: Any) -> Any:
    if type(loss) is losses.MSELoss:
        return "mean_squared_error"
    if type(loss) is losses.BCELoss:
        return "binary_crossentropy"
    if type(loss) is losses.BCEWithLogitsLoss:
        return _object("keras.losses", "BinaryCrossentropy", {"name": "binary_crossentropy", "from_logits": True})
    if type(loss) is losses.CrossEntropyLoss and not loss.label_smoothing:
        config = {"name": "sparse_categorical_crossentropy", "from_logits": True}
        return _object("keras.losses", "SparseCategoricalCrossentropy", config)
    return None


_LOSSES: dict[str, Callable[[], losses.Loss]] = {
    "mean_squared_error": losses.MSELoss,
    "binary_crossentropy": losses.BCELoss,
    "binary_crossentropy of logits": losses.BCEWithLogitsLoss,
    "sparse_categorical_crossentropy of logits": losses.CrossEntropyLoss,
    "categorical_crossentropy of logits": losses.CrossEntropyLoss,
}


def compiled(model: Any, described: Any, path: str | os.PathLike[str]) -> bool:
    """Compile the model as Keras described it; where this package has no words for it, warn, and leave it as it is."""
    if not described:
        return False
    optimizer = described.get("optimizer", described.get("optimizer_config"))
    loss: Any = described.get("loss")
    config: dict[str, Any] = {}
    if isinstance(loss, dict):
        loss, config = loss.get("class_name"), loss.get("config") or {}
    plain = {"mse": "mean_squared_error"}.get(str(loss), keras_name(str(loss)))
    make = _LOSSES.get(plain + (" of logits" if config.get("from_logits") else ""))
    settings = optimizer.get("config", {}) if isinstance(optimizer, dict) else {}
    rate, kind = (
        settings.get("learning_rate"),
        optimizer.get("class_name") if isinstance(optimizer, dict) else optimizer,
    )
    unknown = {
        f"the optimizer {kind!r}": kind != "SGD" or settings.get("weight_decay") or settings.get("use_ema"),
        f"the learning rate {rate!r}": not isinstance(rate, (int, float)),
        f"the loss {plain!r}": make is None or config.get("label_smoothing"),
    }
    for what, is_unknown in unknown.items():
        if is_unknown:
            warnings.warn(
                f"{os.fspath(path)}: this package has no words for {what}; compile before training.", stacklevel=5
            )
            return False
    names = ("learning_rate", "momentum", "nesterov", "clipnorm", "global_clipnorm", "clipvalue")
    sgd = optimizers.SGD(**{name: settings[name] for name in names if settings.get(name) is not None})
    metrics = described.get("metrics")
    model.compile(sgd, make(), [m for m in metrics if m == "accuracy"] if isinstance(metrics, list) else [])  # type: ignore[misc]
    return True


def _object(module: str, class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def from_keras(described: Any, dtype: str | None = None) -> Any:
    """Our Sequential of a Keras Sequential; fused activations become layers of their own.

    Raises:
        ValueError: something that this package does not have; it names it.
    """
    if _class_name(described) != "Sequential":
        raise ValueError(f"a Keras {_class_name(described)} model; only Sequential models can be opened")
    config = described["config"]
    dtype = dtype or _dtype(config)
    built = list(itertools.chain.from_iterable(_layers(item, dtype) for item in config["layers"]))
    shape = (described.get("build_config") or {}).get("input_shape")
    if built and registered_name(type(built[0])) != "Input" and isinstance(shape, list):
        built.insert(0, _make("Input", tuple(shape[1:])))
    return _make("Sequential", built, dtype=dtype)


def _layers(described: Any, dtype: str) -> list[Layer]:
    name = _class_name(described)
    if name == "Sequential":
        return [from_keras(described, dtype)]
    config = described["config"]
    if name == "InputLayer":
        return [_make("Input", tuple(config.get("batch_shape") or config["batch_input_shape"])[1:])]
    if name == "Dense":
        return [
            _make("Dense", config["units"], config.get("use_bias", True)),
            *_activation(config.get("activation", "linear")),
        ]
    if name == "Activation":
        return _activation(config["activation"])
    if name == "ReLU":
        if config.get("max_value") is not None or config.get("negative_slope") or config.get("threshold"):
            raise ValueError("a ReLU with max_value, negative_slope or threshold")
        return [_make("ReLU")]
    if name == "Rescaling":
        return [_make("Rescaling", float(config["scale"]), float(config.get("offset", 0)))]
    if name == "Flatten":
        return [_make("Flatten")]
    raise ValueError(f"the layer {name}, which this package does not have")


def _activation(name: Any) -> list[Layer]:
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ValueError(f"the activation {name!r}, which this package does not have")
    return _ACTIVATIONS[name]()


def _class_name(described: Any) -> str:
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        raise ValueError("a description without class_name and config")
    return str(described.get("class_name"))


def _dtype(config: dict[str, Any]) -> str:
    dtype = config.get("dtype")
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    return dtype if dtype in ("float32", "float64") else "float32"

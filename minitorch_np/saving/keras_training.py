"""How a model learns, in Keras's words and out of them: optimiser, learning rate, loss and metrics."""

from __future__ import annotations

import os
import warnings
from typing import Any

from minitorch_np import losses, optimizers, schedules
from minitorch_np.configurable import Configurable, is_built_in, signature_defaults
from minitorch_np.saving.keras_config import as_object, keras_name


def compile_config(model: Any) -> dict[str, Any] | None:
    """How the model learns, in Keras's words; None where Keras has no words for it."""
    optimizer, loss = getattr(model, "optimizer", None), getattr(model, "loss", None)
    described, loss = _optimizer(optimizer), _loss(loss)
    if described is None or loss is None:
        return None
    return {
        "optimizer": described,
        "loss": loss,
        "metrics": [metric for metric in model.metrics if metric == "accuracy"],
    }


def _optimizer(optimizer: Any) -> dict[str, Any] | None:
    if optimizer is None or not is_built_in(type(optimizer)):
        return None
    config = optimizer.config()
    if isinstance(optimizer, optimizers.SGD) and config.pop("weight_decay"):
        return None  # Keras's weight decay is another one
    if callable(optimizer.learning_rate):
        config["learning_rate"] = _schedule(optimizer.learning_rate)
    if config["learning_rate"] is None:
        return None
    return as_object("keras.optimizers", type(optimizer).__name__, config)


def _schedule(schedule: Any) -> dict[str, Any] | None:
    """A schedule as Keras has it. Its warm-up is another one, a step later."""
    module, known = "keras.optimizers.schedules", schedule.config() if isinstance(schedule, Configurable) else {}
    kind = type(schedule).__name__
    if kind in ("StepDecay", "ExponentialDecay"):
        config = {
            "initial_learning_rate": known["initial"],
            "decay_steps": known["every"],
            "decay_rate": known["factor"],
        }
        return as_object(module, "ExponentialDecay", {**config, "staircase": kind == "StepDecay"})
    if kind == "CosineDecay" and not known["warmup"]:
        config = {"initial_learning_rate": known["initial"], "decay_steps": known["steps"]}
        return as_object(module, "CosineDecay", {**config, "alpha": known["final"] / known["initial"]})
    return None


# Ours -> Keras's name and class, and whether the loss takes scores.
_LOSSES: dict[str, tuple[str, str, bool]] = {
    "MSELoss": ("mean_squared_error", "MeanSquaredError", False),
    "L1Loss": ("mean_absolute_error", "MeanAbsoluteError", False),
    "HuberLoss": ("huber", "Huber", False),
    "HingeLoss": ("hinge", "Hinge", False),
    "BCELoss": ("binary_crossentropy", "BinaryCrossentropy", False),
    "BCEWithLogitsLoss": ("binary_crossentropy", "BinaryCrossentropy", True),
    "CrossEntropyLoss": ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", True),
}
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "categorical_crossentropy": "sparse_categorical_crossentropy",
}


def _loss(loss: Any) -> dict[str, Any] | None:
    kind = type(loss).__name__
    if not is_built_in(type(loss)) or kind not in _LOSSES or getattr(loss, "label_smoothing", False):
        return None
    _, class_name, from_logits = _LOSSES[kind]
    config = {name: value for name, value in loss.config().items() if name != "label_smoothing"}
    return as_object("keras.losses", class_name, {**config, "from_logits": True} if from_logits else config)


def compiled(model: Any, described: Any, path: str | os.PathLike[str]) -> bool:
    """Compile the model as Keras described it; where this package has no words for it, warn, and leave it as it is."""
    if not described:
        return False
    try:
        optimizer = _our_optimizer(described.get("optimizer", described.get("optimizer_config")))
        loss = _our_loss(described.get("loss"))
    except ValueError as error:
        warnings.warn(
            f"{os.fspath(path)}: this package has no words for {error}; compile before training.", stacklevel=5
        )
        return False
    metrics = described.get("metrics")
    model.compile(optimizer, loss, [m for m in metrics if m == "accuracy"] if isinstance(metrics, list) else [])
    return True


def _our_optimizer(described: Any) -> Any:
    kind = described.get("class_name") if isinstance(described, dict) else described
    settings = dict(described.get("config") or {}) if isinstance(described, dict) else {}
    cls: Any = Configurable.registry.get(str(kind))
    averaged = settings.get("use_ema") or (settings.get("gradient_accumulation_steps") or 1) > 1
    if cls is None or not issubclass(cls, optimizers.Optimizer) or not is_built_in(cls) or averaged:
        raise ValueError(f"the optimizer {kind!r}")
    if cls is optimizers.SGD and settings.pop("weight_decay", None):
        raise ValueError("the weight decay of Keras's SGD")
    rate = settings.get("learning_rate", 0.01)
    settings["learning_rate"] = _our_schedule(rate) if isinstance(rate, dict) else rate
    if not isinstance(rate, (int, float, dict)):
        raise ValueError(f"the learning rate {rate!r}")
    known = signature_defaults(cls)
    return cls(**{name: value for name, value in settings.items() if name in known and value is not None})


def _our_schedule(described: dict[str, Any]) -> Any:
    kind, config = described.get("class_name"), described.get("config") or {}
    if kind == "ExponentialDecay":
        make = schedules.StepDecay if config.get("staircase") else schedules.ExponentialDecay
        return make(config["initial_learning_rate"], config["decay_steps"], config["decay_rate"])
    if kind == "CosineDecay" and not config.get("warmup_steps"):
        rate = config["initial_learning_rate"]
        return schedules.CosineDecay(rate, config["decay_steps"], final=rate * config.get("alpha", 0.0))
    raise ValueError(f"the schedule {kind!r}")


def _our_loss(described: Any) -> losses.Loss:
    name, config = described, dict[str, Any]()
    if isinstance(described, dict):
        name, config = described.get("class_name"), described.get("config") or {}
    plain = keras_name(str(name))
    plain, logits = _SHORT.get(plain, plain), bool(config.get("from_logits"))
    other_mean = config.get("reduction", "auto") not in ("sum_over_batch_size", "mean", "auto", None)
    if other_mean or config.get("ignore_class") is not None or config.get("label_smoothing"):
        raise ValueError(f"the loss {plain!r} with its reduction, ignore_class or label_smoothing")
    for ours, (known, _, from_logits) in _LOSSES.items():
        if known == plain and from_logits == logits:
            cls: Any = Configurable.registry[ours]
            taken = signature_defaults(cls)
            return cls(**{argument: value for argument, value in config.items() if argument in taken})
    raise ValueError(f"the loss {plain!r}")

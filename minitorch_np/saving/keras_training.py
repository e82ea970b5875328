"""How a model learns, in Keras's words and out of them: optimiser, learning rate, loss and metrics."""

from __future__ import annotations

import os
import warnings
from typing import Any

from minitorch_np import losses, optimizers, schedules
from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import Configurable, is_built_in, signature_defaults
from minitorch_np.base.text import printable
from minitorch_np.saving import keras_metrics
from minitorch_np.saving.keras_config import as_object, class_and_config, keras_name, other_precision


class _NotThere(ValueError):
    """Something that Keras does not have; it names it."""


def compile_config(model: Any, optimizer: Any, notes: list[str]) -> dict[str, Any] | None:
    """How the model learns, in Keras's words; where Keras has no words for it, add a note, and return None."""
    described: list[Any] = []
    missing = []
    for in_words, one in ((_optimizer, optimizer), (_loss, model.loss)):
        try:
            described.append(in_words(one))
        except _NotThere as error:
            missing.append(str(error))
    if missing:
        notes.append(
            f"Keras has no {', '.join(missing)}, so it will open this file uncompiled; mt.load_model opens it as it is."
        )
        return None
    metrics, missing = keras_metrics.to_keras(model)
    if missing:
        notes.append(
            f"Keras has no {', '.join(missing)} that means the same, so it will not measure it; mt.load_model opens the file as it is."
        )
    return {"optimizer": described[0], "loss": described[1], "metrics": metrics}


def _optimizer(optimizer: Any) -> dict[str, Any]:
    kind, scheduled = type(optimizer).__name__, callable(optimizer.learning_rate)
    if not is_built_in(type(optimizer)):
        raise _NotThere(kind)
    config = optimizer.config()
    if isinstance(optimizer, optimizers.SGD):
        if config.pop("weight_decay"):
            raise _NotThere("SGD with weight_decay in the gradient")
        if optimizer.momentum and scheduled:  # there the velocity holds the rates of earlier steps
            raise _NotThere("SGD with momentum and a schedule")
    if scheduled:
        config["learning_rate"] = _schedule(optimizer.learning_rate)
    return as_object("keras.optimizers", kind, config)


def _schedule(schedule: Any) -> dict[str, Any]:
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
    raise _NotThere(f"{kind} with warmup" if kind == "CosineDecay" else getattr(schedule, "__name__", kind))


# Ours -> Keras's name and class, and whether the loss takes scores. CrossEntropyLoss may do either.
_LOSSES: dict[str, tuple[str, str, bool]] = {
    "MSELoss": ("mean_squared_error", "MeanSquaredError", False),
    "L1Loss": ("mean_absolute_error", "MeanAbsoluteError", False),
    "HuberLoss": ("huber", "Huber", False),
    "HingeLoss": ("hinge", "Hinge", False),
    "BCELoss": ("binary_crossentropy", "BinaryCrossentropy", False),
    "BCEWithLogitsLoss": ("binary_crossentropy", "BinaryCrossentropy", True),
}
_CROSS_ENTROPIES = ("sparse_categorical_crossentropy", "categorical_crossentropy")
_SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}


def _loss(loss: Any) -> dict[str, Any]:
    kind, config = type(loss).__name__, loss.config()
    if is_built_in(type(loss)) and kind == "CrossEntropyLoss":
        if config["label_smoothing"]:  # which Keras has for one-hot targets alone
            return as_object("keras.losses", "CategoricalCrossentropy", config)
        return as_object("keras.losses", "SparseCategoricalCrossentropy", {"from_logits": config["from_logits"]})
    if not is_built_in(type(loss)) or kind not in _LOSSES:
        raise _NotThere(kind)
    _, class_name, from_logits = _LOSSES[kind]
    return as_object("keras.losses", class_name, {**config, "from_logits": True} if from_logits else config)


def compiled(model: Any, described: Any, path: str | os.PathLike[str]) -> bool:
    """Compile the model as Keras described it; where this package has no words for it, warn, and leave it as it is."""
    if not described:
        return False
    try:
        _check_loss_weights(described.get("loss_weights"))
        optimizer = _our_optimizer(described.get("optimizer", described.get("optimizer_config")))
        loss = _our_loss(described.get("loss"))
    except ValueError as error:
        warnings.warn(
            f"{os.fspath(path)}: this package has no words for {printable(str(error)[:300])}; compile before training.",
            stacklevel=caller(),
        )
        return False
    metrics, missing = keras_metrics.from_keras(described.get("metrics"), model, loss.from_logits)
    missing += [f"weighted metric {name}" for name in keras_metrics.names(described.get("weighted_metrics"))]
    if missing:
        warnings.warn(
            f"{os.fspath(path)}: this package has no {printable(', '.join(missing)[:300])} that means the same, and leaves it out.",
            stacklevel=caller(),
        )
    model.compile(optimizer, loss, metrics)
    return True


def warn_of_precision(model: Any, described: Any, path: str | os.PathLike[str]) -> None:
    """Say where Keras computes otherwise than the model that was made of its description."""
    found = list(dict.fromkeys(other_precision(described, model.dtype)))
    if found:
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        text = printable("; ".join(found[:3]) + more)
        warnings.warn(f"{os.fspath(path)}: {text}, so that the outputs may differ.", stacklevel=caller())


def _our_optimizer(described: Any) -> Any:
    kind, given = class_and_config(described)
    settings = dict(given)
    cls: Any = Configurable.registry.get(str(kind))
    if cls is None or not issubclass(cls, optimizers.Optimizer) or not is_built_in(cls):
        raise ValueError(f"the optimizer {kind!r}")
    if cls is optimizers.SGD and settings.pop("weight_decay", None):
        raise ValueError("the weight decay of Keras's SGD")
    rate = settings.get("learning_rate", 0.01)
    if cls is optimizers.SGD and settings.get("momentum") and isinstance(rate, dict):
        raise ValueError("the momentum of Keras's SGD with a schedule")
    settings["learning_rate"] = _our_schedule(rate) if isinstance(rate, dict) else rate
    if not isinstance(rate, (int, float, dict)):
        raise ValueError(f"the learning rate {rate!r}")
    known = signature_defaults(cls)
    for name, value in settings.items():
        if name not in known and name not in _NO_MATTER and value not in (None, False, 0, *_NEUTRAL.get(name, ())):
            raise ValueError(f"the optimizer {kind!r} with {name}={value!r}")
    return cls(**{name: value for name, value in settings.items() if name in known and value is not None})


# Settings of Keras's optimisers that change nothing, at all or at these values.
_NO_MATTER = ("name", "ema_momentum", "ema_overwrite_frequency", "jit_compile", "is_legacy_optimizer")
_NEUTRAL = {"gradient_accumulation_steps": (1,), "loss_scale_factor": (1.0,)}


def _check_loss_weights(weights: Any) -> None:
    listed = (
        weights if isinstance(weights, list) else list(weights.values()) if isinstance(weights, dict) else [weights]
    )
    if any(weight not in (None, 1) for weight in listed):
        raise ValueError(f"the loss_weights {weights!r}")


def _our_schedule(described: dict[str, Any]) -> Any:
    kind, config = class_and_config(described)
    if kind == "ExponentialDecay":
        make = schedules.StepDecay if config.get("staircase") else schedules.ExponentialDecay
        return make(config["initial_learning_rate"], config["decay_steps"], config["decay_rate"])
    if kind == "CosineDecay" and not config.get("warmup_steps"):
        rate = config["initial_learning_rate"]
        return schedules.CosineDecay(rate, config["decay_steps"], final=rate * config.get("alpha", 0.0))
    raise ValueError(f"the schedule {kind!r}")


def _our_loss(described: Any) -> losses.Loss:
    name, config = class_and_config(described)
    plain = keras_name(str(name))
    plain, logits = _SHORT.get(plain, plain), bool(config.get("from_logits"))
    other_mean = config.get("reduction", "auto") not in ("sum_over_batch_size", "mean", "auto", None)
    other_axis = config.get("axis") not in (None, -1)
    smoothing = config.get("label_smoothing") or 0.0
    smoothed = smoothing and plain != "categorical_crossentropy"
    if other_mean or config.get("ignore_class") is not None or smoothed or other_axis:
        raise ValueError(f"the loss {plain!r} with its reduction, ignore_class, label_smoothing or axis")
    if plain in _CROSS_ENTROPIES:
        return losses.CrossEntropyLoss(smoothing, logits)
    for ours, (known, _, from_logits) in _LOSSES.items():
        if known == plain and from_logits == logits:
            cls: Any = Configurable.registry[ours]
            taken = signature_defaults(cls)
            return cls(**{argument: value for argument, value in config.items() if argument in taken})
    raise ValueError(f"the loss {plain!r}")

"""How a model is trained, as Keras describes it, both ways: optimiser, learning rate, loss and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from minitorch_np import losses, optimizers, schedules
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.base.several import of_each
from minitorch_np.losses.outputs import LossOfOutputs, combined
from minitorch_np.saving import keras_metrics
from minitorch_np.saving.errors import NotHere, warn
from minitorch_np.saving.keras_config import as_object, is_graph, keras_name
from minitorch_np.saving.keras_layers import arguments, class_and_config, function_name, other_precision, own_arguments
from minitorch_np.saving.objects import Functions

if TYPE_CHECKING:
    from minitorch_np.model import Model

# Ours -> Keras's class, and whether the loss takes scores. CrossEntropyLoss may do either.
_LOSSES: dict[type[losses.Loss], tuple[str, bool]] = {
    losses.MSELoss: ("MeanSquaredError", False),
    losses.L1Loss: ("MeanAbsoluteError", False),
    losses.HuberLoss: ("Huber", False),
    losses.HingeLoss: ("Hinge", False),
    losses.BCELoss: ("BinaryCrossentropy", False),
    losses.BCEWithLogitsLoss: ("BinaryCrossentropy", True),
}
_CROSS_ENTROPIES = ("sparse_categorical_crossentropy", "categorical_crossentropy")
_SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}
# Arguments of Keras's optimisers that have no effect, at all or at these values.
_IGNORED = ("name", "ema_momentum", "ema_overwrite_frequency", "jit_compile", "is_legacy_optimizer")
_SAME = {"gradient_accumulation_steps": (1,), "loss_scale_factor": (1.0,)}


class _NotInKeras(ValueError):
    """Keras does not have something; the message names it."""


def compile_config(model: Model, optimizer: optimizers.Optimizer, notes: list[str]) -> dict[str, Any] | None:
    """How the model is trained, for Keras. If Keras cannot train it so, add a note and return None."""
    described: dict[str, Any] = {}
    missing = []
    for name, describe, one in (("optimizer", _optimizer, optimizer), ("loss", _loss, model.loss)):
        try:
            described[name] = describe(one)
        except _NotInKeras as error:
            missing.append(str(error))
    if missing:
        notes.append(
            f"Keras has no {', '.join(missing)}, so it will open this file uncompiled; mt.load_model opens it as it is."
        )
        return None
    if isinstance(model.loss, LossOfOutputs):
        described["loss_weights"] = list(model.loss.loss_weights)
    described["metrics"], missing = keras_metrics.to_keras(model)
    if missing:
        notes.append(
            f"Keras has no {', '.join(missing)} that means the same, so it will not measure it; mt.load_model opens the file as it is."
        )
    return described


def _optimizer(optimizer: Any) -> dict[str, Any]:
    kind, scheduled = type(optimizer).__name__, callable(optimizer.learning_rate)
    if not is_built_in(type(optimizer)):
        raise _NotInKeras(kind)
    config = optimizer.config()
    if config.pop("exclude", None) and config.get("weight_decay"):
        raise _NotInKeras(f"{kind} with exclude in its file")
    if isinstance(optimizer, optimizers.SGD):
        if config.pop("weight_decay"):
            raise _NotInKeras("SGD with weight_decay in the gradient")
        if optimizer.momentum and scheduled:  # there the velocity contains the rates of earlier steps
            raise _NotInKeras("SGD with momentum and a schedule")
    if scheduled:
        config["learning_rate"] = _schedule(optimizer.learning_rate)
    return as_object("keras.optimizers", kind, config)


def _schedule(schedule: Any) -> dict[str, Any]:
    """A schedule for Keras. Its warm-up differs from ours by one step."""
    kind, name = type(schedule), type(schedule).__name__
    config: dict[str, Any]
    if kind in (schedules.StepDecay, schedules.ExponentialDecay):
        config = {
            "decay_steps": schedule.every,
            "decay_rate": schedule.factor,
            "staircase": kind is schedules.StepDecay,
        }
        name = "ExponentialDecay"
    elif kind is schedules.CosineDecay and not schedule.warmup:
        config = {"decay_steps": schedule.steps, "alpha": schedule.final / schedule.initial}
    else:
        raise _NotInKeras(
            f"{name} with warmup" if kind is schedules.CosineDecay else getattr(schedule, "__name__", name)
        )
    return as_object("keras.optimizers.schedules", name, {"initial_learning_rate": schedule.initial, **config})


def _loss(loss: Any) -> Any:
    if isinstance(loss, LossOfOutputs):
        return [_loss(one) for one in loss.losses]
    config = loss.config()
    if type(loss) is losses.CrossEntropyLoss:
        if config["label_smoothing"]:  # Keras has it only for one-hot targets
            if config.pop("ignore_index") is not None:
                raise _NotInKeras("CrossEntropyLoss with label_smoothing and ignore_index")
            return as_object("keras.losses", "CategoricalCrossentropy", config)
        sparse = {"from_logits": config["from_logits"], "ignore_class": config["ignore_index"]}
        return as_object("keras.losses", "SparseCategoricalCrossentropy", sparse)
    if type(loss) not in _LOSSES:
        raise _NotInKeras(loss.name if isinstance(loss, losses.FunctionLoss) else type(loss).__name__)
    if config.pop("pos_weight", None) is not None:
        raise _NotInKeras("BCEWithLogitsLoss with pos_weight")
    class_name, from_logits = _LOSSES[type(loss)]
    return as_object("keras.losses", class_name, {**config, "from_logits": True} if from_logits else config)


def compiled(model: Model, described: Any, path: Path, functions: Functions) -> bool:
    """Compile the model as Keras described it. If this package cannot train it so, warn and leave it uncompiled.

    Args:
        functions: of the person who opens the file, in place of user-defined functions of the same names.
    """
    if not described:
        return False
    try:
        optimizer = _our_optimizer(described.get("optimizer", described.get("optimizer_config")))
        loss = _our_losses(
            described.get("loss"), described.get("loss_weights"), output_names(model), str(path), functions
        )
    except ValueError as error:
        thing = error.thing if isinstance(error, NotHere) else str(error)
        warn(path, f"this package does not have {thing[:300]}; compile the model before training.")
        return False
    metrics, missing = keras_metrics.from_keras(described.get("metrics"), model, loss, functions)
    missing += [f"weighted metric {name}" for name in keras_metrics.names(described.get("weighted_metrics"))]
    if missing:
        warn(path, f"this package has no {', '.join(missing)[:300]} that means the same, and leaves it out.")
    model.compile(optimizer, loss, metrics)
    return True


def warn_of_precision(model: Model, described: Any, path: Path) -> None:
    """Warn if Keras computes in another precision than the model that was made of its description."""
    found = list(dict.fromkeys(other_precision(described, model.dtype)))
    if found:
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        warn(path, f"{'; '.join(found[:3])}{more}, so that the outputs may differ.")


def _our_optimizer(described: Any) -> optimizers.Optimizer:
    kind, config = class_and_config(described)
    cls: Any = Configurable.registry.get(str(kind), object)
    if not issubclass(cls, optimizers.Optimizer) or not is_built_in(cls):
        raise NotHere(f"the optimizer {kind!r}")
    config, is_sgd = dict(config), cls is optimizers.SGD
    rate = config.get("learning_rate", 0.01)
    if not isinstance(rate, (int, float, dict)):
        raise NotHere(f"the learning rate {rate!r}")
    if is_sgd and config.pop("weight_decay", None):
        raise NotHere("the weight decay of Keras's SGD")
    if is_sgd and config.get("momentum") and isinstance(rate, dict):
        raise NotHere("the momentum of Keras's SGD with a schedule")
    own = arguments(f"the optimizer {kind!r}", cls, config, _IGNORED, _SAME)
    own["learning_rate"] = _our_schedule(rate) if isinstance(rate, dict) else rate
    return cls(**{name: value for name, value in own.items() if value is not None})


def output_names(model: Any) -> list[str]:
    """The names of the outputs of a Graph; of another model one name."""
    return model.output_names if is_graph(model) else ["output"]


def _our_losses(described: Any, weights: Any, names: list[str], who: str, functions: Functions) -> Any:
    """The loss of a model with these outputs. Keras describes one loss, a list in the order of the outputs, or a dictionary."""
    several = isinstance(described, list) or (isinstance(described, dict) and "class_name" not in described)
    if len(names) == 1:
        given = list(weights.values()) if isinstance(weights, dict) else weights
        if any(weight not in (None, 1) for weight in (given if isinstance(given, list) else [given])):
            raise NotHere(f"the loss_weights {weights!r}")
        only = (
            next(iter(described.values() if isinstance(described, dict) else described), None) if several else described
        )
        return _our_loss(only, functions)
    listed = of_each(described, names, "loss", who) if several else [described] * len(names)
    if not all(listed):
        raise NotHere("a model with an output that has no loss")
    given = [1.0 if weight is None else weight for weight in weights] if isinstance(weights, list) else weights
    return combined([_our_loss(one, functions) for one in listed], given, names, who)


def _our_schedule(described: dict[str, Any]) -> Any:
    kind, config = class_and_config(described)
    if kind == "ExponentialDecay":
        make = schedules.StepDecay if config.get("staircase") else schedules.ExponentialDecay
        return make(config["initial_learning_rate"], config["decay_steps"], config["decay_rate"])
    if kind == "CosineDecay" and not config.get("warmup_steps"):
        rate = config["initial_learning_rate"]
        return schedules.CosineDecay(rate, config["decay_steps"], final=rate * config.get("alpha", 0.0))
    raise NotHere(f"the schedule {kind!r}")


def _our_loss(described: Any, functions: Functions) -> losses.Loss:
    name, config = class_and_config(described)
    if function_name(described) in functions:
        return losses.FunctionLoss(functions[function_name(described)])
    plain = keras_name(str(name))
    plain, logits = _SHORT.get(plain, plain), bool(config.get("from_logits"))
    other_mean = config.get("reduction", "auto") not in ("sum_over_batch_size", "mean", "auto", None)
    other_axis = config.get("axis") not in (None, -1)
    smoothing = config.get("label_smoothing") or 0.0
    smoothed = smoothing and plain != "categorical_crossentropy"
    ignored = config.get("ignore_class")
    if other_mean or (ignored is not None and plain != _CROSS_ENTROPIES[0]) or smoothed or other_axis:
        raise NotHere(f"the loss {plain!r} with its reduction, ignore_class, label_smoothing or axis")
    if plain in _CROSS_ENTROPIES:
        return losses.CrossEntropyLoss(smoothing, logits, ignored)
    for cls, (known, from_logits) in _LOSSES.items():
        if keras_name(known) == plain and from_logits == logits:
            return cls(**own_arguments(cls, config))
    remedy = f'; functions={{"{name}": {name}}} gives it' if function_name(described) else ""
    raise NotHere(f"the loss {plain!r}{remedy}")

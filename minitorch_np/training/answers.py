"""Answers: probabilities and classes in place of the outputs of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model

_OFF = 1e-3  # by how much rounding may carry a probability out of 0 to 1


def predict_proba(model: Model, x: Any, batch_size: int | None) -> Any:
    """See Model.predict_proba."""
    return _of_each_output(model, x, batch_size, "predict_proba", _probabilities)


def predict_classes(model: Model, x: Any, batch_size: int | None) -> Any:
    """See Model.predict_classes."""
    return _of_each_output(model, x, batch_size, "predict_classes", _classes)


def score(model: Model, x: Any, y: Any) -> float:
    """See Model.score."""
    from minitorch_np.metrics.finding import find  # loads all metrics

    who, outputs = model._require_compiled("score"), model.predict(x)
    if isinstance(outputs, list):
        raise ValueError(f"{who}: the model has several outputs. Write model.evaluate(x, y), with metrics in compile.")
    loss = model.loss
    name = "accuracy" if loss.probabilistic or loss.from_logits else "r2"
    return find(name, model.output_shape or (), loss.from_logits, loss.binary)(outputs, y)


def _of_each_output(
    model: Model,
    x: Any,
    batch_size: int | None,
    method: str,
    answers: Callable[[str, Loss | None, str, NDArray], NDArray],
) -> Any:
    """The answers for the outputs of a model, of several outputs a list."""
    who = f"{type(model).__name__}.{method}"
    outputs = model.predict(x, batch_size=batch_size)
    if isinstance(outputs, list):  # of a Graph; its loss has one for each
        losses: list[Any] = getattr(model.loss, "losses", [None] * len(outputs))
        return [answers(who, loss, "", output) for loss, output in zip(losses, outputs, strict=True)]
    last = getattr(model.last_layer(), "keras_activation", None) or ""
    return answers(who, model.loss, last, outputs)


def _probabilities(who: str, loss: Loss | None, last: str, outputs: NDArray) -> NDArray:
    _refuse_numbers(who, loss, last)
    if loss is None or not loss.probabilistic:
        found = outputs if outputs.shape[-1] > 1 else np.concatenate([1 - outputs, outputs], axis=-1)
    else:
        found = loss.probabilities(outputs)
    if found.min(initial=0) < -_OFF or found.max(initial=0) > 1 + _OFF:
        said = "the model is not compiled" if loss is None else f"{loss!r} takes outputs as they are"
        raise ValueError(
            f"{who}: {said}, and the outputs lie between {outputs.min():g} and {outputs.max():g}, so they are no probabilities. Compile the "
            "model with the loss that it was trained with, or end it with Softmax() or Sigmoid()."
        )
    return found


def _classes(who: str, loss: Loss | None, last: str, outputs: NDArray) -> NDArray:
    if loss is None or loss.probabilistic or not loss.from_logits:  # margins are cut at 0
        _refuse_numbers(who, loss, last)
    alone = outputs.shape[-1] == 1
    separate = last == "sigmoid" if loss is None else loss.binary
    if not alone and not separate:
        return outputs.argmax(axis=-1)
    if loss is None and last != "sigmoid":
        raise ValueError(
            f"{who}: the model is not compiled, so it is not known where its output says yes. Compile it with the loss that it was "
            "trained with."
        )
    answers = (outputs > (0 if loss is not None and loss.from_logits else 0.5)).astype(np.int64)
    return answers[..., 0] if alone else answers


def _refuse_numbers(who: str, loss: Loss | None, last: str) -> None:
    """Raise ValueError if the outputs are numbers or margins, not about probabilities."""
    if loss is None or loss.probabilistic or last in ("sigmoid", "softmax"):
        return
    kind = "margins" if loss.from_logits else "numbers"
    raise ValueError(
        f"{who}: {loss!r} says nothing of probabilities, so the outputs are taken as {kind}; model.predict(x) gives them. For classes, "
        "train with BCELoss() after Sigmoid() or with CrossEntropyLoss(). If they are scores of classes, write "
        "mt.Sequential([model, mt.Softmax()])."
    )

"""Answers: probabilities and classes in place of the outputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.shapes import has_several

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.model import Model

_OFF = 1e-3  # by how much rounding may carry a sum of probabilities away from 1


def predict_proba(model: Model, x: Any, batch_size: int | None) -> NDArray:
    """See Model.predict_proba."""
    who = f"{type(model).__name__}.predict_proba"
    _refuse_several(model, who)
    _refuse_numbers(model, who)
    outputs = model.predict(x, batch_size=batch_size)
    if model.loss is None or not model.loss.probabilistic:
        found = outputs if outputs.shape[-1] > 1 else np.concatenate([1 - outputs, outputs], axis=-1)
    else:
        found = model.loss.probabilities(outputs)
    if found.min(initial=0) < -_OFF or found.max(initial=0) > 1 + _OFF:
        said = "the model is not compiled" if model.loss is None else f"{model.loss!r} takes outputs as they are"
        raise ValueError(
            f"{who}: {said}, and the outputs lie between {outputs.min():g} and {outputs.max():g}, so they are no probabilities. Compile the "
            "model with the loss that it was trained with, or end it with Softmax() or Sigmoid()."
        )
    return found


def predict_classes(model: Model, x: Any, batch_size: int | None) -> NDArray:
    """See Model.predict_classes."""
    who, loss = f"{type(model).__name__}.predict_classes", model.loss
    _refuse_several(model, who)
    if loss is None or loss.probabilistic or not loss.from_logits:  # margins are cut at 0
        _refuse_numbers(model, who)
    outputs = model.predict(x, batch_size=batch_size)
    alone = outputs.shape[-1] == 1
    separate = _ends_in(model, "sigmoid") if loss is None else loss.binary
    if not alone and not separate:
        return outputs.argmax(axis=-1)
    if loss is None and not _ends_in(model, "sigmoid"):
        raise ValueError(
            f"{who}: the model is not compiled, so it is not known where its output says yes. Compile it with the loss that it was "
            "trained with."
        )
    answers = (outputs > (0 if loss is not None and loss.from_logits else 0.5)).astype(np.int64)
    return answers[..., 0] if alone else answers


def _refuse_several(model: Model, who: str) -> None:
    """Raise ValueError if the model has several outputs, of which some may be numbers."""
    model.require_built(who)
    if has_several(model.output_shape or ()):
        raise ValueError(
            f"{who}: the model has several outputs. Write a, b = model.predict(x) and mt.Sequential([mt.Softmax()]).predict(a) or "
            "a.argmax(axis=-1) for the one that you want."
        )


def _refuse_numbers(model: Model, who: str) -> None:
    """Raise ValueError if the outputs are numbers or margins, not about probabilities."""
    loss = model.loss
    if loss is None or loss.probabilistic or _ends_in(model, "sigmoid") or _ends_in(model, "softmax"):
        return
    kind = "margins" if loss.from_logits else "numbers"
    raise ValueError(
        f"{who}: {loss!r} is a loss of {kind}, so the outputs are no probabilities; model.predict(x) gives them. For classes, train with "
        "BCELoss() after Sigmoid() or with CrossEntropyLoss()."
    )


def _ends_in(model: Model, activation: str) -> bool:
    return getattr(model.last_layer(), "keras_activation", None) == activation

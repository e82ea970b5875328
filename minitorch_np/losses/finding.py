"""Finding the loss that compile was given: by the name that Keras gives it, as in compile("adam", "mse"), or for a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from minitorch_np.base.by_name import by_name
from minitorch_np.base.foreign_objects import of_framework
from minitorch_np.base.validation import target_comes_first
from minitorch_np.losses.binary import BCELoss, HingeLoss
from minitorch_np.losses.classes import CrossEntropyLoss
from minitorch_np.losses.function import FunctionLoss
from minitorch_np.losses.loss import Loss
from minitorch_np.losses.regression import HuberLoss, L1Loss, MSELoss

AnyLoss = str | Loss | Callable[..., Any]  # what compile takes


def _cross_entropy_of_probabilities() -> Loss:
    return CrossEntropyLoss(from_logits=False)


# Our losses for Keras's names, with Keras's default settings. Its cross-entropies take probabilities.
BY_NAME: Mapping[str, Callable[[], Loss]] = MappingProxyType(
    {
        "mse": MSELoss,
        "mean_squared_error": MSELoss,
        "mae": L1Loss,
        "mean_absolute_error": L1Loss,
        "huber": HuberLoss,
        "hinge": HingeLoss,
        "binary_crossentropy": BCELoss,
        "bce": BCELoss,
        "categorical_crossentropy": _cross_entropy_of_probabilities,
        "sparse_categorical_crossentropy": _cross_entropy_of_probabilities,
    }
)


def find(name: str, who: str) -> Loss:
    """A new loss of this name. Raises ValueError for an unknown name."""
    return by_name(name, BY_NAME, who, "a loss such as BCELoss(), a function (prediction, target)")()


def as_loss(given: Any, who: str) -> Any:
    """A name or a function as a Loss; anything else as it is.

    Raises:
        ValueError: an unknown name; a function whose parameters' names do not tell which is the prediction.
    """
    if isinstance(given, str):
        return find(given, who)
    if not is_function(given):
        return given
    target_comes_first(given, f"{who}: loss")
    return FunctionLoss(given)


def is_function(given: Any) -> bool:
    """Whether it is a function (prediction, target) -> values. The losses of other frameworks are objects with a method."""
    return (
        callable(given)
        and not isinstance(given, type)
        and not any(hasattr(given, name) for name in ("forward", "call"))
        and not of_framework(given)
    )

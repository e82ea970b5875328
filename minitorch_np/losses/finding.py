"""Finding a loss by the name that Keras gives it, as in compile("adam", "mse")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from minitorch_np.base.by_name import by_name
from minitorch_np.losses.binary import BCELoss, HingeLoss
from minitorch_np.losses.classes import CrossEntropyLoss
from minitorch_np.losses.loss import Loss
from minitorch_np.losses.regression import HuberLoss, L1Loss, MSELoss


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
    return by_name(name, BY_NAME, who, "a loss such as BCELoss()")()

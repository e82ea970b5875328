"""Finding an optimiser by the name that Keras gives it, as in compile("adam", "mse")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from minitorch_np.base.by_name import by_name
from minitorch_np.optimizers.adam import Adam, AdamW, Nadam
from minitorch_np.optimizers.adaptive import Adagrad, RMSprop
from minitorch_np.optimizers.lion import Lion
from minitorch_np.optimizers.optimizer import Optimizer
from minitorch_np.optimizers.sgd import SGD

# The default settings are Keras's, too.
BY_NAME: Mapping[str, Callable[[], Optimizer]] = MappingProxyType(
    {cls.__name__.lower(): cls for cls in (SGD, Adam, AdamW, RMSprop, Adagrad, Nadam, Lion)}
)


def find(name: str, who: str) -> Optimizer:
    """A new optimiser of this name. Raises ValueError for an unknown name."""
    return by_name(name, BY_NAME, who, "an optimizer such as SGD(learning_rate=0.01)")()

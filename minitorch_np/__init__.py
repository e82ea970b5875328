"""minitorch_np: a deep-learning framework in NumPy whose every layer shows its own forward and backward."""

from __future__ import annotations

import importlib
from types import ModuleType

from minitorch_np import initializers as initializers
from minitorch_np import losses as losses
from minitorch_np import metrics as metrics
from minitorch_np import optimizers as optimizers
from minitorch_np.functions import sigmoid as sigmoid
from minitorch_np.layer import Layer as Layer
from minitorch_np.layers import Dense as Dense
from minitorch_np.layers import Flatten as Flatten
from minitorch_np.layers import Input as Input
from minitorch_np.layers import ReLU as ReLU
from minitorch_np.layers import Rescaling as Rescaling
from minitorch_np.layers import Sigmoid as Sigmoid
from minitorch_np.losses import BCELoss as BCELoss
from minitorch_np.losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from minitorch_np.losses import CrossEntropyLoss as CrossEntropyLoss
from minitorch_np.losses import Loss as Loss
from minitorch_np.losses import MSELoss as MSELoss
from minitorch_np.metrics import Metric as Metric
from minitorch_np.model import Model as Model
from minitorch_np.optimizers import SGD as SGD
from minitorch_np.optimizers import Optimizer as Optimizer
from minitorch_np.parameter import Parameter as Parameter
from minitorch_np.sequential import Sequential as Sequential
from minitorch_np.training import Callback as Callback
from minitorch_np.training import History as History

__version__ = "0.1.0"

_ON_DEMAND = ("datasets", "plotting", "significance")  # not needed to compute; loaded when first named


def __getattr__(name: str) -> ModuleType:
    if name in _ON_DEMAND:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_DEMAND])

"""minitorch_np: a deep-learning framework in NumPy whose every layer shows its own forward and backward."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from minitorch_np import initializers as initializers
from minitorch_np import losses as losses
from minitorch_np import metrics as metrics
from minitorch_np import optimizers as optimizers
from minitorch_np import regularizers as regularizers
from minitorch_np.base.answers import in_module
from minitorch_np.base.functions import sigmoid as sigmoid
from minitorch_np.base.parameter import Parameter as Parameter
from minitorch_np.layer import Layer as Layer
from minitorch_np.layers import *  # noqa: F403 every layer: layers/__init__.py lists them
from minitorch_np.losses import BCELoss as BCELoss
from minitorch_np.losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from minitorch_np.losses import CrossEntropyLoss as CrossEntropyLoss
from minitorch_np.losses import FocalLoss as FocalLoss
from minitorch_np.losses import HingeLoss as HingeLoss
from minitorch_np.losses import HuberLoss as HuberLoss
from minitorch_np.losses import KLDivLoss as KLDivLoss
from minitorch_np.losses import L1Loss as L1Loss
from minitorch_np.losses import Loss as Loss
from minitorch_np.losses import MSELoss as MSELoss
from minitorch_np.losses import NLLLoss as NLLLoss
from minitorch_np.metrics import Metric as Metric
from minitorch_np.metrics import significance as significance
from minitorch_np.model import Model as Model
from minitorch_np.optimizers import SGD as SGD
from minitorch_np.optimizers import Adagrad as Adagrad
from minitorch_np.optimizers import Adam as Adam
from minitorch_np.optimizers import AdamW as AdamW
from minitorch_np.optimizers import Lion as Lion
from minitorch_np.optimizers import Nadam as Nadam
from minitorch_np.optimizers import Optimizer as Optimizer
from minitorch_np.optimizers import RMSprop as RMSprop
from minitorch_np.regularizers import L1 as L1
from minitorch_np.regularizers import L1L2 as L1L2
from minitorch_np.regularizers import L2 as L2
from minitorch_np.sequential import Sequential as Sequential
from minitorch_np.training import Callback as Callback
from minitorch_np.training import History as History

__version__ = "0.1.0"

if TYPE_CHECKING:
    from minitorch_np import callbacks as callbacks
    from minitorch_np import datasets as datasets
    from minitorch_np import plotting as plotting
    from minitorch_np import schedules as schedules
    from minitorch_np import tuning as tuning
    from minitorch_np.checking import GradcheckError as GradcheckError
    from minitorch_np.checking import GradcheckReport as GradcheckReport
    from minitorch_np.checking import assert_gradients as assert_gradients
    from minitorch_np.checking import check_optimizer as check_optimizer
    from minitorch_np.checking import gradcheck as gradcheck
    from minitorch_np.saving import ModelFileError as ModelFileError
    from minitorch_np.saving import load_model as load_model

# Not needed to compute, so loaded when first named: modules, and names out of modules.
_ON_DEMAND = (
    dict.fromkeys(("callbacks", "datasets", "plotting", "schedules", "tuning"))
    | dict.fromkeys(
        ("gradcheck", "assert_gradients", "check_optimizer", "GradcheckError", "GradcheckReport"), "checking"
    )
    | dict.fromkeys(("load_model", "ModelFileError"), "saving")
)


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        module = importlib.import_module(f"{__name__}.{_ON_DEMAND[name] or name}")
        return getattr(module, name) if _ON_DEMAND[name] else module
    raise in_module(__name__, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_DEMAND])

"""minitorch_np: a deep-learning framework in NumPy whose every layer shows its own forward and backward."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minitorch_np import initializers, layers, losses, optimizers, regularizers
from minitorch_np.base.blocks import all_cores, blocks_of, in_blocks, set_threads
from minitorch_np.base.functions import sigmoid
from minitorch_np.base.module_names import in_module
from minitorch_np.base.parameter import Parameter
from minitorch_np.layer import Layer
from minitorch_np.layers import *  # noqa: F403
from minitorch_np.losses import *  # noqa: F403
from minitorch_np.model import Model
from minitorch_np.optimizers import *  # noqa: F403
from minitorch_np.regularizers import *  # noqa: F403
from minitorch_np.sequential import Sequential

if TYPE_CHECKING:  # loaded when they are first used, by __getattr__ below
    from minitorch_np import callbacks, constraints, datasets, metrics, plotting, schedules, tuning
    from minitorch_np.callbacks import Callback
    from minitorch_np.checking import (
        GradcheckError,
        GradcheckReport,
        assert_gradients,
        check_optimizer,
        check_training_step,
        gradcheck,
    )
    from minitorch_np.graph import Graph
    from minitorch_np.metrics import Metric, significance
    from minitorch_np.saving import ModelFileError, load_model
    from minitorch_np.source import Source
    from minitorch_np.training.history import History

__version__ = "0.1.0"

# Every public name. Packages that are listed here state their own public names in the same way.
__all__ = [
    "Callback", "GradcheckError", "GradcheckReport", "Graph", "History", "Layer", "Metric", "Model", "ModelFileError", "Parameter",
    "Sequential", "Source", "all_cores", "assert_gradients", "blocks_of", "callbacks", "check_optimizer", "check_training_step",
    "constraints", "datasets", "gradcheck", "in_blocks", "initializers", "layers", "load_model", "losses", "metrics", "optimizers", "plotting", "regularizers", "schedules", "set_threads", "sigmoid",
    "significance", "tuning",
]  # fmt: skip
__all__ += layers.__all__
__all__ += losses.__all__
__all__ += optimizers.__all__
__all__ += regularizers.__all__

_ON_DEMAND = ("callbacks", "constraints", "datasets", "metrics", "plotting", "schedules", "tuning")


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return import_module(f"{__name__}.{name}")
    if name in __all__:
        for package in ("graph", "callbacks", "metrics", "source", "training.history", "saving", "checking"):
            module = import_module(f"{__name__}.{package}")
            if name in module.__all__:
                return getattr(module, name)
    raise in_module(__name__, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__doc__", "__file__", "__name__", "__path__", "__version__"])

"""Gradient checking: whether a backward is right, where it is not, and which bug it is."""

from minitorch_np.checking.adapting import adapt
from minitorch_np.checking.check import GradcheckWarning, assert_gradients, gradcheck
from minitorch_np.checking.optimizers import OptimizerError, check_optimizer
from minitorch_np.checking.report import GradcheckError, GradcheckReport
from minitorch_np.checking.training_step import TrainingStepError, check_training_step

__all__ = [
    "GradcheckError", "GradcheckReport", "GradcheckWarning", "OptimizerError", "TrainingStepError",
    "assert_gradients", "check_optimizer", "check_training_step", "gradcheck",
]  # fmt: skip

gradcheck.adapt = adapt  # type: ignore[attr-defined]  # so that one name is enough: gradcheck.adapt(layer)

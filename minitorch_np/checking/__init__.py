"""Gradient checking: whether a backward is right, where it is not, and which bug it is."""

from minitorch_np.checking.adapt import adapt
from minitorch_np.checking.check import GradcheckWarning as GradcheckWarning
from minitorch_np.checking.check import assert_gradients as assert_gradients
from minitorch_np.checking.check import gradcheck as gradcheck
from minitorch_np.checking.optimizers import OptimizerError as OptimizerError
from minitorch_np.checking.optimizers import check_optimizer as check_optimizer
from minitorch_np.checking.report import GradcheckError as GradcheckError
from minitorch_np.checking.report import GradcheckReport as GradcheckReport

gradcheck.adapt = adapt  # type: ignore[attr-defined]  # so that one name is enough: gradcheck.adapt(layer)

"""Optimisers: how the gradients change the parameters. Names, arguments and formulas are Keras's, except SGD's weight decay."""

from minitorch_np.base.module_names import public_module
from minitorch_np.optimizers.adam import Adam, AdamW, Nadam
from minitorch_np.optimizers.adaptive import Adagrad, RMSprop
from minitorch_np.optimizers.lion import Lion
from minitorch_np.optimizers.optimizer import Optimizer
from minitorch_np.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Lion", "Nadam", "Optimizer", "RMSprop"]

public_module(__name__)

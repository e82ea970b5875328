"""Optimisers: how the gradients change the parameters. Names, arguments and formulas are Keras's, except SGD's weight decay."""

from minitorch_np.base.answers import answering
from minitorch_np.optimizers.adam import Adam as Adam
from minitorch_np.optimizers.adam import AdamW as AdamW
from minitorch_np.optimizers.adam import Nadam as Nadam
from minitorch_np.optimizers.adaptive import Adagrad as Adagrad
from minitorch_np.optimizers.adaptive import RMSprop as RMSprop
from minitorch_np.optimizers.lion import Lion as Lion
from minitorch_np.optimizers.optimizer import Optimizer as Optimizer
from minitorch_np.optimizers.sgd import SGD as SGD

globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

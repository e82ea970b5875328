"""Callbacks with Keras's names: stopping early, keeping the best weights, changing the learning rate, writing a log."""

from minitorch_np.base.answers import answering
from minitorch_np.callbacks.callback import Callback as Callback
from minitorch_np.callbacks.early_stopping import EarlyStopping as EarlyStopping
from minitorch_np.callbacks.early_stopping import TerminateOnNaN as TerminateOnNaN
from minitorch_np.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from minitorch_np.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from minitorch_np.callbacks.logs import CSVLogger as CSVLogger
from minitorch_np.callbacks.logs import TensorBoard as TensorBoard
from minitorch_np.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from minitorch_np.callbacks.monitor import Monitor as Monitor
from minitorch_np.callbacks.progress_bar import ProgressBar as ProgressBar

globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

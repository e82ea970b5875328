"""Callbacks with Keras's names: stopping early, keeping the best weights, changing the learning rate, writing a log."""

from minitorch_np.base.module_names import public_module
from minitorch_np.callbacks.average_weights import AverageWeights
from minitorch_np.callbacks.callback import Callback
from minitorch_np.callbacks.early_stopping import EarlyStopping, TerminateOnNaN
from minitorch_np.callbacks.lambda_callback import LambdaCallback
from minitorch_np.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from minitorch_np.callbacks.logs import CSVLogger, TensorBoard
from minitorch_np.callbacks.model_checkpoint import ModelCheckpoint
from minitorch_np.callbacks.monitor import Monitor
from minitorch_np.callbacks.progress_bar import ProgressBar

__all__ = [
    "AverageWeights", "CSVLogger", "Callback", "EarlyStopping", "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "Monitor", "ProgressBar",
    "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

public_module(__name__)

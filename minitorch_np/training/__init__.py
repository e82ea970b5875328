"""Training: what fit, evaluate and predict do, knowing models, losses and optimisers by their methods alone."""

from minitorch_np.callbacks.callback import Callback as Callback
from minitorch_np.training.history import History as History

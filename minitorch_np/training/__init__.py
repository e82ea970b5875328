"""Training: what fit, evaluate and predict do, knowing models, losses and optimisers by their methods alone."""

from minitorch_np.training.callbacks import Callback as Callback
from minitorch_np.training.history import History as History

"""Code of somebody else as layers, so that gradcheck can look at it: objects, functions, losses, graphs, PyTorch, JAX."""

from minitorch_np.checking.adapting.adapt import adapt, is_pair
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.adapting.losses import adapt_loss

__all__ = ["Foreign", "adapt", "adapt_loss", "is_pair"]

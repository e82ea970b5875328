"""Plots: matplotlib axes in, matplotlib axes out; no display is needed."""

from minitorch_np.plotting.history import plot_history as plot_history
from minitorch_np.plotting.images import plot_images as plot_images
from minitorch_np.plotting.images import plot_mislabeled as plot_mislabeled
from minitorch_np.plotting.matrices import heat_map as heat_map

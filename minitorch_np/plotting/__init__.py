"""Plots: each draws on given or new matplotlib axes and returns them; no display is needed."""

from minitorch_np.base.module_names import public_module
from minitorch_np.plotting.boundary import plot_decision_boundary
from minitorch_np.plotting.filters import plot_filters
from minitorch_np.plotting.history import plot_history, plot_rate_test
from minitorch_np.plotting.images import plot_images, plot_mislabeled, plot_most_wrong
from minitorch_np.plotting.matrices import heat_map, plot_confusion_matrix
from minitorch_np.plotting.search import plot_search

__all__ = [
    "heat_map", "plot_confusion_matrix", "plot_decision_boundary", "plot_filters", "plot_history", "plot_images",
    "plot_mislabeled", "plot_most_wrong", "plot_rate_test", "plot_search",
]  # fmt: skip

public_module(__name__)

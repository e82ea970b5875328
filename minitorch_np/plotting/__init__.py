"""Plots: matplotlib axes in, matplotlib axes out; no display is needed."""

from minitorch_np.base.answers import answering
from minitorch_np.plotting.boundary import plot_decision_boundary as plot_decision_boundary
from minitorch_np.plotting.filters import plot_filters as plot_filters
from minitorch_np.plotting.history import plot_history as plot_history
from minitorch_np.plotting.images import plot_images as plot_images
from minitorch_np.plotting.images import plot_mislabeled as plot_mislabeled
from minitorch_np.plotting.images import plot_most_wrong as plot_most_wrong
from minitorch_np.plotting.matrices import heat_map as heat_map
from minitorch_np.plotting.matrices import plot_confusion_matrix as plot_confusion_matrix
from minitorch_np.plotting.search import plot_search as plot_search

globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

"""Saving: models and weights in files that Keras opens, written whole and read with distrust."""

from minitorch_np.saving.errors import ModelFileError
from minitorch_np.saving.model_file import load_model

__all__ = ["ModelFileError", "load_model"]

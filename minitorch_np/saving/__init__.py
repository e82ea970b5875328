"""Saving: models and weights in files that Keras opens, written whole and read with distrust."""

from minitorch_np.saving.errors import ModelFileError as ModelFileError
from minitorch_np.saving.model_file import load_model as load_model
from minitorch_np.saving.model_file import save_model as save_model

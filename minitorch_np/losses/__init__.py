"""Losses: how wrong a prediction is, as one number, and the gradient of that number.

Names and values are PyTorch's: the mean is over all elements.
"""

from minitorch_np.base.module_names import public_module
from minitorch_np.losses.binary import BCELoss, BCEWithLogitsLoss, FocalLoss, HingeLoss
from minitorch_np.losses.classes import CrossEntropyLoss, KLDivLoss, NLLLoss
from minitorch_np.losses.function import FunctionLoss
from minitorch_np.losses.loss import Loss
from minitorch_np.losses.regression import HuberLoss, L1Loss, MSELoss

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "FocalLoss", "FunctionLoss", "HingeLoss", "HuberLoss", "KLDivLoss",
    "L1Loss", "Loss", "MSELoss", "NLLLoss",
]  # fmt: skip

public_module(__name__)

"""The layers, one file per family."""

from minitorch_np.layers.activations import ReLU as ReLU
from minitorch_np.layers.activations import Sigmoid as Sigmoid
from minitorch_np.layers.augmentation import RandomBrightness as RandomBrightness
from minitorch_np.layers.augmentation import RandomFlip as RandomFlip
from minitorch_np.layers.augmentation import RandomTranslation as RandomTranslation
from minitorch_np.layers.dense import Dense as Dense
from minitorch_np.layers.input import Input as Input
from minitorch_np.layers.preprocessing import Rescaling as Rescaling
from minitorch_np.layers.shaping import Flatten as Flatten

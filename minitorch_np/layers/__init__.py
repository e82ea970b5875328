"""The layers, one file per family."""

from minitorch_np.base.module_names import public_module
from minitorch_np.layers.activations import GELU, LogSoftmax, Sigmoid, SiLU, Softmax, Softplus, Tanh
from minitorch_np.layers.attention import MultiHeadAttention
from minitorch_np.layers.augmentation import RandomBrightness, RandomFlip, RandomTranslation
from minitorch_np.layers.batch_normalization import BatchNormalization
from minitorch_np.layers.bidirectional import Bidirectional
from minitorch_np.layers.convolution import Conv2D
from minitorch_np.layers.dense import Dense
from minitorch_np.layers.depthwise_convolution import DepthwiseConv2D
from minitorch_np.layers.dot import Dot
from minitorch_np.layers.embedding import Embedding, PositionalEmbedding
from minitorch_np.layers.gru import GRU
from minitorch_np.layers.input import Input
from minitorch_np.layers.layer_normalization import LayerNormalization
from minitorch_np.layers.lstm import LSTM
from minitorch_np.layers.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Residual,
    Subtract,
)
from minitorch_np.layers.noise import Dropout, GaussianNoise, SpatialDropout2D
from minitorch_np.layers.padding import GlobalAveragePooling1D, GlobalMaxPooling1D, Masking
from minitorch_np.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from minitorch_np.layers.preprocessing import Normalization, Rescaling
from minitorch_np.layers.rectifiers import ELU, SELU, LeakyReLU, ReLU
from minitorch_np.layers.resizing import UpSampling2D, ZeroPadding2D
from minitorch_np.layers.shaping import Flatten, Permute, Reshape
from minitorch_np.layers.simple_rnn import SimpleRNN
from minitorch_np.layers.unit_normalization import UnitNormalization

__all__ = [
    "ELU", "GELU", "GRU", "LSTM", "SELU", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Bidirectional",
    "Concatenate", "Conv2D", "Dense", "DepthwiseConv2D", "Dot", "Dropout", "Embedding", "Flatten", "GaussianNoise",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Input", "LayerNormalization",
    "LeakyReLU", "LogSoftmax", "Masking", "MaxPooling2D", "Maximum", "Minimum", "MultiHeadAttention", "Multiply", "Normalization", "Permute", "PositionalEmbedding", "RandomBrightness",
    "RandomFlip", "RandomTranslation", "ReLU", "Rescaling", "Reshape", "Residual", "SiLU", "Sigmoid", "SimpleRNN",
    "Softmax", "Softplus", "SpatialDropout2D", "Subtract", "Tanh", "UnitNormalization", "UpSampling2D", "ZeroPadding2D",
]  # fmt: skip

public_module(__name__)

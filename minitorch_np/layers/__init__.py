"""The layers, one file per family."""

from minitorch_np.base.answers import answering
from minitorch_np.layers.activations import GELU as GELU
from minitorch_np.layers.activations import LogSoftmax as LogSoftmax
from minitorch_np.layers.activations import Sigmoid as Sigmoid
from minitorch_np.layers.activations import SiLU as SiLU
from minitorch_np.layers.activations import Softmax as Softmax
from minitorch_np.layers.activations import Softplus as Softplus
from minitorch_np.layers.activations import Tanh as Tanh
from minitorch_np.layers.attention import MultiHeadAttention as MultiHeadAttention
from minitorch_np.layers.augmentation import RandomBrightness as RandomBrightness
from minitorch_np.layers.augmentation import RandomFlip as RandomFlip
from minitorch_np.layers.augmentation import RandomTranslation as RandomTranslation
from minitorch_np.layers.batch_normalization import BatchNormalization as BatchNormalization
from minitorch_np.layers.bidirectional import Bidirectional as Bidirectional
from minitorch_np.layers.combinators import Add as Add
from minitorch_np.layers.combinators import Concatenate as Concatenate
from minitorch_np.layers.combinators import Residual as Residual
from minitorch_np.layers.convolution import Conv2D as Conv2D
from minitorch_np.layers.dense import Dense as Dense
from minitorch_np.layers.depthwise_convolution import DepthwiseConv2D as DepthwiseConv2D
from minitorch_np.layers.embedding import Embedding as Embedding
from minitorch_np.layers.embedding import PositionalEmbedding as PositionalEmbedding
from minitorch_np.layers.gru import GRU as GRU
from minitorch_np.layers.input import Input as Input
from minitorch_np.layers.layer_normalization import LayerNormalization as LayerNormalization
from minitorch_np.layers.lstm import LSTM as LSTM
from minitorch_np.layers.noise import Dropout as Dropout
from minitorch_np.layers.noise import GaussianNoise as GaussianNoise
from minitorch_np.layers.noise import SpatialDropout2D as SpatialDropout2D
from minitorch_np.layers.pooling import AveragePooling2D as AveragePooling2D
from minitorch_np.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from minitorch_np.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from minitorch_np.layers.pooling import MaxPooling2D as MaxPooling2D
from minitorch_np.layers.preprocessing import Normalization as Normalization
from minitorch_np.layers.preprocessing import Rescaling as Rescaling
from minitorch_np.layers.rectifiers import ELU as ELU
from minitorch_np.layers.rectifiers import SELU as SELU
from minitorch_np.layers.rectifiers import LeakyReLU as LeakyReLU
from minitorch_np.layers.rectifiers import ReLU as ReLU
from minitorch_np.layers.recurrent import SimpleRNN as SimpleRNN
from minitorch_np.layers.resizing import UpSampling2D as UpSampling2D
from minitorch_np.layers.resizing import ZeroPadding2D as ZeroPadding2D
from minitorch_np.layers.shaping import Flatten as Flatten
from minitorch_np.layers.shaping import Permute as Permute
from minitorch_np.layers.shaping import Reshape as Reshape

# For `import *` in the package's own __init__.py: the classes, not the files they are in. Type checkers read the lines above.
globals()["__all__"] = [name for name in dir() if name[0].isupper()]

globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

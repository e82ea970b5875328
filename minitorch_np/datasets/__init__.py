"""Data sets: the cat pictures (fetched), handwritten digits (shipped), HDF5 files in the same layout, pictures of one's own, a text."""

from minitorch_np.base.answers import answering
from minitorch_np.datasets.cats import load_cats as load_cats
from minitorch_np.datasets.digits import load_digits as load_digits
from minitorch_np.datasets.download import DataUnavailable as DataUnavailable
from minitorch_np.datasets.folder import ImageFolder as ImageFolder
from minitorch_np.datasets.hdf5 import Dataset as Dataset
from minitorch_np.datasets.hdf5 import load_hdf5 as load_hdf5
from minitorch_np.datasets.images import load_image as load_image
from minitorch_np.datasets.spirals import make_spirals as make_spirals
from minitorch_np.datasets.streaming import HDF5Dataset as HDF5Dataset
from minitorch_np.datasets.text import load_text as load_text

globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

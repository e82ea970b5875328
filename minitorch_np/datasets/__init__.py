"""Data sets: cat images (downloaded), handwritten digits and a text (in the package), HDF5 files in the same layout, your own images."""

from minitorch_np.base.module_names import public_module
from minitorch_np.datasets.cats import load_cats
from minitorch_np.datasets.digits import load_digits
from minitorch_np.datasets.download import DataUnavailable
from minitorch_np.datasets.folder import ImageFolder
from minitorch_np.datasets.hdf5 import Dataset, load_hdf5
from minitorch_np.datasets.images import load_image
from minitorch_np.datasets.sequences import pad_sequences
from minitorch_np.datasets.spirals import make_spirals
from minitorch_np.datasets.streaming import HDF5Dataset
from minitorch_np.datasets.text import load_text
from minitorch_np.datasets.windows import windows

__all__ = [
    "DataUnavailable", "Dataset", "HDF5Dataset", "ImageFolder", "load_cats", "load_digits", "load_hdf5",
    "load_image", "load_text", "make_spirals", "pad_sequences", "windows",
]  # fmt: skip

public_module(__name__)

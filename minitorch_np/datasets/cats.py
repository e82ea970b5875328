"""The cat / non-cat images: 209 for training and 50 for the test, 64 x 64 pixels in colour."""

from __future__ import annotations

from minitorch_np.base.files import AnyPath
from minitorch_np.datasets.download import find_or_download
from minitorch_np.datasets.hdf5 import Dataset, load_hdf5

# These images have no stated licence, so they are downloaded from a public copy and are not in the package.
_ADDRESS = "https://github.com/Mashimo/datascience/raw/9a258e569/datasets/"
_SHA256 = {
    "train_catvnoncat.h5": "fbe56ab67c3ae28d564e3a644189117976d6b31af0a3ce9bb17dbf22908af242",
    "test_catvnoncat.h5": "6a9d39ce52fa85953c5834695b8534a30ed8cfd54971fb2f080b5a24d002b951",
}


def load_cats(folder: AnyPath | None = None) -> Dataset:
    """The images as published: x (n, 64, 64, 3) uint8, y (n,) with 0 for non-cat and 1 for cat.

    The files are taken from folder, from $MINITORCH_NP_DATA or from the user's cache, or downloaded (3 MB). Cats are 34 % of
    the 209 training images and 66 % of the 50 test images; test image 17 is training image 146.

    Raises:
        DataUnavailable: the files were not found and cannot be downloaded; the message names the folder to put them into.
    """
    return load_hdf5(*(find_or_download(_ADDRESS + name, sha256, folder) for name, sha256 in _SHA256.items()))

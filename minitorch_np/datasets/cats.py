"""The cat / non-cat pictures: 209 to learn from and 50 for the test, 64 x 64 pixels in colour."""

from __future__ import annotations

from minitorch_np.base.files import AnyPath
from minitorch_np.datasets.download import find_or_download
from minitorch_np.datasets.hdf5 import Dataset, load_hdf5

# No licence is stated for these pictures, so they are fetched from a public copy and never shipped.
_ADDRESS = "https://github.com/Mashimo/datascience/raw/9a258e569/datasets/"
_SHA256 = {
    "train_catvnoncat.h5": "fbe56ab67c3ae28d564e3a644189117976d6b31af0a3ce9bb17dbf22908af242",
    "test_catvnoncat.h5": "6a9d39ce52fa85953c5834695b8534a30ed8cfd54971fb2f080b5a24d002b951",
}


def load_cats(folder: AnyPath | None = None) -> Dataset:
    """The pictures as published: x (n, 64, 64, 3) uint8, y (n,) with 0 for non-cat and 1 for cat.

    Looked for in folder, in $MINITORCH_NP_DATA and in the user's cache, else downloaded (3 MB). Cats are 34 % of
    the 209 training pictures and 66 % of the 50 test pictures; test picture 17 is training picture 146.

    Raises:
        DataUnavailable: without internet and without the files; it says what to put where.
    """
    return load_hdf5(*(find_or_download(_ADDRESS + name, sha256, folder) for name, sha256 in _SHA256.items()))

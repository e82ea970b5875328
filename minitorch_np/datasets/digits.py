"""Handwritten digits: 1797 images of 8 x 8 pixels, in the package."""

from __future__ import annotations

from importlib.resources import as_file, files

from minitorch_np.datasets.hdf5 import Dataset, load_hdf5


def load_digits() -> Dataset:
    """The test part of the UCI Optical Recognition of Handwritten Digits, split into 1198 training and 599 test images.

    x is (n, 8, 8, 1) uint8 with values 0 to 16, y the digit. The split is fixed and stratified: a third of each
    digit is in the test. Attribution and licence (CC BY 4.0) are in digits_LICENSE.md beside the file.

    Source: Alpaydin & Kaynak 1998, https://doi.org/10.24432/C50P49.
    """
    with as_file(files("minitorch_np.datasets") / "digits.h5") as path:
        return load_hdf5(path)

"""Make digits.h5 from the copy of the data set that scikit-learn carries.

    python tests/make_digits.py minitorch_np/datasets/digits.h5      (needs scikit-learn)

The images of each digit are shuffled with a fixed seed; a third of them, rounded, is the test split.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(path: Path) -> None:
    import h5py
    from sklearn.datasets import load_digits

    data = load_digits()
    x = data.images.astype(np.uint8)[..., None]
    y = data.target.astype(np.int64)
    rng = np.random.default_rng(0)
    is_test = np.zeros(len(y), bool)
    for digit in range(10):
        places = rng.permutation(np.flatnonzero(y == digit))
        is_test[places[: round(len(places) / 3)]] = True
    with h5py.File(path, "w", track_order=True) as file:
        for split, chosen in (("train", ~is_test), ("test", is_test)):
            file.create_dataset(f"{split}_set_x", data=x[chosen], compression="gzip", compression_opts=9, shuffle=True)
            file.create_dataset(f"{split}_set_y", data=y[chosen], compression="gzip", compression_opts=9, shuffle=True)
        file["list_classes"] = np.array([str(digit).encode() for digit in range(10)])
    print(f"{path}: {(~is_test).sum()} training images, {is_test.sum()} test images, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

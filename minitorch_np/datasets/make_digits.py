"""Make digits.h5 from the copy of the data set that scikit-learn carries.

    python -m minitorch_np.datasets.make_digits      (needs the extra `baseline`)

Each digit's pictures are shuffled with a fixed seed; a third, rounded, is held out for the test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np


def main() -> None:
    import h5py
    from sklearn.datasets import load_digits

    data = load_digits()
    x = data.images.astype(np.uint8)[..., None]
    y = data.target.astype(np.int64)
    rng = np.random.default_rng(0)
    held_out = np.zeros(len(y), bool)
    for digit in range(10):
        places = rng.permutation(np.flatnonzero(y == digit))
        held_out[places[: round(len(places) / 3)]] = True
    path = Path(__file__).with_name("digits.h5")
    with h5py.File(path, "w", track_order=True) as file:
        for split, chosen in (("train", ~held_out), ("test", held_out)):
            file.create_dataset(f"{split}_set_x", data=x[chosen], compression="gzip", compression_opts=9, shuffle=True)
            file.create_dataset(f"{split}_set_y", data=y[chosen], compression="gzip", compression_opts=9, shuffle=True)
        file["list_classes"] = np.array([str(digit).encode() for digit in range(10)])
    print(f"{path}: {(~held_out).sum()} to learn from, {held_out.sum()} for the test, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

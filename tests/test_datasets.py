"""Data sets: what they hold, and files that are not what they should be."""

import h5py
import numpy as np
import pytest

from minitorch_np import datasets


def test_digits_are_shipped_whole():
    data = datasets.load_digits()
    assert data.x_train.shape == (1198, 8, 8, 1)
    assert data.x_test.shape == (599, 8, 8, 1)
    assert data.x_train.dtype == np.uint8
    assert (data.x_train.min(), data.x_train.max()) == (0, 16)
    assert data.class_names == [str(digit) for digit in range(10)]
    shares = np.bincount(data.y_test) / np.bincount(np.concatenate([data.y_train, data.y_test]))
    np.testing.assert_allclose(shares, 1 / 3, atol=0.003)


def test_digits_are_those_of_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn")
    theirs, ours = sklearn_datasets.load_digits(), datasets.load_digits()

    def rows(x, y):
        return sorted(map(tuple, np.column_stack([x.reshape(len(x), -1), y]).astype(int)))

    ours_x, ours_y = np.concatenate([ours.x_train, ours.x_test]), np.concatenate([ours.y_train, ours.y_test])
    assert rows(ours_x, ours_y) == rows(theirs.images, theirs.target)


def test_the_script_makes_the_shipped_file(tmp_path):
    pytest.importorskip("sklearn.datasets", reason="needs scikit-learn")
    from make_digits import main

    main(tmp_path / "digits.h5")
    for made, shipped in zip(datasets.load_hdf5(tmp_path / "digits.h5"), datasets.load_digits(), strict=True):
        np.testing.assert_array_equal(made, shipped)


def test_the_text_is_shipped_whole():
    text = datasets.load_text()
    assert (len(text), len(set(text)), text.count("CHAPTER "), text.count("Alice")) == (143_032, 69, 12, 395)
    assert text.endswith("remembering her own child-life, and the happy summer days.\n")


def test_cats_are_as_published(cats):
    assert cats.x_train.shape == (209, 64, 64, 3)
    assert cats.x_test.shape == (50, 64, 64, 3)
    assert cats.x_train.dtype == np.uint8
    assert cats.class_names == ["non-cat", "cat"]
    assert cats.y_train.mean() == pytest.approx(0.344, abs=0.001)
    assert cats.y_test.mean() == 0.66
    np.testing.assert_array_equal(cats.x_test[17], cats.x_train[146])
    assert cats.describe().splitlines()[2] == "  test   x (50, 64, 64, 3)  y (50,)  non-cat 34.0%, cat 66.0%"


@pytest.fixture
def write(tmp_path):
    def write(name="data.h5", **arrays):
        with h5py.File(tmp_path / name, "w") as file:
            for key, value in arrays.items():
                file[key] = value
        return tmp_path / name

    return write


def test_one_file_with_one_set_is_enough(write):
    data = datasets.load_hdf5(write(train_set_x=np.ones((3, 2, 2, 1), np.uint8), train_set_y=[0, 2, 1]))
    assert data.x_test.shape == (0, 2, 2, 1)
    assert data.class_names == ["0", "1", "2"]


def test_missing_keys_list_those_present(write):
    with pytest.raises(ValueError, match=r"expected train_set_x and train_set_y, .* keys present: images, labels\."):
        datasets.load_hdf5(write(images=[1], labels=[1]))
    with pytest.raises(ValueError, match="train_set_x is there without train_set_y"):
        datasets.load_hdf5(write(train_set_x=[[1]]))


def test_lengths_that_differ_are_named(write):
    with pytest.raises(ValueError, match="train_set_x has 3 examples, train_set_y has 2"):
        datasets.load_hdf5(write(train_set_x=np.ones((3, 2)), train_set_y=[0, 1]))


def test_what_is_no_hdf5_file_is_reported(tmp_path):
    (tmp_path / "page.h5").write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"page\.h5: not a readable HDF5 file"):
        datasets.load_hdf5(tmp_path / "page.h5")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        datasets.load_hdf5(tmp_path / "none.h5")
    with pytest.raises(ValueError, match="at least one file"):
        datasets.load_hdf5()


def test_spirals_have_as_many_points_of_each_class_and_lie_on_their_arms():
    x, y = datasets.make_spirals(90, classes=3, noise=0, rng=4)
    np.testing.assert_array_equal(np.bincount(y), [30, 30, 30])
    radius = np.hypot(*x.T)
    assert radius.max() <= 4
    turned = np.arctan2(x[:, 1], x[:, 0]) - 2 * np.pi * y / 3
    np.testing.assert_allclose(np.exp(1j * turned), np.exp(0.75j * np.pi * radius), atol=1e-12)


def test_spirals_repeat_with_their_seed_and_spread_with_their_noise():
    (still, _), (noisy, _), (again, _) = (datasets.make_spirals(4000, noise=noise, rng=1) for noise in (0, 0.2, 0.2))
    np.testing.assert_array_equal(noisy, again)
    assert (noisy - still).std() == pytest.approx(0.2, rel=0.05)
    with pytest.raises(ValueError, match="expected n >= classes >= 2 and noise >= 0, got n=1"):
        datasets.make_spirals(1)


def test_control_characters_in_a_file_are_not_printed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["\x1b]0;owned\x07"] = np.zeros(3)
    with pytest.raises(ValueError, match="keys present") as caught:
        datasets.load_hdf5(tmp_path / "a.h5")
    assert str(caught.value).isprintable()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train_set_x"], file["train_set_y"] = np.zeros((2, 3, 3, 1), "u1"), [0, 1]
        file["list_classes"] = ["\x1b[2Jcat", "dog"]
    assert "\x1b" not in datasets.load_hdf5(tmp_path / "a.h5").describe()

"""Saved weights: they come back as they were, or not at all."""

import os

import h5py
import numpy as np
import pytest

import minitorch_np as mt


def network(units=3, seed=1):
    return mt.Sequential([mt.Input((4,)), mt.Dense(units), mt.ReLU(), mt.Dense(1)], rng=seed)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.weights.h5"
    network().save_weights(path)
    return path


def test_values_come_back_to_the_bit(saved):
    model = network(seed=2)
    model.load_weights(saved)
    for a, b in zip(model.get_weights(), network().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_layout_is_that_of_keras(saved):
    with h5py.File(saved) as file:
        found = []
        file.visititems(lambda name, item: found.append((name, item.shape)) if hasattr(item, "shape") else None)
    assert found == [
        ("layers/dense/vars/0", (4, 3)), ("layers/dense/vars/1", (3,)),
        ("layers/dense_1/vars/0", (3, 1)), ("layers/dense_1/vars/1", (1,)),
    ]  # fmt: skip


def change(path, place, value):
    """As Keras or a forger would write it: an HDF5 file without the sum in front."""
    path.write_bytes(path.read_bytes()[512:])
    with h5py.File(path, "r+") as file:
        if place in file:
            del file[place]
        if value is not None:
            file[place] = value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"dense_1\.bias is missing \(expected at layers/dense/vars/1\)"),
        (np.zeros(4), r"dense_1\.bias has shape \(3,\) here, \(4,\) of float64 in the file"),
        (np.zeros(3, int), "of int64 in the file"),
        (np.full(3, np.nan), r"dense_1\.bias holds values that are not finite"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(saved, value, message):
    change(saved, "layers/dense/vars/1", value)
    model = network(seed=2)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.load_weights(saved)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_a_value_too_many_is_named(saved):
    change(saved, "layers/dense_2/vars/0", np.zeros(3))
    with pytest.raises(mt.ModelFileError, match="the model has no parameter for layers/dense_2/vars/0"):
        network(seed=2).load_weights(saved)


def test_no_corruption_changes_numbers(saved):
    whole, rng, due = saved.read_bytes(), np.random.default_rng(0), network().get_weights()
    for number in range(300):
        content = bytearray(whole)
        place = int(rng.integers(len(content)))
        if number % 3 == 0:
            content[place] ^= 1 << int(rng.integers(8))
        elif number % 3 == 1:
            del content[place:]
        else:
            content[place : place + 40] = rng.bytes(40)
        saved.write_bytes(content)
        with pytest.raises(mt.ModelFileError):
            network(seed=2).load_weights(saved)
    saved.write_bytes(whole)
    model = network(seed=2)
    model.load_weights(saved)
    np.testing.assert_array_equal(model.get_weights()[0], due[0])


def test_other_files_are_reported(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(ValueError, match="it is not an HDF5 file, or not what was saved"):
        network().load_weights(tmp_path / "text.h5")
    with pytest.raises(mt.ModelFileError, match="there is no such file"):
        network().load_weights(tmp_path / "none.h5")
    with pytest.raises(mt.ModelFileError, match="it is a folder"):
        network().load_weights(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        network().save_weights(tmp_path / "none" / "model.weights.h5")


def test_a_name_that_is_not_that_of_hdf5_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"weights are HDF5, in name\.weights\.h5, got .*w\.npz'. model.save writes"):
        network().save_weights(tmp_path / "w.npz")


def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    before = saved.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        network(seed=5).save_weights(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]

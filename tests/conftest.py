"""What several tests share."""

import os

import numpy as np
import pytest

os.environ.setdefault("MPLBACKEND", "agg")

pytest_plugins = ["minitorch_np.checking.pytest_plugin"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """With `pytest -n` there is a process for each core, so each computes on one."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def cats():
    """The cat images from $MINITORCH_NP_DATA; nothing is downloaded for a test."""
    from minitorch_np import datasets

    folder = os.environ.get("MINITORCH_NP_DATA")
    if not folder or not os.path.exists(os.path.join(folder, "train_catvnoncat.h5")):
        pytest.skip("needs the cat images: set MINITORCH_NP_DATA to the folder that holds them")
    return datasets.load_cats(folder)

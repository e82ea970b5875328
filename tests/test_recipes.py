"""The recipes in models/, run as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitorch_np as mt

MODELS = Path(__file__).parents[1] / "models"
pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'minitorch-np[demo]'")


def run(recipe, *options, folder, offline=False):
    environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "MPLBACKEND": "agg"}
    if offline:
        environment.pop("MINITORCH_NP_DATA", None)
        environment["https_proxy"] = "http://127.0.0.1:9"  # where nobody listens
    command = [sys.executable, str(MODELS / recipe), "--output", str(folder / "output"), *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def metrics(folder, name="metrics.json"):
    return json.loads((folder / "output" / name).read_text())


def test_cats_offline_says_so_and_ends_with_a_trained_network(tmp_path):
    done = run("cat_classifier.py", "--epochs", "600", folder=tmp_path, offline=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The shipped digits stand in, 3 against 8, because train_catvnoncat.h5 is not here")
    assert "MINITORCH_NP_DATA" in done.stdout.splitlines()[0]
    assert "not significant, chance alone can do that (exact McNemar p =" in done.stdout
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "example.png", "learning_curve.png", "mislabelled.png", "metrics.json", "digit_classifier.keras"
    }  # fmt: skip
    assert metrics(tmp_path)["test"]["the network"]["accuracy"] > 0.9


def test_a_picture_is_predicted_with_the_saved_weights(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    from minitorch_np import datasets

    data = datasets.load_digits()
    eight = data.x_test[np.flatnonzero(data.y_test == 8)[0]].squeeze(-1)
    image.fromarray((eight * 15.9).astype(np.uint8)).save(tmp_path / "eight.png")
    first = run("cat_classifier.py", "--image", str(tmp_path / "eight.png"), folder=tmp_path, offline=True)
    assert "eight.png: 8 (probability of 8: 0.9" in first.stdout, first.stdout + first.stderr
    again = run("cat_classifier.py", "--image", str(tmp_path / "eight.png"), folder=tmp_path, offline=True)
    assert "cost after" not in again.stdout
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image", "none.png"], "No such file"),
        (["--learning-rate", "-1"], "learning_rate is a finite number of at least 0"),
        (["--epochs", "0"], "epochs is an int of at least 1"),
        (["--hidden", "0"], "units is the number of outputs"),
        (["--seed", "-3"], "a seed is an int of at least 0"),
    ],
)
def test_mistakes_are_said_in_one_line(tmp_path, options, message):
    done = run("cat_classifier.py", *options, folder=tmp_path, offline=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_cats_report_what_was_asked(tmp_path, cats):
    done = run("cat_classifier.py", "--epochs", "150", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for line in (
        "209 training and 50 test pictures of 64 x 64 pixels with 3 channels",
        "x (209, 64, 64, 3)  y (209,)  non-cat 65.6%, cat 34.4%",
        "dense_1 (Dense)           (batch, 20)             245,780",
        "cost after  100 steps",
        "always 'cat'                          66.0%       17   52% to 78%",
    ):
        assert line in done.stdout
    if "scikit-learn's logistic regression: intercept -0.00" in done.stdout:
        assert metrics(tmp_path)["test"]["scikit-learn's logistic regression"]["misses"] == 14


def test_digits(tmp_path):
    done = run("digits_classifier.py", "--epochs", "15", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path, "digits_metrics.json")["test"]["network"]["accuracy"] > 0.94
    assert (tmp_path / "output" / "digits_mislabelled.png").stat().st_size > 5000


@pytest.mark.parametrize("classes", ["2", "3"])
def test_spirals(tmp_path, classes):
    done = run("spirals.py", "--classes", classes, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = metrics(tmp_path, "spirals_metrics.json")["test"]
    assert scores["network"]["accuracy"] > 0.97
    assert scores["regression"]["accuracy"] < 0.75
    assert (tmp_path / "output" / "spirals.png").stat().st_size > 50_000


def test_spirals_say_mistakes_in_one_line(tmp_path):
    done = run("spirals.py", "--noise", "-1", folder=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "noise >= 0" in done.stderr


def test_the_text_generator_learns_and_goes_on_from_a_prompt(tmp_path):
    small = ("--epochs", "1", "--context", "32", "--width", "32", "--blocks", "1", "--batch-size", "128")
    done = run("text_generator.py", *small, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = metrics(tmp_path, "text_metrics.json")["test"]
    assert scores["network"]["perplexity"] < scores["unigram"]["perplexity"]
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "text_generator.keras", "text_learning_curve.png", "text_metrics.json", "text_sample.txt"
    }  # fmt: skip
    again = run("text_generator.py", "--prompt", "The Queen ", folder=tmp_path)
    assert "The model is that of" in again.stdout, again.stderr
    assert (tmp_path / "output" / "text_sample.txt").read_text().startswith("The Queen ")
    strange = run("text_generator.py", "--prompt", "7 o'clock", folder=tmp_path)
    assert strange.stderr == "text_generator: the prompt holds '7', which does not occur in the text.\n"


def test_measuring_a_recipe_prints_its_row(tmp_path):
    command = [sys.executable, str(MODELS / "measure.py"), "digits_classifier", "--seeds", "2", "--epochs", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "MPLBACKEND": "agg"})
    assert done.stdout.startswith("| `digits_classifier.py` | 9")


def test_whitened_patches_vary_alike_and_independently(monkeypatch, rng):
    monkeypatch.syspath_prepend(MODELS)
    from cat_convnet import COMPONENTS, whitening

    noise = rng.uniform(0, 255, (40, 17, 17, 3)) * (0.5, 1, 1)
    pictures = (noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1] + noise[:, :-1, :-1]) / 4  # neighbours agree
    kernels = whitening(pictures)
    assert kernels.shape == (3, 3, 3, 2 * COMPONENTS)
    convolution = mt.Conv2D(2 * COMPONENTS, 3, use_bias=False)
    convolution(pictures)  # builds it
    convolution.kernel.value = kernels
    seen = convolution(pictures / 255).reshape(-1, 2, COMPONENTS)
    np.testing.assert_allclose(seen[:, 1], -seen[:, 0])
    covariance = np.cov(seen[:, 0], rowvar=False)
    variances = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(variances), atol=1e-4)
    assert (np.diff(variances) >= 0).all(), variances
    assert 0.3 < variances.min() < variances.max() < 1  # variance / (variance + 0.01)


def test_a_convnet_offline(tmp_path):
    done = run("cat_convnet.py", "--epochs", "8", folder=tmp_path, offline=True)
    assert done.returncode == 0, done.stderr
    scores = metrics(tmp_path, "convnet_metrics.json")["test"]
    assert scores["the convolutional network"]["accuracy"] > 0.8
    assert "without the copy" not in scores  # of the cats
    path = tmp_path / "output" / "digit_convnet.keras"
    command = [sys.executable, "-m", "minitorch_np", "summary", str(path)]
    assert (
        "batch_normalization_1 (BatchNormalization)"
        in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )


def test_convolutions_read_digits(tmp_path):
    done = run("digits_convnet.py", "--epochs", "4", "--width", "16", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path, "digits_metrics.json")["test"]["network"]["accuracy"] > 0.95
    assert (tmp_path / "output" / "digits_convnet.keras").stat().st_size < 2_000_000

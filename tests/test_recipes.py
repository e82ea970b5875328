"""The recipes in models/, run as a user runs them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitorch_np as mt

MODELS = Path(__file__).parents[1] / "models"
pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'minitorch-np[demo]'")


def start(recipe, *options, folder, offline=False):
    environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "MPLBACKEND": "agg"}
    if offline:
        environment.pop("MINITORCH_NP_DATA", None)
        environment["https_proxy"] = "http://127.0.0.1:9"  # no server listens there
    command = [sys.executable, str(MODELS / recipe), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, env=environment, cwd=folder)


def run(recipe, *options, folder, offline=False):
    process = start(recipe, "--output", str(folder / "output"), *options, folder=folder, offline=offline)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def metrics(folder):
    return json.loads((folder / "output" / "metrics.json").read_text())


def test_cats_offline_says_so_and_ends_with_a_trained_network(tmp_path):
    done = run("cat_classifier.py", "--epochs", "600", folder=tmp_path, offline=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "Using the digits 3 and 8 of the package instead of the cats. train_catvnoncat.h5 was not found"
    )
    assert "MINITORCH_NP_DATA" in done.stdout.splitlines()[0]
    assert "in_span" not in done.stdout  # there are more images than pixels
    assert "not significant, chance alone can do that (exact McNemar p =" in done.stdout
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "example.png", "learning_curve.png", "mislabelled.png", "metrics.json", "digit_classifier.keras"
    }  # fmt: skip
    assert metrics(tmp_path)["test"]["the network"]["accuracy"] > 0.9


def test_an_image_is_predicted_with_the_saved_weights(tmp_path):
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
        (["--learning-rate", "-1"], "--learning-rate: expected a number of at least 0, got '-1'"),
        (["--epochs", "0"], "--epochs: expected a whole number of at least 1, got '0'"),
        (["--hidden", "0"], "--hidden: expected a whole number of at least 1, got '0'"),
        (["--seed", "-3"], "--seed: expected a whole number of at least 0, got '-3'"),
    ],
)
def test_mistakes_are_reported_in_one_line(tmp_path, options, message):
    done = run("cat_classifier.py", *options, folder=tmp_path, offline=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_a_cost_curve_of_one_step_is_a_dot_for_each_of_its_lines(monkeypatch):
    monkeypatch.syspath_prepend(str(MODELS))
    import cat_classifier

    each, lowest = cat_classifier.plot_cost({"loss": [0.7]}).lines
    assert (each.get_marker(), lowest.get_marker()) == ("o", "o")
    each, lowest = cat_classifier.plot_cost({"loss": [0.7, 0.9, 0.5]}).lines
    assert list(lowest.get_ydata()) == [0.7, 0.7, 0.5]
    assert list(each.get_xdata()) == list(lowest.get_xdata()) == [1, 2, 3]


def test_cats_report_their_data_and_scores(tmp_path, cats):
    done = run("cat_classifier.py", "--epochs", "150", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for line in (
        "209 training and 50 test images of 64 x 64 pixels with 3 channels",
        "x (209, 64, 64, 3)  y (209,)  non-cat 65.6%, cat 34.4%",
        "dense_1 (Dense)           (batch, 20)             245,780",
        "the first layer is trained in their span (in_span=True)",
        "cost after  100 steps",
        "always 'cat'                          66.0%       17   52% to 78%",
    ):
        assert line in done.stdout
    if "scikit-learn's logistic regression: intercept -0.00" in done.stdout:
        assert metrics(tmp_path)["test"]["scikit-learn's logistic regression"]["misses"] == 14


def test_digits(tmp_path):
    done = run("digits_classifier.py", "--epochs", "15", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path)["test"]["network"]["accuracy"] > 0.94
    assert (tmp_path / "output" / "mislabelled.png").stat().st_size > 5000


@pytest.mark.parametrize("classes", ["2", "3"])
def test_spirals(tmp_path, classes):
    done = run("spirals.py", "--classes", classes, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = metrics(tmp_path)["test"]
    assert scores["network"]["accuracy"] > 0.97
    assert scores["regression"]["accuracy"] < 0.75
    assert (tmp_path / "output" / "spirals.png").stat().st_size > 50_000


def test_spirals_say_mistakes_in_one_line(tmp_path):
    done = run("spirals.py", "--noise", "-1", folder=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "--noise: expected a number of at least 0, got '-1'" in done.stderr


def test_the_text_generator_learns_and_continues_from_a_prompt(tmp_path):
    small = ("--epochs", "1", "--context", "32", "--width", "32", "--blocks", "1", "--batch-size", "128")
    done = run("text_generator.py", *small, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = metrics(tmp_path)["test"]
    assert scores["network"]["perplexity"] < scores["unigram"]["perplexity"]
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "text_generator.keras", "learning_curve.png", "metrics.json", "sample.txt"
    }  # fmt: skip
    again = run("text_generator.py", "--prompt", "The Queen ", folder=tmp_path)
    assert "The model is that of" in again.stdout, again.stderr
    assert (tmp_path / "output" / "sample.txt").read_text().startswith("The Queen ")
    strange = run("text_generator.py", "--prompt", "7 o'clock", folder=tmp_path)
    assert (
        strange.stderr
        == "text_generator: --prompt: expected characters that occur in the book, got '7'. Leave it out.\n"
    )


@pytest.mark.parametrize(
    ("recipe", "baseline", "enough"),
    [("digits_classifier.py", "regression", 0.95), ("cat_classifier.py", "our logistic regression", 0.85)],
)
def test_baselines_are_trained_to_the_end_whatever_the_epochs_of_the_network(tmp_path, recipe, baseline, enough):
    done = run(recipe, "--epochs", "1", folder=tmp_path, offline=True)
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path)["test"][baseline]["accuracy"] > enough


def test_each_recipe_has_its_own_folder(tmp_path):
    for recipe in ("spirals", "digits_classifier"):
        _, stderr = start(f"{recipe}.py", "--epochs", "1", folder=tmp_path).communicate()
        assert (tmp_path / "output" / recipe / "metrics.json").is_file(), stderr
    assert {path.name for path in (tmp_path / "output").iterdir()} == {"spirals", "digits_classifier"}


@pytest.mark.parametrize(
    "recipe", ["cat_classifier", "cat_convnet", "digits_classifier", "digits_convnet", "spirals", "text_generator"]
)
def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path, recipe):
    (tmp_path / "output").write_text("a file in the place of the folder")
    done = run(f"{recipe}.py", folder=tmp_path, offline=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{recipe}: cannot write into {tmp_path / 'output'} (")
    assert done.stderr.endswith("Choose another folder: --output FOLDER.\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to another process")
def test_ctrl_c_in_training_ends_it_with_a_report_of_what_was_learnt(tmp_path):
    process = start("cat_classifier.py", "--epochs", "100000000", folder=tmp_path, offline=True)
    while not process.stdout.readline().startswith("  cost after"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stderr.strip().startswith("fit: stopped by Ctrl-C in epoch")
    assert stdout.endswith(f"Written to {Path('output', 'cat_classifier')}/\n")


def test_ctrl_c_before_an_epoch_is_whole_ends_a_recipe_with_one_line(monkeypatch, capsys):
    monkeypatch.syspath_prepend(MODELS)
    import recipe

    with pytest.raises(SystemExit) as end:
        recipe.run("spirals", lambda: recipe.stop_if_interrupted(mt.History(), epochs=1))
    assert end.value.code == 130
    assert capsys.readouterr().err == "\nspirals: stopped.\n"


def test_measuring_a_recipe_prints_its_row(tmp_path):
    process = start("measure.py", "digits_classifier", "--seeds", "2", "--epochs", "5", folder=tmp_path)
    stdout, stderr = process.communicate()
    assert stdout.startswith("| `digits_classifier.py` | 9"), stderr
    assert "digits_classifier, seed 1, run 2 of 2" in stderr
    assert stderr.count("% right, trained in") == 2


@pytest.mark.parametrize("name", ["spirals", "spirals.py", "models/spirals.py"])
def test_a_recipe_to_measure_is_named_by_its_name_file_or_path(monkeypatch, name):
    monkeypatch.syspath_prepend(MODELS)
    from measure import recipe_name

    assert recipe_name(name) == "spirals"


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["nothing"], ["measure: argument recipe: expected one of cat_classifier, ", "got 'nothing'."]),
        (["spirals", "--seeds", "0"], ["argument --seeds: expected a whole number of at least 1, got '0'."]),
        (["spirals", "--epochs", "0"], ["argument --epochs: ", "measure: spirals failed with seed 0 (exit code 1)"]),
    ],
)
def test_measuring_says_mistakes_without_a_traceback(tmp_path, options, messages):
    process = start("measure.py", *options, folder=tmp_path)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (1, "")
    assert "Traceback" not in stderr
    for message in messages:
        assert message in stderr


def test_whitened_patches_vary_alike_and_independently(monkeypatch, rng):
    monkeypatch.syspath_prepend(MODELS)
    from cat_convnet import COMPONENTS, whitening

    noise = rng.uniform(0, 255, (40, 17, 17, 3)) * (0.5, 1, 1)
    images = (noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1] + noise[:, :-1, :-1]) / 4  # neighbours agree
    kernels = whitening(images)
    assert kernels.shape == (3, 3, 3, 2 * COMPONENTS)
    convolution = mt.Conv2D(2 * COMPONENTS, 3, use_bias=False)
    convolution(images)  # builds it
    convolution.kernel.value = kernels
    whitened = convolution(images / 255).reshape(-1, 2, COMPONENTS)
    np.testing.assert_allclose(whitened[:, 1], -whitened[:, 0])
    covariance = np.cov(whitened[:, 0], rowvar=False)
    variances = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(variances), atol=1e-4)
    assert (np.diff(variances) >= 0).all(), variances
    assert 0.3 < variances.min() < variances.max() < 1  # variance / (variance + 0.01)


def test_a_convnet_offline(tmp_path):
    done = run("cat_convnet.py", "--epochs", "8", folder=tmp_path, offline=True)
    assert done.returncode == 0, done.stderr
    scores = metrics(tmp_path)["test"]
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
    assert metrics(tmp_path)["test"]["network"]["accuracy"] > 0.95
    assert (tmp_path / "output" / "digits_convnet.keras").stat().st_size < 2_000_000

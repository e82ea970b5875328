"""The command minitorch-np: summary, predict and evaluate, and its messages."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.cli import main

Image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install 'minitorch-np[image]'")
MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture
def images(tmp_path, rng):
    """Dark images and light ones, larger than the model's."""
    paths = {}
    for name, low in (("dark", 0), ("light", 128)):
        paths[name] = str(tmp_path / f"{name}.png")
        pixels = rng.integers(low, low + 128, (4, 3, 3)).repeat(10, axis=0).repeat(10, axis=1)
        Image.fromarray(pixels.astype(np.uint8)).save(paths[name])
    return paths


def trained(last, loss, units=1):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = rng.integers(0, 128, (80, 4, 3, 3)) + 128 * y[:, None, None, None]
    layers = [mt.Input((4, 3, 3)), mt.Rescaling(1 / 255), mt.Flatten(), mt.Dense(units), *last]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(0.5), loss, ["accuracy"])
    model.fit(x.astype(np.uint8), y, epochs=60)
    model.class_names = ["dark", "light"]
    return model


@pytest.fixture(params=["sigmoid", "logit", "scores"])
def file(request, tmp_path):
    make = {
        "sigmoid": ([mt.Sigmoid()], mt.BCELoss()),
        "logit": ([], mt.BCEWithLogitsLoss()),
        "scores": ([], mt.CrossEntropyLoss(), 2),
    }
    trained(*make[request.param]).save(tmp_path / "model.keras")
    return str(tmp_path / "model.keras")


@pytest.mark.parametrize("compiled", [False, True])
def test_predict_does_not_call_scores_probabilities(tmp_path, images, capsys, compiled):
    layers = [mt.Input((4, 3, 3)), mt.Flatten(), mt.Dense(3, bias_initializer=mt.initializers.Constant(5))]
    model = mt.Sequential(layers, rng=0)
    if compiled:
        model.compile(mt.SGD(), mt.MSELoss())
    model.save(tmp_path / "model.keras")
    assert main(["predict", str(tmp_path / "model.keras"), images["dark"]]) == 2
    err = capsys.readouterr().err
    assert "its outputs are not probabilities" in err
    assert len(err.splitlines()) == 1


def test_predict_names_the_class_and_its_probability(file, images, capsys):
    assert main(["predict", file, images["dark"], images["light"]]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith(f"{images['dark']}: dark 0.9")
    assert lines[1].startswith(f"{images['light']}: light 0.9")
    assert err == ""
    assert main(["predict", "--json", file, images["dark"]]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["class"] == "dark"
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_one_bad_image_is_reported_and_the_others_are_predicted(file, images, tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG cut off")
    assert main(["predict", file, str(tmp_path / "bad.png"), str(tmp_path / "none.png"), images["dark"]]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    bad, none = err.splitlines()
    assert "bad.png: not a readable image" in bad
    assert "none.png" in none


def test_an_image_unlike_those_of_training_is_warned_of(file, tmp_path, capsys):
    Image.fromarray(np.full((40, 30, 3), 255, np.uint8)).save(tmp_path / "white.png")
    assert main(["predict", file, str(tmp_path / "white.png")]) == 0
    assert "white.png is unlike the training images" in capsys.readouterr().err


def test_summary_says_what_is_inside(file, capsys):
    assert main(["summary", file]) == 0
    out = capsys.readouterr().out
    assert "dense_1 (Dense)" in out
    assert "classes dark, light" in out
    assert "trained by SGD(learning_rate=0.5)" in out
    assert main(["summary", "--json", file]) == 0
    assert json.loads(capsys.readouterr().out)["input_shape"] == [4, 3, 3]


def test_evaluate_measures_on_a_file(file, tmp_path, rng, capsys):
    with h5py.File(tmp_path / "data.h5", "w") as data:
        data["test_set_x"] = np.concatenate([np.full((3, 4, 3, 3), 60), np.full((1, 4, 3, 3), 190)]).astype(np.uint8)
        data["test_set_y"] = [0, 0, 1, 1]
    assert main(["evaluate", file, str(tmp_path / "data.h5")]) == 0
    assert "4 examples: loss " in (out := capsys.readouterr().out)
    assert "accuracy 0.75" in out
    assert main(["evaluate", "--json", file, str(tmp_path / "data.h5")]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summary", "none.keras"], "none.keras: there is no such file"),
        (["predict", "page.keras", "a.png"], "page.keras: it is not a complete .keras or HDF5 file"),
        (["predict", "vector.keras", "a.png"], "predict takes images, and the inputs of this model have shape (4,)"),
        (["evaluate", "vector.keras", "none.h5"], "none.h5: there is no such file"),
        (["evaluate", "plain.keras", "none.h5"], "has no loss to measure"),
        (["evaluate", "vector.keras", "keys.h5"], "there is no dataset 'test_set_x'; keys present: other"),
        (["evaluate", "vector.keras", "train.h5"], "expected examples of shape (4,), got (5,) from HDF5Dataset"),
        (["evaluate", "--split", "test", "vector.keras", "train.h5"], "there is no dataset 'test_set_x'"),
    ],
)
def test_mistakes_are_reported_in_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("page.keras").write_text("<html>")
    model = mt.Sequential([mt.Input((4,)), mt.Dense(1)])
    model.save("plain.keras")
    model.compile(mt.SGD(), mt.MSELoss()).save("vector.keras")
    for name, key, size in (("keys", "other", 4), ("train", "train_set_x", 5)):
        with h5py.File(f"{name}.h5", "w") as data:
            data[key], data["train_set_y"] = np.zeros((2, size)), np.zeros(2)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_the_command_runs_by_itself(file):
    done = subprocess.run(
        [sys.executable, "-m", "minitorch_np", "summary", file], capture_output=True, text=True, check=True
    )
    assert "dense_1" in done.stdout
    assert subprocess.run([sys.executable, "-m", "minitorch_np"], capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.keras")), ids=lambda path: path.stem)
def test_the_files_of_the_recipes_open_and_are_small(path, capsys):
    assert path.stat().st_size < 2_000_000
    assert main(["summary", str(path)]) == 0
    assert "trained by" in capsys.readouterr().out


def test_the_shipped_image_is_predicted_offline(capsys):
    assert main(["predict", str(MODELS / "cat_classifier.keras"), str(MODELS / "chelsea.png")]) == 0
    assert "chelsea.png: " in capsys.readouterr().out


def test_the_shipped_digits_classifier_is_as_good_as_its_table_says(capsys):
    digits = Path(mt.__file__).parent / "datasets" / "digits.h5"
    assert main(["evaluate", "--json", str(MODELS / "digits_classifier.keras"), str(digits)]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.96


@pytest.mark.parametrize("name", ["digits_classifier", "digits_convnet"])
def test_a_shipped_file_makes_as_many_mistakes_as_the_table_says(name):
    row = re.search(
        rf"^\| `{name}` \| (\d+) of 599 \|", (MODELS / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    _, _, x, y, *_ = mt.datasets.load_digits()
    predicted = mt.load_model(MODELS / f"{name}.keras").predict(x).argmax(axis=1)
    assert np.count_nonzero(predicted != y) == int(row[1])


def test_a_reader_that_leaves_early_is_no_error():
    command = [sys.executable, "-m", "minitorch_np", "summary", str(MODELS / "cat_classifier.keras")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(("bias", "due"), [(2.0, "class 1 score 2"), (-0.5, "class 0 score 0.5")])
def test_a_margin_is_no_probability(tmp_path, images, capsys, bias, due):
    layers = [mt.Input((4, 3, 3)), mt.Flatten(), mt.Dense(1, kernel_initializer="zeros")]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(), mt.HingeLoss())
    model.set_weights([np.zeros((36, 1)), np.array([bias])])
    model.save(tmp_path / "m.keras")
    assert main(["predict", str(tmp_path / "m.keras"), images["dark"]]) == 0
    assert capsys.readouterr().out == f"{images['dark']}: {due}\n"
    assert main(["predict", "--json", str(tmp_path / "m.keras"), images["dark"]]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["scores"] == {"class 0": -bias, "class 1": bias}
    assert "probabilities" not in answer


@pytest.mark.parametrize(
    ("loss", "units", "due"),
    [
        (mt.BCEWithLogitsLoss(), 1, [0.1192, 0.8808]),
        (mt.FocalLoss(), 1, [0.1192, 0.8808]),
        (mt.BCEWithLogitsLoss(), 3, [0.8808, 0.7311, 0.5]),  # questions of their own
        (mt.CrossEntropyLoss(), 3, [0.6652, 0.2447, 0.0900]),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:.*Keras has no FocalLoss")
def test_scores_go_through_the_function_of_their_loss(tmp_path, images, capsys, loss, units, due):
    layers = [mt.Input((4, 3, 3)), mt.Flatten(), mt.Dense(units, kernel_initializer="zeros")]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(), loss)
    model.set_weights([np.zeros((36, units)), np.arange(2.0, 2.0 - units, -1)])
    model.save(tmp_path / "m.keras")
    assert main(["predict", "--json", str(tmp_path / "m.keras"), images["dark"]]) == 0
    chances = list(json.loads(capsys.readouterr().out)["probabilities"].values())
    np.testing.assert_allclose(chances, due, atol=1e-4)


def test_the_values_of_a_regression_are_no_probabilities(tmp_path, images, capsys):
    layers = [mt.Input((4, 3, 3)), mt.Flatten(), mt.Dense(1, bias_initializer=mt.initializers.Constant(0.7))]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(), mt.MSELoss())
    model.set_weights([np.zeros((36, 1)), np.array([0.7])])
    model.save(tmp_path / "m.keras")
    assert main(["predict", str(tmp_path / "m.keras"), images["dark"]]) == 2
    assert "its outputs are not probabilities" in capsys.readouterr().err


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path, images, capsys):
    layers = [mt.Input((4, 3, 3)), mt.Flatten(), mt.Dense(1), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(), mt.BCELoss())
    model.class_names = ["\x1b]0;owned\x07cat", "\u202edog\r"]
    model.save(tmp_path / "m.keras")
    named = tmp_path / "a\x1b[31mred.png"
    named.write_bytes(Path(images["dark"]).read_bytes())
    (tmp_path / "b\x1b[31mred.png").write_bytes(b"not an image")
    assert main(["summary", str(tmp_path / "m.keras")]) == 0
    assert main(["predict", str(tmp_path / "m.keras"), str(named), str(tmp_path / "b\x1b[31mred.png")]) == 1
    assert main(["summary", str(tmp_path / "n\x1b.keras")]) == 2
    for text in capsys.readouterr():
        assert all(line.isprintable() for line in text.splitlines()), text
        assert "\\x1b" in text


@pytest.mark.parametrize(
    "command", ["summary {} >&-", "summary {} >&- 2>&-", "summary {} >/dev/full", "summary none.keras 2>&-"]
)
def test_no_stdout_is_no_traceback(file, command):
    line = f"{sys.executable} -m minitorch_np {command.format(file)}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if "full" in command or "none" in command else 0)


def test_a_name_that_the_terminal_cannot_show_is_escaped(tmp_path):
    model = mt.Sequential([mt.Input((4,)), mt.Dense(1), mt.Sigmoid()], rng=0)
    model.class_names = ["猫", "dog"]
    model.save(tmp_path / "m.keras")
    command = [sys.executable, "-X", "utf8=0", "-m", "minitorch_np", "summary", str(tmp_path / "m.keras")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "\\u732b" in done.stdout

"""`.keras` files: whole, the same again, and refused where anything is wrong with them."""

import io
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from hazards.forging import through_description

import minitorch_np as mt
from minitorch_np.saving import archive


def network(rng=1):
    layers = [mt.Input((4,)), mt.Rescaling(0.5), mt.Dense(3, use_bias=False), mt.ReLU(), mt.Dense(1), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=rng)
    return model.compile(mt.SGD(0.1, momentum=0.9), mt.BCELoss(), metrics=["accuracy"])


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(20, 4))


@pytest.fixture
def trained(x):
    model = network()
    model.fit(x, x[:, 0] > 0, epochs=3)
    model.class_names = ["left", "right"]
    return model


@pytest.fixture
def saved(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_model_comes_back_whole(trained, saved, x):
    model = mt.load_model(saved)
    np.testing.assert_array_equal(model.predict(x), trained.predict(x))
    assert repr(model.layers) == repr(trained.layers)
    assert repr(model.optimizer) == repr(trained.optimizer)
    assert repr(model.loss) == "BCELoss()"
    assert model.metrics == ["accuracy"]
    assert model.class_names == ["left", "right"]
    assert model.evaluate(x, x[:, 0] > 0) == trained.evaluate(x, x[:, 0] > 0)


def test_training_continues_to_the_bit(trained, saved, x):
    model = mt.load_model(saved)
    for one in (model, trained):
        one.fit(x, x[:, 0] > 0, epochs=5, batch_size=None)
    for a, b in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_models_inside_models_schedules_and_dtype_come_back(tmp_path, x):
    inner = mt.Sequential([mt.Dense(3), mt.ReLU()])
    model = mt.Sequential([mt.Input((4,)), inner, mt.Dense(3)], rng=0, dtype="float64")
    model.compile(mt.SGD(mt.schedules.CosineDecay(0.1, 50)), mt.CrossEntropyLoss(0.1))
    model.fit(x, np.arange(20) % 3)
    model.save(tmp_path / "m.keras")
    other = mt.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    assert other.predict(x).dtype == np.float64
    assert repr(other.optimizer) == repr(model.optimizer)
    assert repr(other.loss) == "CrossEntropyLoss(label_smoothing=0.1)"


@pytest.mark.parametrize("optimizer", [mt.SGD(0.1, momentum=0.9), mt.Adam(0.01, amsgrad=True), mt.Adagrad()], ids=repr)
def test_every_optimiser_continues_to_the_bit_and_may_be_left_out(tmp_path, x, optimizer):
    model = mt.Sequential([mt.Input((4,)), mt.Dense(3), mt.Tanh(), mt.Dense(1)], rng=1).compile(optimizer, mt.MSELoss())
    model.fit(x, x[:, 0], epochs=3)
    model.save(tmp_path / "whole.keras")
    model.save(tmp_path / "small.keras", include_optimizer=False)
    small, whole = mt.load_model(tmp_path / "small.keras"), mt.load_model(tmp_path / "whole.keras")
    assert (small.optimizer.iteration, small.optimizer.state) == (0, {})
    assert (tmp_path / "small.keras").stat().st_size < (tmp_path / "whole.keras").stat().st_size
    np.testing.assert_array_equal(small.predict(x), model.predict(x))
    for one in (model, whole):
        one.fit(x, x[:, 0], epochs=3, batch_size=None)
    np.testing.assert_array_equal(whole.get_weights()[0], model.get_weights()[0])
    small.fit(x, x[:, 0])


def test_a_fresh_process_knows_every_class_of_the_package(tmp_path):
    """Also those that `import minitorch_np` does not load."""
    model = mt.Sequential([mt.Input((4,)), mt.Dense(3, kernel_constraint=mt.constraints.MaxNorm(1.5))])
    model.compile(mt.SGD(mt.schedules.CosineDecay(0.1, 50)), mt.CrossEntropyLoss()).save(tmp_path / "m.keras")
    program = "import sys, minitorch_np as mt; model = mt.load_model(sys.argv[1]); print(model, model.optimizer)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m.keras")], capture_output=True, text=True, check=True
    )
    assert "CosineDecay(initial=0.1, steps=50)" in done.stdout
    assert "kernel_constraint=MaxNorm(max_value=1.5)" in done.stdout


class Twice(mt.Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class Wide(mt.Model):
    def __init__(self, units, rng=None, dtype="float32"):
        super().__init__(rng, dtype)
        self.units = units
        self.dense = mt.Dense(units)

    def forward(self, x):
        return self.dense(x)

    def backward(self, dy):
        return self.dense.backward(dy)


@pytest.mark.parametrize("model", [mt.Sequential([mt.Input((4,)), Twice(), mt.Dense(1)]), Wide(2)], ids=repr)
def test_classes_of_ones_own_come_back_through_the_registry(model, tmp_path, x):
    model(x)
    with pytest.warns(UserWarning, match="Keras has no (Twice|Wide), so it will not open this file"):
        model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "m.keras").predict(x), model.predict(x))
    with zipfile.ZipFile(tmp_path / "m.keras") as file:
        assert json.loads(file.read("minitorch_np.json"))["not_in_keras"] in (["Twice"], ["Wide"])


class Apply(mt.Layer):
    """y = function(x)."""

    def __init__(self, function):
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_what_cannot_be_saved_is_named(tmp_path):
    model = mt.Sequential([mt.Input((4,)), Apply(lambda x: np.tanh(x)), mt.Dense(1)])
    with (
        pytest.warns(UserWarning, match="Keras has no Apply"),
        pytest.raises(
            ValueError,
            match=r"argument function: <function .*<lambda> .* cannot be saved, as it has no name.*with a name\. save_weights keeps the weights",
        ),
    ):
        model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"path ends in \.keras"):
        network().save(tmp_path / "m.txt")
    with pytest.raises(FileNotFoundError, match=r"does not exist\. Create it first"):
        network().save(tmp_path / "none" / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file_and_nothing_else(trained, saved, monkeypatch):
    before = saved.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        trained.save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


# Files that are not what they should be


def rewrite(path, change):
    """The archive with its files changed, and the sums made right again: a forger would do no less."""
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist() if name != "sha256.json"}
    own = json.loads(files["minitorch_np.json"])
    change(files, own)
    if "minitorch_np.json" in files:
        files["minitorch_np.json"] = json.dumps(own).encode()
    path.write_bytes(archive.pack(files))


def change_weights(change):
    def apply(files, own):
        memory = io.BytesIO(files["model.weights.h5"])
        with h5py.File(memory, "r+") as file:
            change(file)
        files["model.weights.h5"] = memory.getvalue()

    return apply


def external(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (4, 3), "f4", external=[("/etc/passwd", 0, 48)])


def soft(file):
    file["elsewhere"] = file["layers/dense/vars/0"][()]
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/elsewhere")


def outside(file):
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink("other.h5", "/")


def virtual(file):
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4, 3))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def replaced(place, value):
    def change(file):
        del file[place]
        if value is not None:
            file[place] = value

    return change


def described(change):
    return lambda files, own: change(own)


LAYER = ("model", "config", "layers")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_weights(external), "is not stored in the file itself"),
        (change_weights(soft), "is a link to elsewhere"),
        (change_weights(outside), "is a link to elsewhere"),
        (change_weights(virtual), "is not stored in the file itself"),
        (change_weights(replaced("layers/dense/vars/0", None)), r"dense_1\.kernel is missing"),
        (change_weights(replaced("layers/dense/vars/0", np.zeros((3, 4)))), r"dense_1\.kernel has shape \(4, 3\) here"),
        (change_weights(replaced("layers/dense/vars/0", np.zeros((4, 3), int))), "of int64 in the file"),
        (change_weights(replaced("layers/dense_1/vars/1", np.array([np.nan]))), "holds values that are not finite"),
        (change_weights(replaced("layers/dense", np.zeros(3))), "is missing"),
        (described(lambda own: own["model"]["config"]["layers"][2].update({"class": "os.system"})), "the class 'os.system' is not known"),
        (described(lambda own: own["model"]["config"]["layers"][2].update({"class": "Lambda"})), "the class 'Lambda' is not known"),
        (described(lambda own: own["model"]["config"]["layers"][2].update({"class": ["x"]})), "is not known"),
        (described(lambda own: own["model"]["config"]["layers"][2]["config"].update(units=-1)), "units is the number of outputs"),
        (described(lambda own: own["model"]["config"]["layers"][2]["config"].update(units=True)), "units is the number of outputs"),
        (described(lambda own: own["model"]["config"]["layers"][2]["config"].update(units=float("nan"))), "contains NaN"),
        (described(lambda own: own["model"]["config"]["layers"][2]["config"].update(units=10**9)), "contains 1000000000"),
        (described(lambda own: own["model"]["config"]["layers"][2]["config"].update(evil=1)), "does not take these arguments"),
        (described(lambda own: own["model"]["config"]["layers"][0]["config"].update(shape={"tuple": [90000, 90000]})), "too large"),
        (described(lambda own: own.update(format=99)), "its format is 99, this version reads 1"),
        (described(lambda own: own.pop("format")), "format"),
        (described(lambda own: own.update(model={"class": "SGD", "config": {}})), "holds a SGD, which is not a model"),
        (described(lambda own: own["compile"].update(loss={"class": "SGD", "config": {}})), "optimizer or loss is something else"),
        (lambda files, own: files.pop("model.weights.h5"), r"there is no model\.weights\.h5"),
    ],
)  # fmt: skip
def test_forged_files_are_refused(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(mt.ModelFileError, match=message) as error:
        mt.load_model(saved)
    assert str(saved) in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"class": ' * 5_000, b"not json", b"\xff\xfe"])
def test_descriptions_that_cannot_be_read_are_refused(saved, text):
    broken = saved.with_name("broken.keras")
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            if name != "sha256.json":
                new.writestr(name, text if name == "config.json" else old.read(name))
    with pytest.raises(mt.ModelFileError, match="check sums are missing"):
        mt.load_model(broken)
    files = {"config.json": text, "model.weights.h5": b"", "metadata.json": b"{}"}
    broken.write_bytes(archive.pack(files))
    with pytest.raises(mt.ModelFileError, match="a description inside is not JSON"):
        mt.load_model(broken)


def test_nan_weights_are_taken_when_asked_for(saved):
    rewrite(saved, change_weights(replaced("layers/dense_1/vars/1", np.array([np.nan], np.float32))))
    assert np.isnan(mt.load_model(saved, allow_nan=True).get_weights()[-1]).all()


def test_a_diverged_model_comes_back_when_asked_for(trained, tmp_path):
    for state in trained.optimizer.state.values():
        state["velocity"][...] = np.nan
    trained.save(tmp_path / "m.keras")
    with pytest.raises(mt.ModelFileError, match=r"velocity of dense_1\.kernel holds values that are not finite"):
        mt.load_model(tmp_path / "m.keras")
    model = mt.load_model(tmp_path / "m.keras", allow_nan=True)
    assert np.isnan(model.optimizer.state["dense_1.kernel"]["velocity"]).all()


class Bound(mt.Layer):
    def __init__(self, limit):
        self.limit = limit

    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


@pytest.mark.parametrize("limit", [1e9, float("inf"), -1e30])
def test_large_numbers_that_are_no_sizes_come_back(tmp_path, limit):
    model = mt.Sequential([mt.Input((4,)), mt.Rescaling(1e30), Bound(limit), mt.Dense(1)])
    with pytest.warns(UserWarning, match="Keras has no Bound"):
        model.save(tmp_path / "m.keras")
    assert repr(mt.load_model(tmp_path / "m.keras").layers) == repr(model.layers)


@pytest.mark.parametrize("limit", [5_000_000, float("nan")])
def test_what_would_not_be_opened_is_not_saved(tmp_path, limit):
    model = mt.Sequential([mt.Input((4,)), Bound(limit), mt.Dense(1)])
    with (
        pytest.warns(UserWarning, match="Keras has no Bound"),
        pytest.raises(ValueError, match=r"Sequential\.save: it contains .*save_weights keeps the weights alone"),
    ):
        model.save(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_reported(tmp_path, content):
    (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(
        mt.ModelFileError, match=r"it is not a complete .keras or HDF5 file. Copy, download or save it again"
    ):
        mt.load_model(tmp_path / "m.keras")


def test_a_file_that_may_not_be_read_says_so_itself(saved, monkeypatch):
    def refused(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("minitorch_np.saving.opening.open", refused, raising=False)
    with pytest.raises(PermissionError, match="Permission denied"):
        mt.load_model(saved)


@pytest.mark.parametrize(
    "names",
    [("left", "right"), np.array([b"left", b"right"]), np.array(["left", "right"]), [b"left", "right"],
     np.array(["left", "right"], object)],
    ids=repr,
)  # fmt: skip
def test_class_names_may_be_what_hdf5_gives(trained, tmp_path, names):
    trained.class_names = names
    trained.save(tmp_path / "m.keras")
    assert mt.load_model(tmp_path / "m.keras").class_names == ["left", "right"]


@pytest.mark.parametrize(
    "names", [["a", "a"], [b"a", "a"], "ab", [0, 1], np.array([["a", "b"]]), 7, {"a": 1}], ids=repr
)
def test_class_names_that_name_no_classes_are_refused(trained, tmp_path, names):
    trained.class_names = names
    with pytest.raises(
        ValueError, match=r"Sequential\.save: class_names are strings or bytes, .* got .*Write model\.class_n"
    ):
        trained.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_frozen_parameters_stay_frozen(trained, tmp_path):
    trained[2].kernel.trainable = False
    trained.save(tmp_path / "m.keras")
    frozen = {name for name, p in mt.load_model(tmp_path / "m.keras").parameters().items() if p.frozen}
    assert frozen == {"dense_1.kernel"}
    rewrite(tmp_path / "m.keras", described(lambda own: own.update(frozen=["dense_9.kernel"])))
    with pytest.raises(mt.ModelFileError, match=r"it freezes dense_9\.kernel, which the model does not have"):
        mt.load_model(tmp_path / "m.keras")


def test_a_frozen_part_keeps_its_place_in_the_weights(tmp_path, x):
    model, other = network(), network(rng=2)
    model[4].kernel.trainable = False
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_an_argument_that_keras_has_not_is_named(tmp_path):
    model = mt.Sequential([mt.Input((4,)), mt.GELU(approximate=True)])
    with pytest.warns(
        UserWarning, match=r"no GELU\(approximate=True\), so it will not open this file; mt\.load_model does\.$"
    ):
        model.save(tmp_path / "m.keras")


def test_missing_paths_and_folders_are_reported(tmp_path):
    with pytest.raises(mt.ModelFileError, match="there is no such file"):
        mt.load_model(tmp_path / "none.keras")
    with pytest.raises(mt.ModelFileError, match="it is a folder"):
        mt.load_model(tmp_path)


def test_bombs_are_refused_unopened(saved):
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json.more", b"")
    bomb = saved.with_name("bomb.keras")
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)) if name != "config.json" else new.writestr(
                name, b" " * 50_000_000, zipfile.ZIP_DEFLATED
            )
    with pytest.raises(mt.ModelFileError, match="larger than any description"):
        mt.load_model(bomb)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)) if name != "model.weights.h5" else new.writestr(
                name, b"\0" * 50_000_000, zipfile.ZIP_DEFLATED
            )
    with pytest.raises(mt.ModelFileError, match="unpacks to 50000000 bytes"):
        mt.load_model(bomb)


def test_no_corruption_changes_numbers(saved, trained, x):
    """Every flipped bit, cut and overwritten stretch is refused, or is in a part that is not read."""
    whole, rng = saved.read_bytes(), np.random.default_rng(0)
    broken, due = saved.with_name("broken.keras"), trained.predict(x)
    refused = 0
    for number in range(300):
        content = bytearray(whole)
        place = int(rng.integers(len(content)))
        if number % 3 == 0:
            content[place] ^= 1 << int(rng.integers(8))
        elif number % 3 == 1:
            del content[place:]
        else:
            content[place : place + 40] = rng.bytes(40)
        broken.write_bytes(content)
        try:
            model = mt.load_model(broken)
        except mt.ModelFileError:
            refused += 1
        else:
            np.testing.assert_array_equal(model.predict(x), due)
    assert refused > 200


def test_a_file_moved_elsewhere_still_opens(saved, tmp_path, x, trained):
    (tmp_path / "there").mkdir()
    shutil.move(saved, tmp_path / "there" / "renamed.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "there" / "renamed.keras").predict(x), trained.predict(x))


@pytest.mark.parametrize("make", [lambda number: number, np.float64, np.float32])
def test_arrays_among_the_arguments_are_saved(tmp_path, make):
    """Normalization takes what mean(axis=0) of an array returns."""
    mean, variance = (np.array([make(one), make(two)]) for one, two in ((1.0, 2.5), (4.0, 0.5)))
    model = mt.Sequential([mt.Input((2,)), mt.Normalization(mean=mean, variance=variance), mt.Dense(1)])
    model.save(tmp_path / "model.keras")
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_array_equal(mt.load_model(tmp_path / "model.keras").predict(x), model.predict(x))


def test_a_large_shape_between_layers_is_not_made(tmp_path):
    model = mt.Sequential([mt.Input((1, 1, 1)), mt.UpSampling2D(13), mt.ReLU(), mt.Dropout(0.5), mt.Flatten()])
    model.save(tmp_path / "a.keras")

    def larger(described):
        described["model"]["config"]["layers"][1]["config"]["size"] = 15_000

    through_description("ours.keras", larger)(tmp_path / "a.keras", tmp_path / "c.keras")
    tracemalloc.start()
    try:
        assert mt.load_model(tmp_path / "c.keras").output_shape == (15_000**2,)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


class TriedOnZeros(mt.Layer):
    """A layer that does not define its output shape, so that it is run on zeros."""

    def forward(self, x):
        return x / 2


def test_a_layer_is_not_tried_on_more_zeros_than_stated(tmp_path):
    model = mt.Sequential([mt.Input((1, 1, 1)), mt.UpSampling2D(13), TriedOnZeros()])
    with pytest.warns(UserWarning, match="Keras has no TriedOnZeros"):
        model.save(tmp_path / "a.keras")

    def larger(described):
        described["model"]["config"]["layers"][1]["config"]["size"] = 15_000

    through_description("ours.keras", larger)(tmp_path / "a.keras", tmp_path / "c.keras")
    with pytest.raises(mt.ModelFileError, match="it tries a layer on 225000000 numbers"):
        mt.load_model(tmp_path / "c.keras")


@pytest.mark.parametrize(
    "optimizer", [mt.Adam(0.01), mt.Nadam(0.01), mt.SGD(mt.schedules.StepDecay(0.1, 2, 0.5))], ids=repr
)
@pytest.mark.parametrize("iteration", [2**31 - 1, 2**31, 10**12, 10**400])
def test_a_count_of_steps_from_a_file_is_refused_or_a_step_like_any_other(tmp_path, optimizer, iteration):
    x, y = np.arange(8.0)[:, None], 2 * np.arange(8.0)
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1)], rng=0).compile(optimizer.clone(), mt.MSELoss())
    model.fit(x, y)
    model.save(tmp_path / "a.keras")
    change = through_description("ours.keras", lambda described: described.update(iteration=iteration))
    change(tmp_path / "a.keras", tmp_path / "b.keras")
    if iteration < 2**31:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a rate of 0
            mt.load_model(tmp_path / "b.keras").fit(x, y)
    else:
        with pytest.raises(mt.ModelFileError, match=r"more than any count of steps"):
            mt.load_model(tmp_path / "b.keras")


def test_what_a_file_says_of_the_training_is_bounded(tmp_path):
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1)]).compile(
        mt.SGD(mt.schedules.CosineDecay(0.1, 50)), mt.MSELoss()
    )
    model.save(tmp_path / "a.keras")

    def change(described):
        described["compile"]["optimizer"]["config"]["learning_rate"]["config"]["steps"] = 10**400

    through_description("ours.keras", change)(tmp_path / "a.keras", tmp_path / "b.keras")
    with pytest.raises(mt.ModelFileError, match="a huge number, more than any count of steps"):
        mt.load_model(tmp_path / "b.keras")


def test_control_characters_in_a_message_are_escaped(tmp_path):
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1)])
    model.save(tmp_path / "a.keras")

    def change(described):
        described["model"]["class"] = "\x1b]0;owned\x07\u202e"

    through_description("ours.keras", change)(tmp_path / "a.keras", tmp_path / "b.keras")
    with pytest.raises(mt.ModelFileError) as caught:
        mt.load_model(tmp_path / "b.keras")
    assert str(caught.value).isprintable()
    assert "owned" in str(caught.value)


# Older files


@pytest.mark.filterwarnings("ignore:.*Keras has no")
@pytest.mark.parametrize("loss", [mt.BCEWithLogitsLoss(), mt.BCELoss(), mt.CrossEntropyLoss()], ids=repr)
def test_metrics_of_older_files_ask_the_loss(loss, tmp_path, monkeypatch):
    """Their files state a threshold of 0.5 and binary=False, which were the defaults."""
    units = 3 if isinstance(loss, mt.CrossEntropyLoss) else 1
    model = mt.Sequential([mt.Input((3,)), mt.Dense(units)], rng=0)
    model.compile(mt.SGD(0.1), loss, [mt.metrics.Precision(), mt.metrics.BalancedAccuracy()])
    monkeypatch.setattr(mt.metrics.FromCounts, "config", lambda self: {"threshold": 0.5, "binary": False})
    model.save(tmp_path / "old.keras")
    monkeypatch.undo()
    again = mt.load_model(tmp_path / "old.keras")
    assert [metric.config() for metric in again.metrics] == [{"threshold": None, "binary": None}] * 2

"""Data as it comes: single examples by number, data without end, windows of a series, folders in two parts."""

import itertools

import numpy as np
import pytest

import minitorch_np as mt


def network(shape=(4,), units=3, **options):
    return mt.Sequential([mt.Input(shape), mt.Flatten(), mt.Dense(units)], rng=0, **options).compile(
        mt.SGD(0.1, momentum=0.9), mt.CrossEntropyLoss(), ["accuracy"]
    )


class Single:
    """Single examples, as a PyTorch Dataset gives them."""

    def __init__(self, x, y):
        self.x, self.y, self.read = x, y, 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, number):
        self.read += 1
        return self.x[number], self.y[number]


class Batched(Single):
    """Batches of ten, as Keras's PyDataset gives them; it never raises IndexError."""

    def __len__(self):
        return -(-len(self.x) // 10)

    def __getitem__(self, number):
        self.read += 1
        return self.x[number * 10 : number * 10 + 10], self.y[number * 10 : number * 10 + 10]


@pytest.fixture
def data(rng):
    x = rng.normal(size=(35, 4))
    return x, (np.abs(x[:, 0]) * 2).astype(int) % 3


def test_single_examples_are_learnt_as_arrays_are(data):
    by_number, arrays = network(), network()
    history = by_number.fit(Single(*data), epochs=3, batch_size=8, validation_data=Single(*data), progress=False)
    expected = arrays.fit(*data, epochs=3, batch_size=8, validation_data=data, progress=False)
    assert dict(history) == dict(expected)
    assert by_number.evaluate(Single(*data), batch_size=9) == arrays.evaluate(*data, batch_size=9)
    np.testing.assert_array_equal(by_number.predict(Single(*data)), arrays.predict(data[0]))


def test_an_epoch_of_batches_by_number_reads_each_once(data):
    batches, steps = Batched(*data), []
    counting = mt.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    model = network()
    model.fit(batches, epochs=2, callbacks=[counting], progress=False)
    assert steps == [0, 1, 2, 3] * 2
    assert batches.read == 8
    arrays = network()
    arrays.fit(*data, epochs=2, batch_size=10, shuffle=False, progress=False)
    np.testing.assert_array_equal(model.get_weights()[0], arrays.get_weights()[0])
    assert model.evaluate(batches) == arrays.evaluate(*data, batch_size=10)
    np.testing.assert_array_equal(model.predict(batches), arrays.predict(data[0], batch_size=10))


@pytest.mark.parametrize("shape", [(5, 5, 1), (10, 3)])
def test_the_input_tells_examples_from_batches(rng, shape):
    """Without an Input, x (10, 3) with y (10,) is a batch of ten; with Input((10, 3)) it is one example."""
    x, y = rng.normal(size=(6, *shape)), rng.random((6, shape[0]))
    model = mt.Sequential([mt.Input(shape), mt.Flatten(), mt.Dense(shape[0])], rng=0).compile("sgd", "mse")
    model.fit(Single(x, y), batch_size=4, progress=False)
    assert model.optimizer.iteration == 2


def test_examples_without_an_input_are_known_by_their_single_targets(data):
    model = mt.Sequential([mt.Dense(3)], rng=0).compile("sgd", mt.CrossEntropyLoss())
    model.fit(Single(*data), batch_size=8, progress=False)
    assert model.optimizer.iteration == 5
    assert model.input_shape == (4,)


def test_examples_that_cannot_be_told_from_batches_name_the_remedy(rng):
    model = mt.Sequential([mt.Dense(4)], rng=0).compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"Begin the model with mt\.Input\(shape of one example\)"):
        model.fit(Single(rng.normal(size=(6, 4)), rng.normal(size=(6, 4))), progress=False)


def test_a_list_of_pairs_is_one_of_examples(data):
    """As in list(zip(x, y))."""
    pairs, arrays = network(), network()
    pairs.fit(list(zip(*data, strict=True)), epochs=2, batch_size=8, progress=False)
    arrays.fit(*data, epochs=2, batch_size=8, progress=False)
    np.testing.assert_array_equal(pairs.get_weights()[0], arrays.get_weights()[0])
    hot = mt.Sequential([mt.Input((4,)), mt.Dense(3)], rng=0).compile("sgd", "mse")
    hot.fit(list(zip(data[0], np.eye(3)[data[1]], strict=True)), batch_size=8, progress=False)
    assert hot.optimizer.iteration == 5


def test_examples_have_weights(data):
    class Weighted(Single):
        def __getitem__(self, number):
            return self.x[number], self.y[number], 0.1 * number

    weighted, arrays = network(), network()
    weighted.fit(Weighted(*data), batch_size=8, progress=False)
    arrays.fit(*data, sample_weight=0.1 * np.arange(35), batch_size=8, progress=False)
    np.testing.assert_allclose(weighted.get_weights()[0], arrays.get_weights()[0], rtol=1e-6)


def test_what_is_wrong_with_data_of_ones_own_is_said(data):
    class Named(Single):
        def __getitem__(self, number):
            return {"x": self.x[number], "y": self.y[number]}

    class Unmeasured:
        def __getitem__(self, number):
            return data[0][number], data[1][number]

    for given, message in (
        (Named(*data), r"got a dictionary of 'x', 'y'\. Give its arrays as a tuple"),
        (Unmeasured(), "x is a Unmeasured. Write its __len__, the number of examples or of batches"),
    ):
        with pytest.raises(ValueError, match=message):
            network().fit(given, progress=False)
    with pytest.raises(ValueError, match="y goes with arrays, and x is a Single that gives everything"):
        network().fit(Single(*data), data[1], progress=False)


def test_examples_of_unequal_shape_are_named(rng):
    class Unequal(Single):
        def __getitem__(self, number):
            return self.x[number][: 4 - (number == 3)], 0

    with pytest.raises(ValueError, match=r"examples of one batch have shapes \(4,\) and \(3,\)"):
        network().fit(Unequal(rng.normal(size=(6, 4)), None), shuffle=False, progress=False)


def test_a_resumed_run_reads_the_same_random_examples(data, tmp_path, monkeypatch):
    from minitorch_np.training import kept_run

    class Noisy(Single):
        def __init__(self, x, y):
            super().__init__(x, y)
            self.rng = np.random.default_rng(5)

        def __getitem__(self, number):
            return self.x[number] + self.rng.normal(size=4), self.y[number]

    whole = network()
    whole.fit(Noisy(*data), epochs=3, batch_size=8, progress=False)
    monkeypatch.setattr(kept_run, "SECONDS", 0.0)
    monkeypatch.setattr(kept_run, "TIMES", 0)

    def stop(batch, logs):
        if broken.optimizer.iteration == 8:
            raise KeyError

    broken, path = network(), tmp_path / "run.ckpt"
    callbacks = [mt.callbacks.LambdaCallback(on_train_batch_end=stop)]
    with pytest.raises(KeyError):
        broken.fit(Noisy(*data), epochs=3, batch_size=8, resume=path, callbacks=callbacks, progress=False)
    resumed = network()
    resumed.fit(Noisy(*data), epochs=3, batch_size=8, resume=path, progress=False)
    np.testing.assert_array_equal(resumed.get_weights()[0], whole.get_weights()[0])


def test_batches_that_begin_again_are_warned_of(data):
    x, y = data

    def without_end():
        for _ in range(11):  # would be itertools.count()
            for start in range(0, 30, 10):
                yield x[start : start + 10], y[start : start + 10]

    with pytest.warns(UserWarning, match="the first batch of .* has come 10 times again.*give steps_per_epoch=3"):
        network().fit(without_end, progress=False)
    network().fit(without_end, steps_per_epoch=6, progress=False)  # pytest turns a warning into an error


def test_one_array_that_is_filled_anew_does_not_look_like_a_repetition(data):
    x, y = data
    buffer = np.empty((5, 4))

    def batches():
        for start in range(0, 35, 5):
            buffer[:] = x[start : start + 5]
            yield buffer, y[start : start + 5]

    network().fit(batches, epochs=2, progress=False)


@pytest.mark.parametrize("make", [lambda b: itertools.cycle([b]), lambda b: itertools.repeat(b)])
def test_data_that_certainly_never_end_need_a_number(data, make):
    with pytest.raises(ValueError, match=r"never ends\. Give steps_per_epoch"):
        network().fit(make(data), progress=False)


def test_windows_are_slices_of_the_series(rng):
    series = rng.normal(size=(30, 2))
    x, y = mt.datasets.windows(series, 5, horizon=3, stride=2)
    assert x.shape == (12, 5, 2)
    for number, (window, value) in enumerate(zip(x, y, strict=True)):
        np.testing.assert_array_equal(window, series[2 * number : 2 * number + 5])
        np.testing.assert_array_equal(value, series[2 * number + 5 + 2])
    x, y = mt.datasets.windows(series[:, 0], 29)
    assert (x.shape, y.shape) == ((1, 29, 1), (1,))


def test_a_network_learns_a_series_from_windows():
    x, y = mt.datasets.windows(np.sin(np.arange(200) / 5), 10)
    model = mt.Sequential([mt.Input((10, 1)), mt.Flatten(), mt.Dense(1)], rng=0).compile(mt.Adam(0.01), "mse")
    model.fit(x, y, epochs=60, progress=False)
    assert model.evaluate(x, y).loss < 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mt.datasets.windows(np.ones(5), 5), "a series of 5 steps is too short for a window of 5 and a value 1 after it"),
        (lambda: mt.datasets.windows(np.ones((5, 2, 2)), 2), r"expected a series of shape \(time,\)"),
        (lambda: mt.datasets.windows(np.ones(5), 0), "length is an int of at least 1"),
        (lambda: mt.datasets.windows(["a", "b"], 1), "expected numbers in series"),
    ],
)  # fmt: skip
def test_wrong_windows_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture
def folder(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name, count in (("cat", 10), ("dog", 5), ("owl", 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_a_folder_is_split_class_by_class(folder):
    train, validation = mt.datasets.ImageFolder(folder, (4, 4, 3), validation_split=0.2)
    assert (np.bincount(train.y).tolist(), np.bincount(validation.y, minlength=3).tolist()) == ([8, 4, 1], [2, 1, 0])
    assert train.class_names == validation.class_names == ["cat", "dog", "owl"]
    assert sorted([*train.files, *validation.files]) == sorted(mt.datasets.ImageFolder(folder, (4, 4, 3)).files)
    again, _ = mt.datasets.ImageFolder(folder, (4, 4, 3), validation_split=0.2)
    other, _ = mt.datasets.ImageFolder(folder, (4, 4, 3), validation_split=0.2, rng=1)
    assert again.files == train.files != other.files
    model = network((4, 4, 3))
    history = model.fit(train, validation_data=validation, class_weight="balanced", batch_size=4, progress=False)
    assert len(history["val_loss"]) == 1


def test_balanced_weights_of_a_folder_are_those_of_its_classes(folder):
    train = mt.datasets.ImageFolder(folder, (4, 4, 3))
    weights = dict(enumerate(16 / (3 * np.array([10, 5, 1]))))
    losses = [
        network((4, 4, 3)).fit(train, class_weight=given, batch_size=4, progress=False)["loss"]
        for given in (weights, "balanced")
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("share", [0, 1, 0.01, 0.999, "0.2"])
def test_a_split_that_leaves_nothing_is_refused(folder, share):
    with pytest.raises(ValueError, match="validation_split"):
        mt.datasets.ImageFolder(folder, (4, 4, 3), validation_split=share)

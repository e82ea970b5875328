"""Data that come batch by batch: files larger than memory, folders of images, generators."""

import itertools
import threading
import time

import h5py
import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.datasets import HDF5Dataset, ImageFolder

COUNT, SHAPE = 103, (4, 3, 2)
LAYOUTS = {"contiguous": {}, "rows": {"chunks": (1, *SHAPE)}, "chunks": {"chunks": (7, *SHAPE), "compression": "gzip"}}
few_chunks = pytest.mark.filterwarnings("ignore:.* is stored in chunks of 7 examples")
BLOCK = 20 * int(np.prod(SHAPE))  # so small that the file has several blocks


def write(path, x, y, **layout):
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("train_set_x", data=x, **layout)
        file["train_set_y"] = y
        file["list_classes"] = np.array([b"low", b"high"])
    return path


@pytest.fixture
def arrays(rng):
    """Every example is recognised by its first number; the classes come one after the other."""
    x = rng.integers(0, 256, (COUNT, *SHAPE)).astype(np.uint8)
    x[:, 0, 0, 0] = np.arange(COUNT)
    return x, (np.arange(COUNT) > 50).astype(np.int64)


@pytest.fixture(params=LAYOUTS)
def path(request, arrays, tmp_path):
    return write(tmp_path / "data.h5", *arrays, **LAYOUTS[request.param])


def network():
    layers = [mt.Input(SHAPE), mt.Rescaling(1 / 255), mt.Flatten(), mt.Dense(5), mt.ReLU(), mt.Dense(1), mt.Sigmoid()]
    return mt.Sequential(layers, rng=1).compile(mt.SGD(0.1, momentum=0.9), mt.BCELoss(), ["accuracy"])


@few_chunks
@pytest.mark.parametrize("batch_size", [1, 8, 20, 33, 500, None])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_example_comes_once_with_its_target(path, arrays, batch_size, shuffled, rng):
    x, y = arrays
    data = HDF5Dataset(path, block_bytes=BLOCK)
    batches = list(data.batches(batch_size, rng if shuffled else None))
    numbers = np.concatenate([batch[0, 0, 0] if batch.ndim == 3 else batch[:, 0, 0, 0] for batch, _ in batches])
    assert sorted(numbers) == list(range(COUNT))
    assert (list(numbers) == list(range(COUNT))) != shuffled
    np.testing.assert_array_equal(np.concatenate([batch for batch, _ in batches]), x[numbers])
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), y[numbers])
    sizes = [len(batch) for batch, _ in batches]
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)


@few_chunks
@pytest.mark.parametrize("skip", [0, 1, 3, 7])
def test_an_epoch_can_be_entered_in_its_middle(path, skip):
    data = HDF5Dataset(path, block_bytes=BLOCK)
    whole = [labels for _, labels in data.batches(15, np.random.default_rng(3))]
    rest = [labels for _, labels in data.batches(15, np.random.default_rng(3), skip)]
    np.testing.assert_array_equal(np.concatenate(whole[skip:] or [[]]), np.concatenate(rest or [[]]))


@few_chunks
def test_batches_of_a_file_sorted_by_class_are_mixed(path):
    data = HDF5Dataset(path, block_bytes=BLOCK * 2)
    epoch = list(data.batches(20, np.random.default_rng(0)))[:-1]
    assert all(0 < labels.mean() < 1 for _, labels in epoch)


@few_chunks
def test_blocks_of_chunks_have_their_share_of_every_class(tmp_path, rng):
    y = np.repeat(np.arange(4), 70)
    path = write(tmp_path / "data.h5", rng.integers(0, 9, (280, *SHAPE)).astype(np.uint8), y, chunks=(7, *SHAPE))
    data = HDF5Dataset(path, block_bytes=8 * 7 * int(np.prod(SHAPE)))
    orders = []
    for seed in range(3):
        labels = np.concatenate([labels for _, labels in data.batches(56, np.random.default_rng(seed))])
        orders.append(labels.tolist())
        assert all(np.bincount(block, minlength=4).tolist() == [14] * 4 for block in labels.reshape(5, 56))
    assert orders[0] != orders[1] != orders[2]


def test_a_shuffle_of_few_chunks_is_warned_of(arrays, tmp_path):
    path = write(tmp_path / "data.h5", *arrays, **LAYOUTS["chunks"])
    with pytest.warns(
        UserWarning, match=r"in chunks of 7 examples, of which 2 at a time .* with chunks=\(1, 4, 3, 2\)"
    ):
        network().fit(HDF5Dataset(path, block_bytes=BLOCK))
    network().fit(HDF5Dataset(path, block_bytes=BLOCK), shuffle=False)
    network().fit(HDF5Dataset(path))


def test_fit_evaluate_and_predict_do_as_with_arrays(path, arrays):
    x, y = arrays
    data, ours, due = HDF5Dataset(path), network(), network()
    assert ours.fit(data, epochs=3, batch_size=16, validation_data=data) == due.fit(
        x, y, epochs=3, batch_size=16, validation_data=(x, y)
    )
    for a, b in zip(ours.get_weights(), due.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours.evaluate(data) == due.evaluate(x, y)
    np.testing.assert_array_equal(ours.predict(data), due.predict(x))
    assert ours.class_names == ["low", "high"]


def test_a_file_without_targets_is_for_prediction(tmp_path, arrays):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["pictures"] = arrays[0]
    data = HDF5Dataset(tmp_path / "x.h5", x="pictures")
    np.testing.assert_array_equal(network().predict(data), network().predict(arrays[0]))
    with pytest.raises(ValueError, match="y is None"):
        network().fit(data)


def test_mistakes_with_files_are_reported(path, arrays, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        HDF5Dataset(tmp_path / "none.h5")
    with pytest.raises(ValueError, match="there is no dataset 'test_set_x'; keys present: list_classes, train_set_x"):
        HDF5Dataset(path, "test")
    (tmp_path / "page.h5").write_text("<html>")
    with pytest.raises(ValueError, match="not a readable HDF5 file"):
        HDF5Dataset(tmp_path / "page.h5")
    with pytest.raises(ValueError, match="train_set_x has 103 examples, train_set_y has 100"):
        HDF5Dataset(write(tmp_path / "short.h5", arrays[0], arrays[1][:100]))
    with pytest.raises(
        ValueError, match=r"Input\(shape=\(5,\)\): expected inputs of shape \(batch, 5\), got \(batch, 4"
    ):
        mt.Sequential([mt.Input((5,)), mt.Dense(1)]).compile(mt.SGD(), mt.MSELoss()).fit(HDF5Dataset(path))
    with pytest.raises(ValueError, match="y goes with arrays, and x is a HDF5Dataset"):
        network().fit(HDF5Dataset(path), arrays[1])


def test_a_file_that_ends_early_is_reported_and_does_not_hang(arrays, tmp_path):
    path = write(tmp_path / "data.h5", *arrays)
    data = HDF5Dataset(path)
    with h5py.File(path) as file:
        offset = file["train_set_x"].id.get_offset()
    with open(path, "r+b") as file:
        file.truncate(offset + 100)
    with pytest.raises((ValueError, OSError), match=r"ends before row|truncated"):
        network().fit(data)


def test_other_contents_have_another_fingerprint(path, arrays, tmp_path):
    x, y = arrays
    assert HDF5Dataset(path).fingerprint() == HDF5Dataset(path).fingerprint()
    other = write(tmp_path / "other.h5", x, 1 - y)
    assert HDF5Dataset(other).fingerprint() != HDF5Dataset(path).fingerprint()


# Generators and iterables


def batches_of(x, y, size=20):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


@pytest.mark.parametrize("how", ["iterator", "function", "iterable"])
def test_batches_of_ones_own_do_as_arrays_in_that_order(arrays, how):
    x, y = arrays

    class Iterable:
        def __iter__(self):
            return iter(batches_of(x, y))

    given = {"iterator": iter(batches_of(x, y)), "function": lambda: iter(batches_of(x, y)), "iterable": Iterable()}[
        how
    ]
    epochs = 1 if how == "iterator" else 3
    ours, due = network(), network()
    assert ours.fit(given, epochs=epochs) == due.fit(x, y, epochs=epochs, batch_size=20, shuffle=False)
    np.testing.assert_array_equal(ours.get_weights()[0], due.get_weights()[0])


def test_a_generator_without_end_continues_from_epoch_to_epoch(arrays):
    given = []

    def endless():
        while True:
            for batch in batches_of(*arrays):
                given.append(len(batch[0]))
                yield batch

    history = network().fit(endless(), epochs=4, steps_per_epoch=3)
    assert history.epochs == 4
    assert len(given) == 12  # none is asked for before it is needed


def test_a_list_of_batches_is_data(arrays):
    x, y = arrays
    ours, due = network(), network()
    assert ours.fit(list(batches_of(x, y)), epochs=2) == due.fit(x, y, epochs=2, batch_size=20, shuffle=False)


class Looks(mt.Callback):
    """Notes of each batch what it is called with, taken from the model's first kernel gradient."""

    def __init__(self):
        self.gradients, self.tested = [], 0

    def on_train_batch_end(self, batch, logs):
        self.gradients.append(next(iter(self.model.parameters().values())).grad.copy())

    def on_test_batch_end(self, batch, logs):
        self.tested += 1


def looks_of(given, **settings):
    """Which of the numbered batches an unmoved line saw, in their order."""
    line = mt.Sequential([mt.Input((1,)), mt.Dense(1, kernel_initializer="ones", use_bias=False)], rng=0)
    looks = Looks()
    line.compile(mt.SGD(1e-12), mt.MSELoss()).fit(given, callbacks=[looks], **settings)
    return [round(float(np.sqrt(gradient.item() / 2))) for gradient in looks.gradients]


def numbered(count):
    return [(np.full((4, 1), number + 1.0), np.zeros(4)) for number in range(count)]


class Sequence:
    """As Keras's PyDataset and PyTorch's Dataset of batches; slices never say that the data end."""

    def __init__(self, count=3):
        self.x = np.repeat(np.arange(1.0, count + 1), 4)[:, None]

    def __len__(self):
        return len(self.x) // 4

    def __getitem__(self, number):
        rows = slice(4 * number, 4 * number + 4)
        return self.x[rows], 0 * self.x[rows]


@pytest.mark.parametrize("form", [list, lambda batches: lambda: iter(batches), lambda batches: Sequence(len(batches))])
@pytest.mark.parametrize(
    ("steps", "due"), [(None, [1, 2, 3, 4, 5] * 3), (2, [1, 2, 3, 4, 5, 1]), (5, [1, 2, 3, 4, 5] * 3)]
)
def test_an_epoch_begins_where_the_last_one_ended(form, steps, due):
    assert looks_of(form(numbered(5)), epochs=3, steps_per_epoch=steps) == due


def test_a_sequence_has_as_many_batches_as_its_length():
    assert looks_of(Sequence(), epochs=2) == [1, 2, 3] * 2
    assert looks_of(lambda: Sequence()) == [1, 2, 3]
    assert network_of_one().predict(Sequence()).shape == (12, 1)


def network_of_one(*layers):
    model = mt.Sequential([mt.Input((1,)), *layers, mt.Dense(1, kernel_initializer="ones")], rng=0)
    return model.compile(mt.SGD(0.01), mt.MSELoss(), ["mae"])


def test_single_examples_that_look_like_batches_are_refused():
    class Rows(Sequence):
        def __getitem__(self, number):
            return self.x[number], self.x[number]

    class Pictures(Sequence):
        def __getitem__(self, number):
            return np.zeros((4, 3, 2)), np.zeros(10)

    without_input = mt.Sequential([mt.Dense(1)], rng=0).compile("sgd", "mse")
    with pytest.raises(
        ValueError, match=r"gives x of shape \(1,\).* use x\[:, None\] .* single examples.*Begin the model with"
    ):
        without_input.fit(Rows())
    with pytest.raises(ValueError, match=r"x has 4 examples and y has 10\. If these are single examples"):
        without_input.fit(Pictures())


@pytest.mark.parametrize("steps", [None, 2, 4])
@pytest.mark.parametrize("falls", [0, 1, 3, 5])
def test_a_resumed_run_continues_in_data_that_continue(tmp_path, monkeypatch, steps, falls):
    """5 batches, taken `steps` at a time; the power goes after some of them."""
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", 0)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)

    class Falls(mt.Callback):
        left = falls

        def on_train_batch_begin(self, batch, logs):
            self.left -= 1
            if self.left < 0:
                raise OSError("the power goes")

    x = np.random.default_rng(0).normal(size=(5, 4, 1))
    batches = [(part, 3 * part[:, 0]) for part in x]
    settings = {"epochs": 3, "steps_per_epoch": steps}
    straight, first, second = network_of_one(), network_of_one(), network_of_one()
    straight.fit(batches, **settings)
    with pytest.raises(OSError, match="the power goes"):
        first.fit(batches, callbacks=[Falls()], resume=tmp_path / "run", **settings)
    second.fit(batches, resume=tmp_path / "run", **settings)
    for a, b in zip(second.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert second.history == straight.history


def endless(*arrays):
    while True:
        yield arrays


def test_data_without_end_are_measured_by_their_steps(rng):
    x = rng.normal(size=(4, 1))
    model, looks = network_of_one(), Looks()
    history = model.fit(
        x, x, epochs=3, validation_data=lambda: endless(x, x), validation_steps=2, callbacks=[looks], shuffle=False
    )
    assert looks.tested == 6
    assert history == network_of_one().fit(x, x, epochs=3, validation_data=(x, x), shuffle=False)
    assert model.evaluate(lambda: endless(x, x), steps=3) == pytest.approx(model.evaluate(x, x))
    np.testing.assert_array_equal(model.predict(lambda: endless(x), steps=2), np.tile(model.predict(x), (2, 1)))
    with pytest.raises(ValueError, match=r"cycle object.* never ends\. Give steps_per_epoch"):
        model.fit(itertools.cycle([(x, x)]))
    with pytest.raises(ValueError, match=r"never ends\. Give validation_steps"):
        model.fit(x, x, validation_data=itertools.repeat((x, x)))
    with pytest.raises(ValueError, match=r"never ends\. Give steps,"):
        model.predict(itertools.cycle([(x,)]))


def with_an_exit(x):
    while True:
        yield x, x
        if len(x) > 4:
            break


@pytest.mark.parametrize(
    "given", [lambda x: endless(x, x), lambda x: lambda: endless(x, x)], ids=["generator", "function"]
)
def test_a_generator_that_cannot_end_is_refused_without_steps(given, rng):
    x = rng.normal(size=(5, 1))
    model = network_of_one()
    with pytest.raises(ValueError, match=r"never ends\. Give steps_per_epoch"):
        model.fit(given(x))
    with pytest.raises(ValueError, match=r"never ends\. Give validation_steps"):
        model.fit(x, x, validation_data=given(x))
    for ask in (model.evaluate, model.predict):
        with pytest.raises(ValueError, match=r"never ends\. Give steps,"):
            ask(given(x))
    with pytest.raises(ValueError, match=r"never ends\. Give itertools\.islice\("):
        mt.Normalization().adapt(given(x))
    assert model.fit(lambda: with_an_exit(x)).epochs == 1


def test_a_source_that_cannot_end_is_refused(rng):
    class Endless(mt.source.Source):
        shape = (1,)

        def batches(self, batch_size, rng=None, skip=0):
            return endless(x, x)

    x = rng.normal(size=(5, 1))
    with pytest.raises(ValueError, match=r"\.batches never ends\. Let it return"):
        network_of_one().fit(Endless())


def test_it_is_checked_whether_endless_data_end(rng, monkeypatch):
    monkeypatch.setattr(mt.source.batches, "_MANY", 20)
    x = rng.normal(size=(5, 1))
    with pytest.warns(
        UserWarning, match="has given 20 batches in one epoch.* If it never ends, give steps_per_epoch"
    ) as caught:
        network_of_one().fit(lambda: (pair for pair in [(x + n, x) for n in range(21)]))
    assert [warning.filename for warning in caught] == [__file__]
    network_of_one().fit([(x, x)] * 21)


def test_each_validation_begins_at_the_beginning(rng):
    x = rng.normal(size=(6, 4, 1))
    batches = [(part, part) for part in x]
    values = network_of_one().fit(
        batches[:1], epochs=2, validation_data=lambda: iter(batches), validation_steps=2, shuffle=False
    )
    due = network_of_one().fit(batches[:1], epochs=2, validation_data=batches[:2])
    assert values == due


def test_measuring_takes_no_batch_twice():
    with pytest.warns(UserWarning, match=r"steps is 9, and the data ended after 3\.$"):
        assert network_of_one().predict(Sequence(), steps=9).shape == (12, 1)


@pytest.mark.parametrize("form", ["float32", "float64"])
def test_a_buffer_that_is_filled_again_gives_what_it_held(form):
    def buffers():
        x, y = np.empty((2, 4, 1), form)
        for number in (3, 1, 4, 1, 5, 9):
            x[:], y[:] = number, number % 2
            yield x, y
        x[:] = y[:] = np.inf

    def fresh():
        return [(np.array(x), np.array(y)) for x, y in buffers()]

    for layers in ([mt.Dense(1), mt.Sigmoid()], [mt.Flatten()]):
        model = mt.Sequential([mt.Input((1,)), *layers], rng=0)
        np.testing.assert_array_equal(model.predict(buffers), np.concatenate([model.predict(x) for x, _ in fresh()]))
    ours, due = (
        mt.Sequential([mt.Input((1,)), mt.Dense(1), mt.Sigmoid()], rng=0).compile(
            mt.SGD(0.1), mt.BCELoss(), ["auc", "mae"]
        )
        for _ in range(2)
    )
    assert ours.fit(buffers, epochs=2, validation_data=buffers) == due.fit(fresh(), epochs=2, validation_data=fresh())
    assert ours.evaluate(buffers) == due.evaluate(fresh())


def test_a_generator_runs_in_the_thread_that_calls(arrays):
    threads = set()

    def batches():
        for batch in batches_of(*arrays):
            threads.add(threading.get_ident())
            yield batch

    class Mine(mt.source.Source):
        count, shape = COUNT, SHAPE

        def batches(self, batch_size, rng=None, skip=0):
            return batches()

    model = network()
    for data in (batches, Mine()):
        model.fit(data, validation_data=data)
        model.predict(data)
    assert threads == {threading.get_ident()}


def test_what_would_have_no_effect_is_refused(arrays, rng):
    x = rng.normal(size=(8, 1))
    model, batches = network_of_one(), [(x, x)]
    model.fit(x, x)
    for call, message in [
        (lambda: model.fit(x, x, validation_split=0.5, validation_data=(x, x)), "fit: validation_split=0.5 has no"),
        (lambda: model.fit(x, x, validation_steps=2), "fit: validation_steps=2 has no effect without validation_data"),
        (lambda: model.fit(x, x, validation_data=(x, x), validation_steps=2), "validation_steps is for iterables"),
        (lambda: model.fit(batches, batch_size=4), "fit: batch_size=4 has no effect"),
        (lambda: model.fit(batches, batch_size=32), "fit: batch_size=32 has no effect"),
        (lambda: model.fit(batches, batch_size=None), "fit: batch_size=None has no effect"),
        (lambda: model.fit(batches, shuffle=True), "fit: shuffle=True has no effect"),
        (lambda: model.fit(batches, shuffle="batch"), "fit: shuffle is True or False"),
        (lambda: model.evaluate(batches, batch_size=4), "evaluate: batch_size=4 has no effect"),
        (
            lambda: model.evaluate([(x, x, abs(x[:, 0]))], sample_weight=x[:, 0]),
            "the weights come with the data, so sample_weight is left out",
        ),
        (lambda: model.evaluate(x, x, steps=4), "evaluate: steps is for iterables"),
        (lambda: model.predict(batches, batch_size=4), "predict: batch_size=4 has no effect"),
        (lambda: model.predict(x, steps=4), "predict: steps is for iterables"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    model.fit(batches, shuffle=False)


def test_a_function_that_gives_nothing_is_reported():
    with pytest.raises(ValueError, match=r"the function returned None\. Write it with yield"):
        network_of_one().fit(lambda: None)


def test_an_epoch_that_ends_early_is_told(arrays):
    with pytest.warns(UserWarning, match="steps_per_epoch is 9, and the data ended after 6"):
        network().fit(lambda: batches_of(*arrays), steps_per_epoch=9)


def test_what_has_a_length_takes_no_steps_per_epoch(path):
    with pytest.raises(ValueError, match=r"Sequential\.fit: steps_per_epoch is for iterables and generators"):
        network().fit(HDF5Dataset(path), steps_per_epoch=3)


def test_targets_beside_batches_are_refused(arrays):
    model = network()
    model.fit(*arrays)
    with pytest.raises(
        ValueError, match=r"Sequential\.evaluate: the targets come with the data, so y is left out, got ndarr"
    ):
        model.evaluate(lambda: batches_of(*arrays), arrays[1])


def test_batches_that_are_dictionaries_are_refused(arrays):
    with pytest.raises(
        ValueError, match=r"expected batches \(x, y\) or \(x, y, weights\), got a dictionary of 'x', 'y'"
    ):
        network().fit({"x": x, "y": y} for x, y in batches_of(*arrays))


def test_single_examples_in_place_of_batches_are_refused(arrays):
    x, y = arrays
    with pytest.raises(ValueError, match=r"gives single examples; batches are expected, .* Give x and y as arrays"):
        network().fit(zip(x, y, strict=True))


def test_a_generator_that_is_used_up_says_so(arrays):
    with pytest.raises(ValueError, match="an iterator can be iterated once, and this is the second time"):
        network().fit(iter(batches_of(*arrays)), epochs=2)
    with pytest.raises(ValueError, match="the data gave no batches"):
        network().fit(iter([]))


def test_an_error_in_the_generator_comes_through(arrays):
    def broken():
        yield from batches_of(*arrays)[:2]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        network().fit(broken)


def test_leaving_waits_for_no_batch_that_is_slow_to_come(arrays):
    release, closed = threading.Event(), threading.Event()

    def stuck():
        try:
            yield from batches_of(*arrays)[:2]
            release.wait(20)
            yield from batches_of(*arrays)
        finally:
            closed.set()

    class Breaks(mt.Callback):
        def on_train_batch_end(self, batch, logs):
            raise OSError("the callback fails")

    start = time.monotonic()
    with pytest.raises(OSError, match="the callback fails"):
        network().fit(stuck, callbacks=[Breaks()])
    assert time.monotonic() - start < 5
    release.set()
    assert closed.wait(5)


def test_no_thread_is_left_behind(arrays):
    before = set(threading.enumerate())
    network().fit(lambda: iter(batches_of(*arrays)), epochs=3)
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((np.zeros((2, *SHAPE)), np.zeros(3)), "x has 2 examples and y has 3"),
        ((np.full((2, *SHAPE), np.nan), np.zeros(2)), "x.* is nan"),
        ((np.zeros((2, 5)), np.zeros(2)), r"expected inputs of shape \(batch, 4, 3, 2\), got \(batch, 5\)"),
        ((np.zeros((2, *SHAPE)), np.array([0, 7])), "expected targets 0 and 1"),
        ((1, 2, 3, 4), r"expected batches \(x, y\) or \(x, y, weights\), got 4 items"),
    ],
)
def test_batches_that_do_not_fit_are_refused(batch, message):
    with pytest.raises(ValueError, match=message):
        network().fit(lambda: iter([batch]))


def test_weights_come_with_the_batches(arrays):
    x, y = arrays
    weights = np.linspace(0.1, 2, COUNT)
    ours, due = network(), network()
    batches = [(*batch, weights[20 * i : 20 * i + 20]) for i, batch in enumerate(batches_of(x, y))]
    ours.fit(lambda: iter(batches), epochs=2)
    due.fit(x, y, epochs=2, batch_size=20, shuffle=False, sample_weight=weights)
    np.testing.assert_allclose(ours.get_weights()[0], due.get_weights()[0], rtol=1e-6)


def test_a_batch_may_count_nothing(arrays):
    """Sorted by class, the first batches hold only what class_weight leaves out, but not all batches of an epoch may."""
    batches = batches_of(*arrays)
    model = network()
    with pytest.raises(ValueError, match="the weights of all examples to learn from are 0"):
        model.fit(lambda: iter(batches[:2]), class_weight={0: 0.0, 1: 1.0})
    assert model.fit(lambda: iter(batches), class_weight={0: 0.0, 1: 1.0})["loss"][0] > 0


# Folders of images


@pytest.fixture
def folder(tmp_path, rng):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install 'minitorch-np[image]'")
    for name, low in (("dark", 0), ("light", 128)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(low, low + 128, (9, 7, 3)).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.{('jpg', 'png')[number % 2]}")
    (tmp_path / "pictures" / "notes.txt").write_text("not an image")
    return tmp_path / "pictures"


def test_a_folder_of_images_is_learnt_from(folder):
    data = ImageFolder(folder, (4, 3, 3))
    assert (len(data), data.class_names) == (12, ["dark", "light"])
    layers = [mt.Input((4, 3, 3)), mt.Rescaling(1 / 255), mt.Flatten(), mt.Dense(1), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(0.5), mt.BCELoss(), ["accuracy"])
    assert model.fit(data, epochs=40, batch_size=5, validation_data=data)["val_accuracy"][-1] == 1
    assert model.class_names == ["dark", "light"]
    assert model.predict(data).shape == (12, 1)


def test_mistakes_with_folders_are_reported(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        ImageFolder(tmp_path / "none", (4, 3, 3))
    with pytest.raises(ValueError, match=r"expected images as class_name/\*\.jpg, found none"):
        ImageFolder(folder / "dark", (4, 3, 3))
    (folder / "dark" / "0.jpg").write_bytes((folder / "dark" / "0.jpg").read_bytes()[:50])
    with pytest.raises(ValueError, match=r"dark/0\.jpg: not a readable image"):
        list(ImageFolder(folder, (4, 3, 3)).batches(4))


def test_a_folder_without_images_is_no_class(folder):
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("not an image")
    with pytest.warns(UserWarning, match="no images in empty. The folder is not counted as a class"):
        data = ImageFolder(folder, (4, 3, 3))
    assert (data.class_names, data.y.tolist()) == (["dark", "light"], [0] * 6 + [1] * 6)


def test_classes_can_be_named_in_their_order(folder):
    (folder / "empty").mkdir()
    data = ImageFolder(folder, (4, 3, 3), class_names=["light", "empty", "dark"])
    assert (data.class_names, data.y.tolist()) == (["light", "empty", "dark"], [0] * 6 + [2] * 6)
    assert data.files[0].parent.name == "light"
    for names, message in {
        ("dark", "grey"): "class_names has 'grey', which has no folder; found dark, empty, light",
        ("dark", "dark"): "a list of different names",
        ("empty",): "none of the classes empty has an image",
    }.items():
        with pytest.raises(ValueError, match=message):
            ImageFolder(folder, (4, 3, 3), class_names=names)


def test_images_in_folders_below_a_class_belong_to_it(folder):
    (folder / "dark" / "night" / ".hidden").mkdir(parents=True)
    (folder / "dark" / "0.jpg").rename(folder / "dark" / "night" / "0.jpg")
    (folder / "dark" / "1.png").rename(folder / "dark" / "night" / ".hidden" / "1.png")
    data = ImageFolder(folder, (4, 3, 3))
    assert data.y.tolist() == [0] * 5 + [1] * 6
    assert len(next(iter(data.batches(20)))[0]) == 11


def test_a_class_with_another_number_than_in_training_is_refused(folder):
    layers = [mt.Input((4, 3, 3)), mt.Rescaling(1 / 255), mt.Flatten(), mt.Dense(2)]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(0.1), mt.CrossEntropyLoss())
    train, turned = (
        ImageFolder(folder, (4, 3, 3), class_names=names) for names in (["dark", "light"], ["light", "dark"])
    )
    with pytest.raises(ValueError, match="validation_data: class 'light' has number 0 in these data and 1 in training"):
        model.fit(train, validation_data=turned)
    model.fit(train)
    with pytest.raises(ValueError, match="evaluate: class 'light' has number 0 in these data and 1 in training"):
        model.evaluate(turned)
    model.class_names = ["Night", "Day"]
    model.evaluate(train)


def test_hidden_files_and_folders_are_no_images(folder):
    (folder / "dark" / "._0.jpg").write_bytes(b"resource fork")
    (folder / "light" / "folder.png").mkdir()
    assert len(ImageFolder(folder, (4, 3, 3))) == 12


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2), (0, 3, 3), (4.0, 3, 3), 4])
def test_a_shape_that_is_not_an_image_shape_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"shape is \(height, width, channels\).* 1 or 3 channels, got"):
        ImageFolder(tmp_path, shape)

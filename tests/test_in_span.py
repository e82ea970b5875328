"""fit(in_span=True): the results of a plain fit, with a small kernel in place of the first one."""

import contextlib
import copy
import json
import pickle
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np import callbacks, schedules
from minitorch_np.training import span

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())["training"]
EXAMPLES, FEATURES, UNITS = 12, 70, 4
KERNEL = "dense_1.kernel"


def data(seed=0, examples=EXAMPLES, features=FEATURES):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, features)) / 2
    x.flags.writeable = False
    return x, rng.permutation(np.arange(examples) % 2) * 1.0


def network(optimizer=None, regularizer=None, dtype="float64", features=FEATURES):
    layers = [
        mt.Input((features,)),
        mt.Dense(UNITS, kernel_regularizer=regularizer),
        mt.Tanh(),
        mt.Dense(3, kernel_regularizer=mt.L2(0.01)),
        mt.Tanh(),
        mt.Dense(1),
        mt.Sigmoid(),
    ]
    model = mt.Sequential(layers, rng=3, dtype=dtype)
    return model.compile(optimizer or mt.SGD(0.1, momentum=0.9), mt.BCELoss(), ["accuracy"])


def kernel_of(model):
    return model.layers[1].kernel


def pair(run, **of_network):
    """What `run(model, in_span)` makes of two equal models, in a plain fit and in the span."""
    found = []
    for in_span in (False, True):
        given = {name: copy.deepcopy(value) for name, value in of_network.items()}
        model = network(**given)
        found.append((model, run(model, in_span)))
    return found


def assert_same(one, other, tolerance=1e-12):
    """Two models have the same weights, state of the optimiser and history."""
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=tolerance)
    kept = {name: state for name, state in one.optimizer.state.items() if state}
    assert kept.keys() == {name for name, state in other.optimizer.state.items() if state}
    for name, state in kept.items():
        assert type(other.optimizer.state[name]) is dict
        assert state.keys() == other.optimizer.state[name].keys()
        for key, array in state.items():
            np.testing.assert_allclose(other.optimizer.state[name][key], array, rtol=0, atol=tolerance)
    assert one.optimizer.iteration == other.optimizer.iteration
    assert one.history.keys() == other.history.keys()
    for name, values in one.history.items():
        np.testing.assert_allclose(other.history[name], values, rtol=0, atol=tolerance)
    assert type(kernel_of(other)) is mt.Parameter


class Look(callbacks.Callback):
    """Note what there is of the first kernel, after every step or after some."""

    def __init__(self, every=1):
        self.every, self.found = every, []

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iteration % self.every == 0:
            kernel = kernel_of(self.model)
            self.found += [
                kernel.value.copy(),
                kernel.grad.copy(),
                *self.model.optimizer.get_state()["state"][KERNEL].values(),
            ]
            self.found += [array.copy() for array in self.model.optimizer.state[KERNEL].values()]


class Do(callbacks.Callback):
    """Call a function with the model at one step."""

    def __init__(self, function, step=7):
        self.function, self.step = function, step

    def on_train_batch_end(self, batch, logs=None):
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps == self.step:
            self.function(self.model)


# The same results


@settings(max_examples=40, deadline=None)
@given(
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    nesterov=st.booleans(),
    weight_decay=st.sampled_from([0.0, 0.05]),
    l2=st.sampled_from([None, 0.02]),
    clip=st.sampled_from([{}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}]),
    rate=st.sampled_from([0.1, schedules.CosineDecay(0.1, 60), schedules.ExponentialDecay(0.1, 20, 0.5)]),
    batch_size=st.sampled_from([None, 5, 1]),
    seed=st.integers(0, 1000),
    every=st.sampled_from([1, 7, 1000]),
)
def test_weights_losses_and_predictions_are_those_of_a_plain_fit(
    momentum, nesterov, weight_decay, l2, clip, rate, batch_size, seed, every
):
    x, y = data(seed)
    held_out = data(seed + 1, examples=5)
    optimizer = mt.SGD(rate, momentum, nesterov and momentum > 0, weight_decay, **clip)
    steps = {None: 1, 5: 3, 1: 12}[batch_size]

    def run(model, in_span):
        look = Look(every)
        for _ in range(2):  # the second fit begins with the velocity of the first
            model.fit(
                x,
                y,
                epochs=30 // steps,
                batch_size=batch_size,
                validation_data=held_out,
                callbacks=[look],
                in_span=in_span,
            )
        return look.found, model.predict(held_out[0])

    (plain, (seen, outputs)), (other, (seen_too, outputs_too)) = pair(
        run, optimizer=optimizer, regularizer=None if l2 is None else mt.L2(l2)
    )
    assert_same(plain, other)
    np.testing.assert_allclose(outputs_too, outputs, rtol=0, atol=1e-12)
    assert len(seen) == len(seen_too)
    for one, two in zip(seen, seen_too, strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-12)


def test_a_step_works_on_the_small_kernel():
    shapes, built = [], []

    class Noting(mt.Tanh):
        def forward(self, x):
            if built and getattr(kernel_of(model), "_in_span", None):
                shapes.append(kernel_of(model)._in_span.small.shape)
            return super().forward(x)

    model = mt.Sequential([mt.Input((FEATURES,)), mt.Dense(UNITS), Noting(), mt.Dense(1), mt.Sigmoid()], rng=1)
    model.compile(mt.SGD(0.1), mt.BCELoss())
    built.append(model.layers)
    model.fit(*data(), epochs=2, in_span=True)
    assert set(shapes) == {(EXAMPLES + UNITS, UNITS)}


@pytest.mark.parametrize(
    "weights", [{"class_weight": {0: 1.0, 1: 3.0}}, {"sample_weight": np.linspace(0, 2, EXAMPLES)}]
)
def test_weights_of_examples_and_classes_count_as_in_a_plain_fit(weights):
    x, y = data()
    (plain, _), (other, _) = pair(
        lambda model, in_span: model.fit(x, y, epochs=20, batch_size=5, in_span=in_span, **weights)
    )
    assert_same(plain, other)


@pytest.mark.parametrize("validation", ["split", "source"])
def test_validation_may_be_split_off_or_come_in_batches(validation):
    x, y = data()
    a, b = data(5, examples=6)
    batches = [(a[:4], b[:4]), (a[4:], b[4:])]
    how = {"validation_split": 0.4} if validation == "split" else {"validation_data": batches}
    (plain, _), (other, _) = pair(
        lambda model, in_span: model.fit(x, y, epochs=20, batch_size=5, in_span=in_span, **how)
    )
    assert_same(plain, other)


def test_images_go_through_the_preprocessing_first(rng):
    x = rng.integers(0, 256, (9, 6, 6, 3), dtype=np.uint8)
    y = np.arange(9) % 3
    found = []
    for in_span in (False, True):
        layers = [
            mt.Input((6, 6, 3)),
            mt.Rescaling(1 / 255),
            mt.Flatten(),
            mt.UnitNormalization(),
            mt.Dense(5),
            mt.ReLU(),
            mt.Dense(3),
        ]
        model = mt.Sequential(layers, rng=1, dtype="float64")
        model.compile(mt.SGD(0.05, momentum=0.5), mt.CrossEntropyLoss())
        history = model.fit(x, y, epochs=20, batch_size=4, validation_data=(x[:4], y[:4]), in_span=in_span)
        found.append([*model.get_weights(), history["val_loss"], model.predict(x)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12)


def test_examples_that_depend_on_each_other_do_no_harm():
    x, y = data()
    x = x.copy()
    x[3], x[4], x[5] = x[2], 0, 2 * x[1] - x[0]
    (plain, _), (other, _) = pair(lambda model, in_span: model.fit(x, y, epochs=20, batch_size=5, in_span=in_span))
    assert_same(plain, other)


def test_float32_stays_float32_and_close():
    x, y = data()
    (plain, _), (other, _) = pair(
        lambda model, in_span: model.fit(x, y, epochs=20, batch_size=5, in_span=in_span), dtype="float32"
    )
    assert kernel_of(other).value.dtype == np.float32
    assert_same(plain, other, 1e-5)


def test_the_published_run_gives_the_published_costs(cats):
    legacy = np.random.RandomState(1)

    def published(shape, rng):
        return legacy.randn(*shape[::-1]).T / np.sqrt(shape[0])

    layers = [mt.Input((64, 64, 3)), mt.Rescaling(1 / 255), mt.Flatten()]
    for units in PUBLISHED["layer_dims"][1:-1]:
        layers += [mt.Dense(units, kernel_initializer=published), mt.ReLU()]
    layers += [mt.Dense(1, kernel_initializer=published), mt.Sigmoid()]
    model = mt.Sequential(layers, dtype="float64")
    model.compile(mt.SGD(PUBLISHED["learning_rate"]), mt.BCELoss())
    history = model.fit(cats.x_train, cats.y_train, epochs=PUBLISHED["iterations"], batch_size=None, in_span=True)
    np.testing.assert_allclose(history["loss"][::100], PUBLISHED["cost_every_100_iterations"], rtol=0, atol=1e-6)
    wrong = (model.predict(cats.x_test).ravel() > 0.5) != cats.y_test
    assert wrong.sum() == PUBLISHED["test_misses"]


# The test above sees these mistakes


def spoil_basis_without_kernel(monkeypatch):
    class WithoutKernel(span.Span):
        def __init__(self, x, arrays):
            super().__init__(x, {name: np.zeros_like(array) for name, array in arrays.items()})
            self.basis[:, len(x) :] = 0
            self.arrays = {name: self.basis.T @ array for name, array in arrays.items()}

    monkeypatch.setattr(span, "Span", WithoutKernel)


def spoil_basis_without_velocity(monkeypatch):
    class WithoutVelocity(span.Span):
        def __init__(self, x, arrays):
            super().__init__(x, arrays)
            for name in arrays.keys() - {"value"}:
                self.arrays[name] = self.arrays[name] * (np.arange(len(self.arrays[name])) < len(x))[:, None]

    monkeypatch.setattr(span, "Span", WithoutVelocity)


def spoil_order_of_coordinates(monkeypatch):
    monkeypatch.setattr(span.Span, "coordinates_of", lambda self, x: (x @ self.basis)[:, ::-1])


def spoil_marking_of_what_is_stale(monkeypatch):
    note = span.KernelInSpan.note_step

    def without_velocity(self):
        note(self)
        self.stale.discard("velocity")

    monkeypatch.setattr(span.KernelInSpan, "note_step", without_velocity)


def spoil_basis_that_is_not_orthonormal(monkeypatch):
    class Longer(span.Span):
        def __init__(self, x, arrays):
            super().__init__(x, arrays)
            self.basis[:, 0] *= 1.001
            self.x[:, 0] /= 1.001
            for array in self.arrays.values():
                array[0] /= 1.001

    monkeypatch.setattr(span, "Span", Longer)


SPOILS = [value for name, value in list(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__)
def test_planted_mistakes_are_seen(spoil, monkeypatch):
    held_out = data(9, examples=5)

    def run(model, in_span):
        for seed in (0, 1):  # the velocity of the first fit is outside the span of the second
            model.fit(*data(seed), epochs=10, batch_size=5, validation_data=held_out, in_span=in_span)

    spoil(monkeypatch)
    (plain, _), (other, _) = pair(run, optimizer=mt.SGD(0.1, 0.9, weight_decay=0.05, clipnorm=0.1))
    with pytest.raises(AssertionError):
        assert_same(plain, other, 1e-8)


@pytest.mark.parametrize("base", [mt.Adam, mt.AdamW, mt.RMSprop, mt.Adagrad, mt.Lion, mt.Nadam])
def test_what_is_refused_would_have_other_results(base):
    says_so = type("Claims", (base,), {"rotation_invariant": True, "__module__": __name__})
    x, y = data()
    (plain, _), (other, _) = pair(
        lambda model, in_span: model.fit(x, y, epochs=20, in_span=in_span), optimizer=says_so(0.01)
    )
    assert np.abs(kernel_of(plain).value - kernel_of(other).value).max() > 1e-3


# Looking and changing


def test_predictions_scores_and_files_in_a_callback_are_those_of_the_whole_model(tmp_path):
    x, y = data()
    held_out, labels = data(4, examples=5)

    def run(model, in_span):
        found = []

        def look(model):
            path = tmp_path / f"{in_span}.keras"
            model.save(path)
            opened = mt.load_model(path)
            copied, unpickled = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
            for one in (model, opened, copied, unpickled):
                assert in_span == (type(kernel_of(one)) is not mt.Parameter) or one is not model
                found.extend([one.predict(held_out), *one.get_weights(), *one.optimizer.state[KERNEL].values()])
            found.append(np.array(model.evaluate(held_out, labels)))
            found.append(model.layers[1](held_out))

        model.fit(x, y, epochs=4, batch_size=5, callbacks=[Do(look)], in_span=in_span)
        return found

    (plain, seen), (other, seen_too) = pair(run)
    assert_same(plain, other)
    for one, two in zip(seen, seen_too, strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-12)


def grow(model):
    kernel_of(model).value[...] *= 1.5


def assign(model):
    kernel_of(model).value = np.random.default_rng(8).normal(size=(FEATURES, UNITS))


def set_all(model):
    model.set_weights([np.random.default_rng(5).normal(size=w.shape) for w in model.get_weights()])


def replace_array(model):
    kernel_of(model).replace(np.full((FEATURES, UNITS), 0.25))


def forget_velocity(model):
    model.optimizer.reset()


def shorten_velocity(model):
    model.optimizer.state[KERNEL]["velocity"] *= 0.5


def other_velocity(model):
    model.optimizer.state[KERNEL]["velocity"] = np.ones((FEATURES, UNITS))


def freeze(model):
    model.layers[1].trainable = False


def slower(model):
    model.optimizer.learning_rate = 0.01


def no_momentum(model):
    model.optimizer.momentum = 0.0


def call_and_backward(model):
    y = model(data(3)[0], training=True)
    model.backward(np.ones_like(y))


CHANGES = [
    grow,
    assign,
    set_all,
    replace_array,
    forget_velocity,
    shorten_velocity,
    other_velocity,
    freeze,
    slower,
    no_momentum,
]
CHANGES += [call_and_backward]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("step", [1, 7, 9, 30])
def test_what_a_callback_changes_is_taken_over(change, step):
    x, y = data()

    def run(model, in_span):
        model.fit(x, y, epochs=10, batch_size=5, validation_data=data(2), callbacks=[Do(change, step)], in_span=in_span)

    (plain, _), (other, _) = pair(run, optimizer=mt.SGD(0.1, 0.9, weight_decay=0.02, global_clipnorm=1.0))
    assert_same(plain, other, 1e-11)


def test_a_change_through_an_old_reference_is_refused():
    kept = []

    def note(model):
        kept.append(kernel_of(model).value)

    def change(model):
        kept[0][...] *= 2

    model = network()
    with pytest.raises(RuntimeError, match=r"older than the last step.*Read it anew"):
        model.fit(*data(), epochs=10, batch_size=5, callbacks=[Do(note, 3), Do(change, 5)], in_span=True)
    assert type(kernel_of(model)) is mt.Parameter
    assert type(model.optimizer.state[KERNEL]) is dict


@pytest.mark.parametrize("inside_too", [False, True])
def test_a_callback_may_fit_the_same_model(inside_too):
    x, y = data()

    def run(model, in_span):
        def more(model):
            model.fit(*data(6), epochs=2, batch_size=4, in_span=in_span and inside_too)

        history = model.fit(x, y, epochs=6, batch_size=5, callbacks=[Do(more)], in_span=in_span)
        return history["loss"]

    (plain, losses), (other, losses_too) = pair(run)
    assert_same(plain, other)
    np.testing.assert_allclose(losses_too, losses, rtol=0, atol=1e-12)


def test_early_stopping_restores_the_best_weights():
    x, y = data()

    def run(model, in_span):
        stop = callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
        model.fit(x, y, epochs=60, batch_size=5, validation_data=data(2), callbacks=[stop], in_span=in_span)
        return stop.stopped_epoch

    (plain, stopped), (other, stopped_too) = pair(run)
    assert stopped == stopped_too is not None
    assert_same(plain, other)


def test_other_threads_see_the_whole_kernel_after_a_whole_step():
    x, y = data()
    after, seen, done = [], [], threading.Event()

    class Note(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            after.append(kernel_of(self.model).value.copy())

    network().fit(x, y, epochs=300, batch_size=5, callbacks=[note := Note()])
    model = network()
    before = kernel_of(model).value.copy()

    def read():
        while not done.is_set():
            seen.append(kernel_of(model).value.copy())
            seen.append(model.get_weights()[0])
            model.predict(x)

    thread = threading.Thread(target=read)
    thread.start()
    model.fit(x, y, epochs=300, batch_size=5, in_span=True)
    done.set()
    thread.join()
    assert note is not None
    steps = np.array([before, *after])
    assert len(seen) > 20
    for value in seen:
        assert np.abs(steps - value).max(axis=(1, 2)).min() < 1e-10
    np.testing.assert_allclose(kernel_of(model).value, after[-1], rtol=0, atol=1e-12)


# Ends


class Stop(Exception):
    pass


def stop(model):
    raise Stop


def interrupt(model):
    signal.raise_signal(signal.SIGINT)


def interrupt_twice(model):
    interrupt(model)
    interrupt(model)


@pytest.mark.parametrize("end", [stop, interrupt, interrupt_twice], ids=lambda end: end.__name__)
def test_the_kernel_is_whole_however_training_ends(end):
    x, y = data()

    def run(model, in_span):
        with contextlib.suppress(Stop, KeyboardInterrupt):
            model.fit(x, y, epochs=10, batch_size=5, callbacks=[Do(end, 8)], in_span=in_span)

    (plain, _), (other, _) = pair(run)
    assert_same(plain, other)
    other.fit(x, y, epochs=1)  # and the model learns on


@pytest.mark.parametrize("rate", [1e200, 1e308])
def test_divergence_is_told_and_undone_as_in_a_plain_fit(rate):
    x, y = data()

    def run(model, in_span):
        begin = callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 20 else rate)
        with pytest.raises(FloatingPointError) as error:
            model.fit(x, y, epochs=40, callbacks=[begin], in_span=in_span)
        return str(error.value)

    (plain, told), (other, told_too) = pair(run, optimizer=mt.SGD(0.1, weight_decay=0.1))
    assert told == told_too
    assert_same(plain, other)


@pytest.mark.parametrize("step", [0, 20])
def test_a_kernel_that_is_not_finite_is_named(step):
    x, y = data()

    def spoil(model):
        kernel_of(model).value[0, 0] = np.nan

    def run(model, in_span):
        if step == 0:
            spoil(model)
        with pytest.raises(FloatingPointError) as error:
            model.fit(x, y, epochs=10, batch_size=5, callbacks=[Do(spoil, step)], in_span=in_span)
        return str(error.value)

    (plain, told), (other, told_too) = pair(run)
    assert told == told_too
    for one, two in zip(plain.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-12)


# Resuming


class Crash(callbacks.Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iteration == self.step:
            raise Stop


@pytest.fixture
def often(monkeypatch):
    """Write a checkpoint after every step."""
    from minitorch_np.training import kept_run

    monkeypatch.setattr(kept_run, "SECONDS", -1.0)
    monkeypatch.setattr(kept_run, "TIMES", 0)


@pytest.mark.parametrize("step", [1, 6, 13])
def test_a_resumed_run_ends_in_the_same_bits(tmp_path, often, step):
    x, y = data()
    how = {"epochs": 8, "batch_size": 5, "validation_data": data(2), "in_span": True}
    optimizer = mt.SGD(0.1, 0.9, weight_decay=0.02)
    whole = network(copy.deepcopy(optimizer))
    whole.fit(x, y, **how)
    broken = network(copy.deepcopy(optimizer))
    with pytest.raises(Stop):
        broken.fit(x, y, **how, callbacks=[Crash(step)], resume=tmp_path / "run")
    resumed = network(copy.deepcopy(optimizer))
    kernel_of(resumed).value[...] = 7.0  # the file replaces it
    resumed.fit(x, y, **how, resume=tmp_path / "run")
    for one, two in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(two, one)
    assert dict(whole.history) == dict(resumed.history)


def test_a_run_that_was_resumed_without_a_step_can_be_continued_to_the_bit(tmp_path):
    x, y = data()
    whole, last = network(), network()
    whole.fit(x, y, epochs=8, batch_size=5, in_span=True)
    for epochs, model in ((3, network()), (3, network()), (8, last)):
        model.fit(x, y, epochs=epochs, batch_size=5, in_span=True, resume=tmp_path / "run")
    for one, two in zip(whole.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(two, one)


def test_a_run_is_resumed_in_the_way_in_which_it_began(tmp_path):
    x, y = data()
    for first, second in ((True, False), (False, True)):
        path = tmp_path / f"{first}"
        network().fit(x, y, epochs=2, resume=path, in_span=first)
        with pytest.raises(mt.ModelFileError, match=r"of another run: callbacks is (InSpan|none) here"):
            network().fit(x, y, epochs=4, resume=path, in_span=second)


def test_a_forged_state_is_refused():
    from minitorch_np.training.span_run import InSpan

    kept = InSpan(mt.Parameter(np.ones((FEATURES, UNITS))), EXAMPLES)
    good = {"value": np.ones((FEATURES, UNITS))}, {"value": np.ones((EXAMPLES + UNITS, UNITS))}
    kept.set_state({"at_first": good[0], "now": good[1]})
    for first, now in (({}, {}), (good[0], {}), (good[1], good[0]), ({"value": good[0]["value"] * np.nan}, good[1])):
        with pytest.raises(ValueError, match="keep"):
            kept.set_state({"at_first": first, "now": now})


# What is refused


class OwnDense(mt.Dense):
    pass


class OwnSGD(mt.SGD):
    pass


class OwnL2(mt.L2):
    pass


class SaysSo(mt.SGD):
    rotation_invariant = True


class OwnModel(mt.Model):
    def __init__(self):
        super().__init__()
        self.dense = mt.Dense(1)

    def forward(self, x):
        return self.dense(x)

    def backward(self, dy):
        return self.dense.backward(dy)


OPTIMIZERS = [mt.Adam(), mt.AdamW(), mt.RMSprop(), mt.Adagrad(), mt.Lion(), mt.Nadam()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_optimizers_of_single_elements_are_refused(optimizer):
    model = network(optimizer)
    with pytest.raises(
        ValueError, match=rf"in_span=True\): {type(optimizer).__name__}\(.*by itself.*Use SGD.*leave in_span out"
    ):
        model.fit(*data(), in_span=True)


def test_a_class_of_the_users_own_must_say_that_it_is_rotation_invariant():
    with pytest.raises(ValueError, match=r"OwnSGD\(.*may depend on rotations.*rotation_invariant = True"):
        network(OwnSGD()).fit(*data(), in_span=True)
    with pytest.raises(ValueError, match=r"OwnL2\(.*may depend on rotations.*Use L2"):
        network(regularizer=OwnL2()).fit(*data(), in_span=True)
    x, y = data()
    (plain, _), (other, _) = pair(
        lambda model, in_span: model.fit(x, y, epochs=9, in_span=in_span), optimizer=SaysSo(0.1, 0.9)
    )
    assert_same(plain, other)


@pytest.mark.parametrize("penalty", [mt.L1(0.1), mt.L1L2(0.1, 0.1)], ids=repr)
def test_penalties_on_single_weights_are_refused(penalty):
    with pytest.raises(ValueError, match=r"L1.*of Dense.*each weight by itself.*Use L2, or leave in_span out"):
        network(regularizer=penalty).fit(*data(), in_span=True)


def test_clipvalue_is_refused():
    with pytest.raises(ValueError, match=r"clipvalue=0.1 cuts each element.*Use clipnorm or global_clipnorm"):
        network(mt.SGD(0.1, clipvalue=0.1)).fit(*data(), in_span=True)


@pytest.mark.parametrize(
    ("before", "match"),
    [
        (mt.Dropout(0.1), r"got Dropout\(.*differ from step to step"),
        (mt.GaussianNoise(0.1), r"got GaussianNoise\(.*differ from step to step"),
        (mt.BatchNormalization(), r"got BatchNormalization\(.*change in every step"),
        (mt.LayerNormalization(), r"got LayerNormalization\(.*change in every step"),
        (mt.ReLU(), r"got ReLU\(.*apply it to x before fit"),
        (OwnDense(5), r"got OwnDense\(.*something else than Dense"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_another_layer_before_the_first_dense_is_refused(before, match):
    model = mt.Sequential([mt.Input((FEATURES,)), before, mt.Dense(1)]).compile(mt.SGD(), mt.MSELoss())
    with pytest.raises(ValueError, match=match):
        model.fit(*data(), in_span=True)


def test_augmentation_and_convolution_are_refused(rng):
    x, y = rng.normal(size=(4, 8, 8, 3)), np.ones(4)
    for first in (mt.RandomFlip(), mt.Conv2D(2, 3)):
        model = mt.Sequential([mt.Input((8, 8, 3)), first, mt.Flatten(), mt.Dense(1)]).compile(mt.SGD(), mt.MSELoss())
        with pytest.raises(
            ValueError, match=rf"expected a Dense first.*got {type(first).__name__}\(.*leave in_span out"
        ):
            model.fit(x, y, in_span=True)


def test_sequences_are_refused(rng):
    model = mt.Sequential([mt.Input((5, FEATURES)), mt.Dense(1)]).compile(mt.SGD(), mt.MSELoss())
    with pytest.raises(ValueError, match=r"one row of features per example before Dense.*Flatten"):
        model.fit(rng.normal(size=(3, 5, FEATURES)), rng.normal(size=(3, 5, 1)), in_span=True)


def test_a_model_that_is_no_sequential_is_refused():
    model = OwnModel().compile(mt.SGD(), mt.MSELoss())
    with pytest.raises(ValueError, match="only a Sequential says which layer is the first"):
        model.fit(*data(), in_span=True)


def test_a_frozen_kernel_is_refused():
    model = network()
    model.layers[1].trainable = False
    with pytest.raises(ValueError, match=r"the kernel of Dense.*is frozen.*layer.trainable = True"):
        model.fit(*data(), in_span=True)


@pytest.mark.parametrize(("examples", "momentum"), [(FEATURES - UNITS, 0.0), (FEATURES - 2 * UNITS, 0.9)])
def test_too_many_examples_are_refused(examples, momentum):
    with pytest.raises(ValueError, match=rf"got {examples} examples of {FEATURES} features.*Leave in_span out"):
        network(mt.SGD(0.1, momentum)).fit(*data(examples=examples), in_span=True)
    network(mt.SGD(0.1, momentum)).fit(*data(examples=examples - 1), in_span=True)


def test_data_that_come_in_batches_are_refused():
    with pytest.raises(ValueError, match=r"the basis needs all examples at once, got .*Give x and y as arrays"):
        network().fit([data()], in_span=True)


def test_several_inputs_are_refused():
    x, y = data()
    with pytest.raises(ValueError, match="has one input"):
        network().fit([x, x], y, in_span=True)


@pytest.mark.parametrize("given", [1, "yes", None])
def test_in_span_is_a_flag(given):
    with pytest.raises(ValueError, match="in_span"):
        network().fit(*data(), in_span=given)


def set_clipvalue(model):
    model.optimizer.clipvalue = 0.1


def set_l1(model):
    kernel_of(model).regularizer = mt.L1(0.1)


def set_optimizer(model):
    model.compile(mt.Adam(), mt.BCELoss())


@pytest.mark.parametrize("change", [set_clipvalue, set_l1, set_optimizer], ids=lambda change: change.__name__)
def test_what_a_callback_sets_is_refused_too(change):
    model = network()
    with pytest.raises(ValueError, match="in_span=True"):
        model.fit(*data(), epochs=9, callbacks=[Do(change)], in_span=True)
    assert type(kernel_of(model)) is mt.Parameter

"""One model in several threads: answers are those of one thread, and asking changes nothing."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minitorch_np as mt

pytestmark = pytest.mark.filterwarnings("ignore:.*Keras has no mae")


def network(rng=0, loss=None):
    layers = [mt.Input((20,)), mt.Dense(64), mt.BatchNormalization(), mt.Dropout(0.5), mt.Dense(3)]
    return mt.Sequential(layers, rng=rng).compile(mt.SGD(0.01, momentum=0.9), loss or mt.MSELoss(), ["mae"])


class Noting(mt.Layer):
    """A layer that keeps its last input and a count in plain attributes, as people write it."""

    def __init__(self):
        self.seen = np.zeros(1)

    def forward(self, x):
        self.x = x
        self.seen += 1
        self.y = np.tanh(self.x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


def trained(x, tmp_path, how):
    model = network()
    model.fit(x, x[:, :3], epochs=1)
    if how == "trained":
        return model
    if how == "loaded":
        model.save(tmp_path / "m.keras")
        return mt.load_model(tmp_path / "m.keras")
    return mt.Sequential([*model.layers[:2], Noting(), *model.layers[2:]])


@pytest.mark.parametrize("how", ["trained", "loaded", "with a layer that notes"])
@pytest.mark.parametrize("ask", ["predict", "evaluate", "call"])
def test_many_threads_get_what_one_thread_gets_and_change_nothing(how, ask, tmp_path, rng):
    x = rng.normal(size=(200, 20)).astype(np.float32)
    model = trained(x, tmp_path, how)
    if how.startswith("with"):
        model.compile(mt.SGD(0.01), mt.MSELoss())
    questions = {
        "predict": lambda: model.predict(x, batch_size=50),
        "evaluate": lambda: np.array(model.evaluate(x, x[:, :3])),
        "call": lambda: model(x),
    }
    due, before = questions[ask](), model.get_weights()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: questions[ask](), range(80)))
    for answer in answers:
        np.testing.assert_array_equal(answer, due)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert all(not layer.training or layer.keep_cache for _, layer in model.walk())


def test_a_new_model_is_built_once_by_many_threads(rng):
    x = rng.normal(size=(30, 20)).astype(np.float32)
    for _ in range(5):
        model = network(rng=None)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, model=model: model.predict(x), range(16)))
        assert all(np.array_equal(answer, model.predict(x)) for answer in answers)


class EveryStep(mt.Callback):
    """The weights after every step, as bytes."""

    def on_train_begin(self, logs=None):
        self.states = {as_bytes(self.model.get_weights())}

    def on_train_batch_end(self, batch, logs=None):
        self.states.add(as_bytes(self.model.get_weights()))


def as_bytes(weights):
    return b"".join(weight.tobytes() for weight in weights)


def test_who_asks_or_saves_beside_a_fit_meets_the_weights_of_one_step(tmp_path, rng):
    x = rng.normal(size=(400, 20)).astype(np.float32)
    alone = network()
    alone.fit(x, x[:, :3], epochs=8, batch_size=16)
    model, steps = network(), EveryStep()
    met, problems = [], []

    def beside(work):
        try:
            while thread.is_alive():
                work()
        except Exception as error:
            problems.append(error)

    thread = threading.Thread(
        target=lambda: model.fit(x, x[:, :3], epochs=8, batch_size=16, callbacks=[steps]), daemon=True
    )

    def save():
        model.save(tmp_path / "m.keras")
        met.append(as_bytes(mt.load_model(tmp_path / "m.keras").get_weights()))

    works = [lambda: model.predict(x[:50]), lambda: model.evaluate(x[:50], x[:50, :3]), lambda: model(x[:5]), save]
    works.append(lambda: met.append(as_bytes(model.get_weights())))
    model.parameters()
    thread.start()
    others = [threading.Thread(target=beside, args=(work,), daemon=True) for work in works]
    for other in others:
        other.start()
    for one in (thread, *others):
        one.join(60)
    assert not problems
    assert not thread.is_alive()
    assert model.history == alone.history
    assert met
    assert set(met) <= steps.states
    assert as_bytes(model.get_weights()) == as_bytes(alone.get_weights())


def test_a_fit_that_begins_leaves_a_prediction_its_weights(rng):
    x = rng.normal(size=(40, 20)).astype(np.float32)
    model = network()
    due = model.predict(x, batch_size=10)
    begun, go_on, answers = threading.Event(), threading.Event(), []

    class Waiting(mt.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            begun.set()
            go_on.wait(20)

    asking = threading.Thread(target=lambda: answers.append(model.predict(x, batch_size=10, callbacks=[Waiting()])))
    asking.start()
    begun.wait(20)
    model.fit(x, x[:, :3], epochs=2)
    go_on.set()
    asking.join(20)
    np.testing.assert_array_equal(answers[0], due)
    assert not np.array_equal(model.predict(x), due)


def test_callbacks_may_ask_from_threads_of_their_own(rng):
    x = rng.normal(size=(64, 20)).astype(np.float32)

    class Asking(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            with ThreadPoolExecutor(2) as pool:
                for answer in pool.map(lambda _: self.model.predict(x), range(2)):
                    np.testing.assert_array_equal(answer, self.model.predict(x))

    asked, alone = network(), network()
    asked.fit(x, x[:, :3], callbacks=[Asking()])
    alone.fit(x, x[:, :3])
    assert asked.history == alone.history


def test_one_loss_may_serve_two_models_in_two_threads(rng):
    x = rng.normal(size=(300, 20)).astype(np.float32)
    y = (x[:, :3] > 0).astype(np.float32)
    due = network(loss=mt.BCEWithLogitsLoss()).fit(x, y, epochs=4)
    loss = mt.BCEWithLogitsLoss()
    models = [network(loss=loss), network(loss=loss)]
    with ThreadPoolExecutor(2) as pool:
        histories = list(pool.map(lambda model: model.fit(x, y, epochs=4), models))
    assert histories == [due, due]


def test_two_fits_of_the_same_weights_at_once_are_refused(rng):
    x = rng.normal(size=(64, 20)).astype(np.float32)
    model = network()
    refused = []

    class FitsToo(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            def fit():
                with pytest.raises(RuntimeError, match="another thread trains these weights"):
                    model.fit(x, x[:, :3])
                refused.append(True)

            thread = threading.Thread(target=fit)
            thread.start()
            thread.join()

    model.fit(x, x[:, :3], callbacks=[FitsToo()])
    assert refused


def test_layers_called_by_themselves_and_copies_leave_a_fit_alone(rng):
    x = rng.normal(size=(320, 3)).astype(np.float32)

    def network():
        model = mt.Sequential([mt.Input((3,)), mt.Dense(4), mt.BatchNormalization(), mt.Dense(1)], rng=0)
        return model.compile(mt.SGD(0.01), mt.MSELoss())

    alone, model = network(), network()
    due = alone.fit(x, x[:, :1], epochs=5)
    done, failed = threading.Event(), []

    def disturb():
        while not done.is_set():
            try:
                for layer in model.layers[1:3]:
                    layer(np.ones((32, 3 if isinstance(layer, mt.Dense) else 4), np.float32))
                copy.deepcopy(model)
            except Exception as error:
                failed.append(error)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        history = model.fit(x, x[:, :1], epochs=5)
    finally:
        done.set()
        thread.join()
    assert history == due
    assert not failed

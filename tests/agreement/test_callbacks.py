"""The same hooks in the same order, with the same arguments, as Keras calls them."""

import os

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend

EPOCHS = ["on_epoch_begin", "on_epoch_end"]
BATCHES = [f"on_{phase}_batch_{end}" for phase in ("train", "test", "predict") for end in ("begin", "end")]
WHOLE = [f"on_{phase}_{end}" for phase in ("train", "test", "predict") for end in ("begin", "end")]


def listener(base, default):
    """A callback of either library that writes down what it hears: hook, number, names in the logs."""
    heard = []

    def hook(name):
        def numbered(self, number, logs):
            heard.append((name, number, logs))

        def whole(self, logs):
            heard.append((name, logs, self.model is not None, sorted(self.params.items())))

        method = whole if name in WHOLE else numbered
        method.__defaults__ = default
        return method

    return type("Listener", (base,), {name: hook(name) for name in EPOCHS + BATCHES + WHOLE})(), heard


def comparable(heard):
    """The logs by their names alone; of batches, Keras also logs the metrics."""
    for name, *others in heard:
        others = [sorted(item) if isinstance(item, dict) else item for item in others]
        others = [["loss"] if item == ["accuracy", "loss"] and "batch" in name else item for item in others]
        yield name, others


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(23, 3)).astype(np.float32), rng.integers(0, 2, 23)


def ours():
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1), mt.Sigmoid()], rng=0)
    return model.compile(mt.SGD(0.01), mt.BCELoss(), ["accuracy"])


def theirs():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("default", [(), (None,)], ids=["logs", "logs=None"])
@pytest.mark.parametrize("held_out", [False, True])
def test_fit_evaluate_and_predict_call_the_hooks_as_keras_does(held_out, default):
    x, y = data()
    validation = (x[:9], y[:9]) if held_out else None
    everything = []
    for model, base, quiet in (
        (ours(), mt.Callback, {}),
        (theirs(), keras.callbacks.Callback, {"verbose": 0}),
    ):
        callback, heard = listener(base, default)
        model.fit(x, y, epochs=2, batch_size=8, validation_data=validation, callbacks=[callback], **quiet)
        model.evaluate(x, y, batch_size=10, callbacks=[callback], **quiet)
        model.predict(x, batch_size=11, callbacks=[callback], **quiet)
        everything.append(list(comparable(heard)))
    assert everything[0] == everything[1]
    assert {name for name, *_ in everything[0]} == set(EPOCHS + BATCHES + WHOLE)


def test_the_logs_hold_what_was_measured():
    x, y = data()
    model = ours()
    callback, heard = listener(mt.Callback, ())
    history = model.fit(x, y, epochs=2, batch_size=8, validation_data=(x, y), callbacks=[callback], progress=False)
    logs = {name: numbers for name, numbers, *_ in heard if name in WHOLE}
    assert logs["on_train_end"] == {name: values[-1] for name, values in history.items()}
    assert logs["on_test_end"] == {name: history[f"val_{name}"][-1] for name in ("loss", "accuracy")}
    assert heard[0] == ("on_train_begin", {}, True, [("epochs", 2), ("steps", 3), ("verbose", 0)])
    scores = model.evaluate(x, y, batch_size=10, callbacks=[callback])
    assert heard[-1][:2] == ("on_test_end", scores._asdict())
    predicted = model.predict(x, batch_size=11, callbacks=[callback])
    outputs = [logs["outputs"] for name, _, logs, *_ in heard if name == "on_predict_batch_end"]
    np.testing.assert_array_equal(np.concatenate(outputs), predicted)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_what_is_no_callback_is_refused(method):
    x, y = data()
    call = getattr(ours(), method)
    given = (x,) if method == "predict" else (x, y)
    for callbacks, message in (
        (mt.Callback(), rf"{method}: callbacks is a list, got .*Write callbacks=\[…\]"),
        ([mt.Callback], rf"{method}: Callback is a class. Write Callback\(\)"),
        ([print], rf"{method}: expected callbacks such as EarlyStopping\(\), got <built-in function print>"),
    ):
        with pytest.raises(ValueError, match=message):
            call(*given, callbacks=callbacks)

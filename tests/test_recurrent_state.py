"""The state of recurrent layers: returned, given, and kept from batch to batch."""

import copy
import signal

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import datasets

KINDS = [mt.SimpleRNN, mt.LSTM, mt.GRU]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def made(kind, **options):
    layer = kind(3, return_sequences=True, **options)
    return layer.initialize((5, 2), 1, np.float64)


@each_kind
def test_two_halves_with_the_state_between_them_are_the_whole(kind, rng):
    layer = made(kind, return_state=True)
    x = rng.normal(size=(4, 6, 2))
    y, *state = layer(x)
    assert len(state) == (2 if kind is mt.LSTM else 1)
    np.testing.assert_array_equal(y[:, -1], state[0])
    first, *middle = layer(x[:, :2])
    second, *final = layer.forward(x[:, 2:], *middle)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), y, rtol=1e-12)
    np.testing.assert_allclose(final, state, rtol=1e-12)
    for given in (middle, tuple(middle), middle[0] if len(middle) == 1 else middle):  # as in Keras
        np.testing.assert_array_equal(layer(x[:, 2:], initial_state=given)[0], second)


@each_kind
def test_with_a_mask_the_final_state_is_that_of_the_last_real_step(kind, rng):
    layer = made(kind, return_state=True)
    x = rng.normal(size=(2, 5, 2))
    mask = np.array([[True, True, True, False, False], [False, True, False, True, False]])
    _, *state = layer.forward(x, mask=mask)
    for row in range(2):
        np.testing.assert_allclose(
            [part[row] for part in state], [part[0] for part in layer(x[row : row + 1, mask[row]])[1:]]
        )
    _, *kept = layer.forward(x, *state, mask=np.zeros((2, 5), bool))
    np.testing.assert_array_equal(kept, state)


def slope(f, array, step=1e-6):
    """dL/darray of a function of an array, by central differences."""
    found = np.zeros_like(array)
    for place in np.ndindex(*array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[place] += sign * step
            ends.append(f(moved))
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found


@each_kind
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_gradients_reach_the_initial_state_and_come_from_the_final_one(kind, masked, sequences, rng):
    layer = kind(3, return_sequences=sequences, return_state=True).initialize((4, 2), 1, np.float64)
    x = rng.normal(size=(3, 4, 2))
    mask = np.array([[True, True, False, True], [False, True, True, False], [False] * 4]) if masked else None
    state = [rng.normal(size=(3, 3)) for _ in range(layer.state_size)]
    dys = [rng.normal(size=part.shape) for part in layer.forward(x, *state, mask=mask)]

    def total(x, *state):
        return sum((dy * y).sum() for dy, y in zip(dys, layer.forward(x, *state, mask=mask), strict=True))

    layer.forward(x, *state, mask=mask)
    found = layer.backward(tuple(dys))
    np.testing.assert_allclose(found[0], slope(lambda moved: total(moved, *state), x), atol=1e-8)
    for place in range(len(state)):
        due = slope(lambda moved, place=place: total(x, *state[:place], moved, *state[place + 1 :]), state[place])
        np.testing.assert_allclose(found[1 + place], due, atol=1e-8)
    grads = {name: parameter.grad.copy() for name, parameter in layer.parameters().items()}
    for name, parameter in layer.parameters().items():
        before = parameter.value.copy()

        def moved_to(value, parameter=parameter):
            parameter.value = value
            return total(x, *state)

        due = slope(moved_to, before)
        parameter.value = before
        np.testing.assert_allclose(grads[name], due, atol=1e-8)


@each_kind
def test_the_checker_takes_a_sequence_and_a_state(kind, rng):
    layer = kind(3, return_sequences=True, return_state=True).initialize((4, 2), 0, np.float64)
    arrays = [rng.normal(size=(5, 4, 2)), *[rng.normal(size=(5, 3)) for _ in range(layer.state_size)]]
    mt.assert_gradients(layer, arrays)
    mt.assert_gradients(
        mt.Bidirectional(kind(3, return_state=True)).initialize((4, 2), 0, np.float64),
        [(5, 4, 2), *[(5, 3)] * (2 * layer.state_size)],
    )


def test_a_gradient_that_is_none_counts_as_zero(rng):
    layer = made(mt.LSTM, return_state=True)
    x = rng.normal(size=(3, 4, 2))
    y, h, _ = layer(x)
    dh = rng.normal(size=h.shape)
    dx = layer.backward((None, dh, None))
    layer(x)
    np.testing.assert_array_equal(layer.backward((np.zeros_like(y), dh, np.zeros_like(h))), dx)


def test_bidirectional_gives_and_takes_the_states_of_both_directions(rng):
    layer = mt.Bidirectional(mt.LSTM(3, return_sequences=True, return_state=True)).initialize((4, 2), 0, np.float64)
    x = rng.normal(size=(3, 4, 2))
    y, h, c, h_back, c_back = layer(x)
    np.testing.assert_array_equal(y[:, -1, :3], h)
    np.testing.assert_array_equal(y[:, 0, 3:], h_back)
    state = [h, c, h_back, c_back]
    dys = [rng.normal(size=part.shape) for part in layer.forward(x, *state)]
    dx, *dstate = layer.backward(tuple(dys))

    def total(x, *state):
        return sum((dy * y).sum() for dy, y in zip(dys, layer.forward(x, *state), strict=True))

    np.testing.assert_allclose(dx, slope(lambda moved: total(moved, *state), x), atol=1e-8)
    np.testing.assert_allclose(dstate[3], slope(lambda moved: total(x, h, c, h_back, moved), c_back), atol=1e-8)


@each_kind
def test_an_encoder_and_a_decoder_learn_together(kind, rng):
    """The decoder begins with the state of the encoder: sequences are read and written again in reverse."""

    class Copier(mt.Model):
        def __init__(self, rng=None, dtype="float32"):
            super().__init__(rng, dtype)
            self.encoder, self.decoder = kind(16, return_state=True), kind(16, return_sequences=True)
            self.head = mt.Dense(4)

        def build(self, input_shape):
            self.encoder.ensure_built((input_shape[0], 4))
            self.head.ensure_built(self.decoder.ensure_built((input_shape[0], 4)))

        def forward(self, x):
            _, *state = self.encoder.forward(x)
            return self.head.forward(self.decoder.forward(np.zeros_like(x), *state))

        def backward(self, dy):
            _, *dstate = self.decoder.backward(self.head.backward(dy))
            return self.encoder.backward((None, *dstate))

    y = rng.integers(0, 4, (200, 3))
    model = Copier(rng=0).compile(mt.Adam(0.02), mt.CrossEntropyLoss(), ["accuracy"])
    assert model.fit(np.eye(4)[y], y[:, ::-1], epochs=40)["accuracy"][-1] > 0.95
    mt.assert_gradients(Copier(rng=0, dtype="float64"), rng.normal(size=(5, 3, 4)))


@pytest.mark.parametrize(
    ("layer", "state", "message"),
    [
        (mt.LSTM(3), [(4, 3)], r"expected a state \(h, c\) of shape \(4, 3\), got \(4, 3\)"),
        (mt.GRU(3), [(4, 2)], r"expected a state h of shape \(4, 3\), got \(4, 2\)"),
        (mt.SimpleRNN(3), [(1, 3)], r"of shape \(4, 3\), got \(1, 3\)"),
    ],
    ids=repr,
)
def test_a_state_that_does_not_fit_is_refused(layer, state, message, rng):
    layer = layer.clone().initialize((5, 2), 0, np.float64)
    with pytest.raises(ValueError, match=message):
        layer.forward(rng.normal(size=(4, 5, 2)), *[np.zeros(shape) for shape in state])


def test_a_sequential_refuses_a_layer_that_returns_its_state():
    with pytest.raises(
        ValueError, match=r"GRU\(units=3, return_state=True\) gives several arrays, and the next layer takes one"
    ):
        mt.Sequential([mt.Input((5, 2)), mt.GRU(3, return_state=True), mt.Dense(1)])


# stateful


def network(*layers, dtype="float64", **options):
    given = layers or (mt.LSTM(6, return_sequences=True, **options), mt.GRU(5, return_sequences=True, **options))
    return mt.Sequential([mt.Input((None,)), mt.Embedding(9, 4), *given, mt.Dense(9)], rng=2, dtype=dtype)


@pytest.mark.parametrize("call", ["predict", "call", "training"])
def test_a_stateful_model_continues_where_the_last_batch_ended(call, rng):
    x = rng.integers(0, 9, (3, 7))
    due = network().predict(x)
    model = network(stateful=True)

    def run(x):
        return model.predict(x) if call == "predict" else model(x, training=call == "training")

    for _ in range(2):
        parts = []
        for start, end in ((0, 2), (2, 3), (3, 7)):
            parts.append(run(x[:, start:end]))
            model.drop_caches()
        np.testing.assert_allclose(np.concatenate(parts, axis=1), due, rtol=1e-10, atol=1e-12)
        model.reset_states()


def test_text_letter_by_letter_is_the_text_at_once(rng):
    text = datasets.load_text()[:120]
    letters = sorted(set(text))
    numbers = np.searchsorted(letters, list(text))[None]
    layers = [
        mt.Input((None,)),
        mt.Embedding(len(letters), 8),
        mt.LSTM(16, return_sequences=True),
        mt.Dense(len(letters)),
    ]
    trained = mt.Sequential(layers, rng=0).compile(mt.Adam(0.01), mt.CrossEntropyLoss())
    trained.fit(numbers[:, :-1], numbers[:, 1:], epochs=5)
    due = trained.predict(numbers)[0]
    generator = copy.deepcopy(trained)
    generator.layers[2].stateful = True
    found = [generator.predict(numbers[:, place : place + 1])[0, 0] for place in range(len(text))]
    np.testing.assert_allclose(found, due, rtol=1e-4, atol=1e-5)


def test_a_batch_of_another_size_needs_reset_states(rng):
    model = network(stateful=True)
    model.predict(rng.integers(0, 9, (3, 4)))
    with pytest.raises(
        ValueError, match=r"expected a state .*, got .*call reset_states\(\) before a batch of other sequences"
    ):
        model.predict(rng.integers(0, 9, (2, 4)))
    model.reset_states()
    model.predict(rng.integers(0, 9, (2, 4)))


def test_stateful_training_goes_on_from_the_state_and_not_back_through_it(rng):
    x, y = rng.integers(0, 9, (3, 6)), rng.integers(0, 9, (3, 6))
    model = network(mt.GRU(5, return_sequences=True, stateful=True)).compile(mt.SGD(0.1), mt.CrossEntropyLoss())
    parts = [(x[:, :3], y[:, :3]), (x[:, 3:], y[:, 3:])]
    history = model.fit(parts)

    by_hand = network(mt.GRU(5, return_sequences=True)).compile(mt.SGD(0.1), mt.CrossEntropyLoss())
    gru, losses, state = by_hand.layers[2], [], ()
    gru.return_state = False
    for x_part, y_part in parts:
        embedded = by_hand.layers[1].forward(x_part)
        h = gru.forward(embedded, *state)
        state = (h[:, -1],)
        scores = by_hand.layers[3].forward(h)
        losses.append(float(by_hand.loss(scores, y_part)))
        dx = gru.backward(by_hand.layers[3].backward(by_hand.loss.backward()))
        by_hand.layers[1].backward(dx[0] if isinstance(dx, tuple) else dx)
        by_hand.optimizer.step(by_hand.parameters())
    assert history["loss"][0] == pytest.approx(np.mean(losses), rel=1e-10)
    for a, b in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_model_of_ones_own_may_be_stateful(rng):
    """Its output shape is found by a forward of zeros, which is no batch."""

    class Own(mt.Model):
        def __init__(self, rng=None, dtype="float32"):
            super().__init__(rng, dtype)
            self.gru = mt.GRU(3, return_sequences=True, stateful=True)

        def build(self, input_shape):
            self.gru.ensure_built(input_shape)

        def forward(self, x):
            return self.gru.forward(x)

        def backward(self, dy):
            return self.gru.backward(dy)

    model = Own(rng=0, dtype="float64")
    x = rng.normal(size=(1, 6, 2))
    parts = [model.predict(x[:, :4]) if model.built else model(x[:, :4]), model(x[:, 4:])]
    model.reset_states()
    np.testing.assert_allclose(np.concatenate(parts, axis=1), model(x), rtol=1e-12)
    model.compute_output_shape((9, 2))
    model(x)


def test_a_resumed_run_goes_on_from_the_state(rng, tmp_path):
    x, y = rng.integers(0, 9, (32, 6)), rng.integers(0, 9, (32, 6))

    def made():
        both = mt.Bidirectional(mt.GRU(3, return_sequences=True, stateful=True))
        model = network(both, mt.LSTM(5, return_sequences=True, stateful=True))
        return model.compile(mt.SGD(0.1), mt.CrossEntropyLoss())

    class CtrlC(mt.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps == 7:
                signal.raise_signal(signal.SIGINT)

    options = {"batch_size": 8, "shuffle": False, "epochs": 4}
    model, resumed = made(), made()
    whole = model.fit(x, y, **options)
    path = tmp_path / "run"
    made().fit(x, y, resume=path, **{**options, "epochs": 2})
    assert dict(resumed.fit(x, y, resume=path, **options)) == dict(whole)
    np.testing.assert_array_equal(resumed.predict(x[:8]), model.predict(x[:8]))

    path = tmp_path / "in an epoch"
    assert len(made().fit(x, y, resume=path, callbacks=[CtrlC()], **options)["loss"]) == 1
    assert dict(made().fit(x, y, resume=path, callbacks=[CtrlC()], **options)) == dict(whole)


def test_a_clone_and_a_copy_have_a_state_of_their_own(rng):
    model = network(stateful=True)
    x = rng.integers(0, 9, (3, 4))
    due = model.predict(x)
    other = copy.deepcopy(model)
    other.reset_states()
    np.testing.assert_array_equal(other.predict(x), due)
    assert (model.predict(x) != due).any()
    assert mt.LSTM(2, stateful=True).clone()._memory.state == ()

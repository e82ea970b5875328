"""Optimisers: the steps they take, against their formulas."""

import copy
import gc
import pickle
import tracemalloc

import numpy as np
import pytest
from closed_forms import CLOSED_FORMS

import minitorch_np as mt
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.optimizers import blocks as update_blocks
from minitorch_np.optimizers.optimizer import update_average


def parameter(value, grad, dtype=np.float64, trainable=True):
    made = mt.Parameter(np.array(value, dtype), trainable)
    made.grad = np.array(grad, dtype)
    return made


ADAPTIVE = [
    mt.Adagrad(), mt.Adagrad(0.1, 0.0, 1e-3), mt.RMSprop(), mt.RMSprop(0.01, 0.8, momentum=0.5),
    mt.RMSprop(0.01, centered=True), mt.RMSprop(0.01, 0.8, 0.9, 1e-4, True), mt.Adam(), mt.Adam(0.1, 0.5, 0.9, 1e-3),
    mt.Adam(0.05, 0.8, 0.6, amsgrad=True), mt.AdamW(), mt.AdamW(0.1, 0.3, amsgrad=True), mt.Nadam(),
    mt.Nadam(0.1, 0.7, 0.9), mt.Lion(), mt.Lion(0.01, 0.5, 0.9),
    *(cls(0.01, weight_decay=0.1) for cls in (mt.Adagrad, mt.RMSprop, mt.Adam, mt.Nadam, mt.Lion)),
    *(cls(lambda step: 0.02 / (1 + step)) for cls in (mt.Adagrad, mt.RMSprop, mt.Adam, mt.AdamW, mt.Nadam, mt.Lion)),
]  # fmt: skip
every_adaptive = pytest.mark.parametrize("optimizer", ADAPTIVE, ids=lambda optimizer: type(optimizer).__name__)


def test_every_optimizer_of_the_package_is_here():
    known = {cls for cls in Configurable.registry.values() if issubclass(cls, mt.Optimizer) and is_built_in(cls)}
    assert known - {mt.Optimizer, mt.SGD} == {type(optimizer) for optimizer in ADAPTIVE}


@every_adaptive
def test_steps_are_those_of_the_formula(optimizer):
    mt.check_optimizer(optimizer, CLOSED_FORMS[type(optimizer)])


@every_adaptive
def test_a_config_describes_an_optimizer_completely(optimizer):
    assert repr(type(optimizer)(**optimizer.config())) == repr(optimizer.clone()) == repr(optimizer)


@every_adaptive
def test_numpy_numbers_do_not_widen_float32(optimizer):
    settings = {k: np.float64(v) if isinstance(v, float) else v for k, v in optimizer.config().items()}
    p = parameter([2.0, -1.0], [3.0, 1.0], np.float32)
    widened = type(optimizer)(**settings)
    widened.step({"p": p})
    assert p.value.dtype == np.float32
    assert all(array.dtype == np.float32 for array in widened.state["p"].values())


@every_adaptive
def test_a_step_keeps_its_arrays(optimizer):
    """Once the state exists, no array of the parameter's size is allocated."""
    p = parameter(np.ones((300, 400)), np.ones((300, 400)), np.float32)
    optimizer = optimizer.clone()
    for _ in range(2):
        optimizer.step({"p": p})
    tracemalloc.start()
    optimizer.step({"p": p})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < p.value.nbytes / 4


@every_adaptive
def test_gradients_of_0_and_huge_ones_are_taken_in_silence(optimizer):
    optimizer, p = optimizer.clone(), parameter([1.0, 1.0, 1.0], [0.0, 1e15, -1e-30], np.float32)
    for _ in range(3):
        optimizer.step({"p": p})
    assert np.isfinite(p.value).all()


def test_nadam_continues_from_any_iteration(rng):
    """Its product of shares follows from the iteration, which is all that a file has of it."""
    gradients = rng.normal(size=(8, 3))
    straight, resumed = mt.Nadam(0.1), mt.Nadam(0.1)
    values = [parameter(np.ones(3), np.ones(3)) for _ in range(2)]
    for step, gradient in enumerate(gradients):
        if step == 4:
            fresh = mt.Nadam(0.1)
            fresh.iteration, fresh.state = resumed.iteration, resumed.state
            resumed = fresh
        for optimizer, p in zip((straight, resumed), values, strict=True):
            p.grad = gradient
            optimizer.step({"p": p})
    np.testing.assert_array_equal(values[0].value, values[1].value)


ARGUMENTS = [
    (mt.AdamW, {"weight_decay": None}, r"AdamW: weight_decay is a number, got None\. Adam\(\) is AdamW without it"),
    (mt.Adam, {"clipnorm": 1, "clipvalue": 1}, "Adam: give one of clipnorm"),
]


@pytest.mark.parametrize(("cls", "options", "message"), ARGUMENTS)
def test_arguments_of_adaptive_optimizers_are_checked(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_follows_its_formula_over_several_steps(rng, nesterov, decay):
    p = parameter(rng.normal(size=(3, 2)), np.zeros((3, 2)))
    value, velocity, optimizer = p.value.copy(), None, mt.SGD(0.05, 0.9, nesterov, decay)
    for _ in range(5):
        p.grad = rng.normal(size=(3, 2))
        g = p.grad + decay * value
        velocity = g if velocity is None else 0.9 * velocity + g
        value = value - 0.05 * (g + 0.9 * velocity if nesterov else velocity)
        optimizer.step({"p": p})
        np.testing.assert_allclose(p.value, value, rtol=1e-14)


def test_a_step_goes_downhill():
    p = parameter([2.0], [3.0])
    mt.SGD(0.1).step({"p": p})
    np.testing.assert_allclose(p.value, [1.7])


def test_the_value_changes_in_place_and_the_gradient_not():
    p = parameter([2.0, 1.0], [3.0, 1.0])
    value, grad = p.value, p.grad.copy()
    mt.SGD(0.1, momentum=0.5, weight_decay=0.1).step({"p": p})
    assert p.value is value
    np.testing.assert_array_equal(p.grad, grad)


def test_float32_stays_float32_with_numpy_rates():
    p = parameter([2.0], [3.0], np.float32)
    mt.SGD(np.float64(0.1), np.float64(0.9), weight_decay=np.float64(0.1)).step({"p": p})
    assert p.value.dtype == np.float32


def test_the_velocity_has_the_type_of_the_value():
    p, optimizer = parameter([2.0], [3.0], np.float32), mt.SGD(0.1, 0.9)
    p.grad = p.grad.astype(np.float64)
    optimizer.step({"p": p})
    assert optimizer.state["p"]["velocity"].dtype == np.float32


def test_state_belongs_to_one_parameter_by_name():
    optimizer, a, b = mt.SGD(0.1, 0.9), parameter([1.0], [1.0]), parameter([1.0], [5.0])
    optimizer.step({"a": a, "b": b})
    assert optimizer.state["a"]["velocity"] == 1
    assert optimizer.state["b"]["velocity"] == 5


def test_what_is_not_trainable_stays():
    p = parameter([2.0], [3.0], trainable=False)
    mt.SGD(0.1).step({"p": p})
    assert p.value == 2


def test_a_schedule_is_called_for_every_step():
    seen = []

    def schedule(step):
        seen.append(step)
        return 1 / (step + 1)

    optimizer, p = mt.SGD(schedule), parameter([10.0], [1.0])
    for _ in range(3):
        optimizer.step({"p": p})
    assert seen == [0, 1, 2]
    np.testing.assert_allclose(p.value, 10 - 1 - 1 / 2 - 1 / 3)


def test_an_optimizer_of_ones_own(rng):
    class SignSGD(mt.Optimizer):
        def __init__(self, learning_rate=0.1):
            super().__init__(learning_rate)

        def update(self, parameter, state):
            self.descend(parameter, np.sign(parameter.grad))

    p = parameter([1.0, 1.0], [5.0, -2.0])
    SignSGD().step({"p": p})
    np.testing.assert_allclose(p.value, [0.9, 1.1])
    assert repr(SignSGD(0.5)) == "SignSGD(learning_rate=0.5)"


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), "fast", True, None])
def test_learning_rate_is_at_least_0_and_finite(rate):
    with pytest.raises(ValueError, match="SGD: learning_rate is a"):
        mt.SGD(rate)


def test_a_schedule_that_returns_nonsense_is_told():
    with pytest.raises(ValueError, match=r"learning_rate is a finite number of at least 0, got -1"):
        mt.SGD(lambda step: -1.0).step({})


def test_nesterov_needs_momentum():
    with pytest.raises(ValueError, match="give a momentum"):
        mt.SGD(0.1, nesterov=True)


def test_a_step_without_gradients_names_the_parameter():
    with pytest.raises(RuntimeError, match=r"dense_1\.kernel has no gradient\. Run forward and backward first"):
        mt.SGD(0.1).step({"dense_1.kernel": mt.Parameter(np.ones(2))})


def test_a_gradient_of_another_shape_is_refused():
    p = mt.Parameter(np.ones(3))
    p.grad = np.ones((1, 3))
    with pytest.raises(
        ValueError, match=r"dense_1\.bias has shape \(3,\), its gradient \(1, 3\)\..*sum over the batch"
    ):
        mt.SGD(0.1).step({"dense_1.bias": p})
    np.testing.assert_array_equal(p.value, np.ones(3))


def test_a_list_of_parameters_is_refused_with_the_call():
    with pytest.raises(ValueError, match=r"expected model\.parameters\(\), a dictionary by name, got list"):
        mt.SGD(0.1).step([])


def test_a_small_value_keeps_its_digits_beside_a_large_average():
    """With beta_2 = 0 nothing is kept: the average is the new value, to the bit."""
    average, new = np.array([1.0, 3.0]), np.array([1.4e-9, 2e-20])
    update_average(average, new, 1.0, np.empty(2))
    np.testing.assert_array_equal(average, new)


def test_a_rate_of_0_leaves_the_weights(rng):
    parameter = mt.Parameter(rng.normal(size=3))
    before = parameter.value.copy()
    parameter.grad = rng.normal(size=3)
    optimizer = mt.SGD(0.0)
    optimizer.step({"w": parameter})
    np.testing.assert_array_equal(parameter.value, before)
    optimizer.learning_rate = np.float32(0.5)
    optimizer.step({"w": parameter})
    np.testing.assert_allclose(parameter.value, before - 0.5 * parameter.grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_centered_rmsprop_of_nearly_equal_gradients_stays_finite(rng, dtype):
    parameter = mt.Parameter(np.zeros((200, 200), dtype))
    optimizer = mt.RMSprop(1e-3, centered=True)
    for _ in range(300):
        parameter.grad = (1 + 1e-6 * rng.standard_normal((200, 200))).astype(dtype)
        optimizer.step({"w": parameter})
    assert np.isfinite(parameter.value).all()
    assert (parameter.value < 0).all()


@pytest.mark.parametrize("epsilon", [0, 1e-60])
@pytest.mark.parametrize("cls", [mt.Adam, mt.AdamW, mt.Nadam, mt.RMSprop, mt.Adagrad])
def test_a_weight_without_gradient_stays_without_epsilon(cls, epsilon):
    parameter = mt.Parameter(np.array([1, 2], np.float32))
    more = {"initial_accumulator_value": 0} if cls is mt.Adagrad else {"amsgrad": True} if cls is mt.Adam else {}
    optimizer = cls(0.01, epsilon=epsilon, weight_decay=0.0, **more)
    for _ in range(3):
        parameter.grad = np.array([0, 0.5], np.float32)
        optimizer.step({"w": parameter})
    assert parameter.value[0] == 1
    assert 1.9 < parameter.value[1] < 2


def test_an_optimizer_may_forget_its_bases_constructor():
    class Plain(mt.Optimizer):
        def __init__(self, rate):
            self.learning_rate = rate

        def update(self, parameter, state):
            state["n"] = state.get("n", 0) + 1
            parameter.value -= self.rate * parameter.grad

    parameter = mt.Parameter(np.ones(2))
    parameter.grad = np.array([1.0, 2.0])
    optimizer = Plain(0.5)
    optimizer.step({"w": parameter})
    np.testing.assert_array_equal(parameter.value, [0.5, 0])
    assert optimizer.iteration == 1
    x = np.arange(8.0)[:, None]
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1)], rng=0).compile(Plain(0.01), mt.MSELoss())
    losses = model.fit(x, 2 * x, epochs=3)["loss"]
    assert losses[-1] < losses[0]


def network(seed, units=1):
    return mt.Sequential([mt.Input((2,)), mt.Dense(units), mt.Dense(1)], rng=seed)


def with_gradient(model, value):
    for parameter in model.parameters().values():
        parameter.grad = np.full(parameter.shape, value, np.float32)
    return model.parameters()


def weights(model):
    return np.concatenate([value.ravel() for value in model.get_weights()])


@pytest.mark.parametrize(
    "optimizer", [mt.SGD(0.1, momentum=0.9), mt.Adam(0.1), mt.RMSprop(0.1), mt.Lion(0.1)], ids=repr
)
def test_each_network_has_a_state_of_its_own(optimizer):
    shared, alone = optimizer.clone(), [optimizer.clone(), optimizer.clone()]
    networks, others = [network(0), network(1)], [network(0), network(1)]
    for turn, value in enumerate([10, 0, 3, 5, 1, 2]):
        number = (0, 1, 1)[turn % 3]
        shared.step(with_gradient(networks[number], value))
        alone[number].step(with_gradient(others[number], value))
    for one, other in zip(networks, others, strict=True):
        np.testing.assert_array_equal(weights(one), weights(other))
    assert shared.iteration == alone[0].iteration == 2
    first, due = shared.get_state(), alone[0].get_state()
    assert first["state"].keys() == due["state"].keys()


def test_networks_with_other_names_have_states_of_their_own():
    a = mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0)
    b = mt.Sequential([mt.Input((2,)), mt.LayerNormalization()], rng=0)
    optimizer, alone = mt.Adam(0.1), mt.Adam(0.1)
    other = mt.Sequential([mt.Input((2,)), mt.LayerNormalization()], rng=0)
    for _ in range(3):
        optimizer.step(with_gradient(a, 1))
        optimizer.step(with_gradient(b, 1))
        alone.step(with_gradient(other, 1))
    np.testing.assert_array_equal(weights(b), weights(other))


def test_a_network_that_is_gone_leaves_its_place_to_another():
    optimizer, alone = mt.Adam(0.1), mt.Adam(0.1)
    for seed in range(4):
        model, other = network(seed), network(seed)
        for value in (10, 1):
            optimizer.step(with_gradient(model, value))
        alone.reset()
        for value in (10, 1):
            alone.step(with_gradient(other, value))
        np.testing.assert_array_equal(weights(model), weights(other))
        del model
        gc.collect()
    assert not optimizer._others


def test_parameters_that_learn_again_join_their_network():
    model, optimizer, alone, other = network(0), mt.Adam(0.1), mt.Adam(0.1), network(0)
    for one, its in ((model, optimizer), (other, alone)):
        one.layers[1].trainable = False
        its.step(with_gradient(one, 1))
        one.layers[1].trainable = True
        its.step(with_gradient(one, 1))
    assert optimizer.iteration == 2
    assert not optimizer._others
    optimizer.step(with_gradient(network(1), 1))
    optimizer.step(with_gradient(model, 1))
    alone.step(with_gradient(other, 1))
    np.testing.assert_array_equal(weights(model), weights(other))


def test_plain_sgd_serves_two_networks():
    a, b, optimizer = network(0), network(1), mt.SGD(0.1)
    before = weights(a), weights(b)
    for model in (a, b, a):
        optimizer.step(with_gradient(model, 1))
    np.testing.assert_allclose(weights(a), before[0] - 0.2, atol=1e-6)
    np.testing.assert_allclose(weights(b), before[1] - 0.1, atol=1e-6)


def test_copies_and_states_from_files_go_on():
    a, optimizer = network(0), mt.SGD(0.1, momentum=0.9)
    optimizer.step(with_gradient(a, 1))
    for copied, again in (
        copy.deepcopy((a, optimizer)),
        (copy.deepcopy(a), copy.deepcopy(optimizer)),
        pickle.loads(pickle.dumps((a, optimizer))),
    ):
        before = weights(copied)
        again.step(with_gradient(copied, 0))
        np.testing.assert_allclose(weights(copied), before - 0.09, atol=1e-6)
    b, restored = network(0), mt.SGD(0.1, momentum=0.9)
    restored.set_state(optimizer.get_state())
    before = weights(b)
    restored.step(with_gradient(b, 0))
    np.testing.assert_allclose(weights(b), before - 0.09, atol=1e-6)


def test_the_state_of_a_network_that_is_gone_is_forgotten():
    a, optimizer = network(0), mt.SGD(0.1, momentum=0.9)
    optimizer.step(with_gradient(a, 10))
    del a
    gc.collect()
    b = network(1)
    before = weights(b)
    optimizer.step(with_gradient(b, 0))
    np.testing.assert_array_equal(weights(b), before)


def test_two_networks_are_joined_under_names_of_their_own():
    g, d = network(0), network(1, units=3)
    optimizer = mt.SGD(0.1, momentum=0.9)
    before = weights(g), weights(d)
    with_gradient(g, 1), with_gradient(d, 2)
    with pytest.raises(ValueError, match=r"is a parameter of both, and one would be lost"):
        g.parameters() | d.parameters()
    both = g.parameters().under("g") | d.parameters().under("d")
    assert next(iter(both)) == "g.dense_1.kernel"
    for _ in range(2):
        optimizer.step(both)
    np.testing.assert_allclose(weights(g), before[0] - 0.29, atol=1e-6)
    np.testing.assert_allclose(weights(d), before[1] - 0.58, atol=1e-6)


@pytest.mark.parametrize("units", [1, 3])
def test_a_dictionary_in_which_a_network_was_lost_is_warned_of(units):
    g, d = network(0), network(1, units=units)
    with_gradient(g, 1), with_gradient(d, 1)
    with pytest.warns(UserWarning, match="If it was joined from two networks, those with equal names"):
        mt.SGD(0.1).step({**g.parameters(), **d.parameters()})
    deep = mt.Sequential([mt.Input((2,)), mt.Dense(2), mt.Dense(2), mt.Dense(1)], rng=0)
    with pytest.warns(UserWarning, match="If it was joined from two networks"):
        mt.SGD(0.1).step({**with_gradient(deep, 1), **d.parameters()})


def test_chosen_parameters_in_a_plain_dictionary_are_no_riddle():
    g, d = network(0), network(1)
    with_gradient(g, 1), with_gradient(d, 1)
    optimizer = mt.SGD(0.1)
    optimizer.step({name: p for name, p in g.parameters().items() if "bias" not in name})
    optimizer.step({f"{one}.{name}": p for one, m in (("g", g), ("d", d)) for name, p in m.parameters().items()})
    loose = mt.Parameter(np.ones(2))
    loose.grad = np.ones(2)
    optimizer.step({"w": loose})


@pytest.mark.parametrize("schedule", [mt.schedules.StepDecay, mt.schedules.ExponentialDecay])
def test_a_rate_beyond_all_floats_is_refused_as_a_rate(schedule):
    optimizer = mt.SGD(schedule(0.1, 1, factor=2.0))
    optimizer.iteration = 10**6
    with pytest.raises(ValueError, match="got inf"):
        optimizer.current_rate()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: mt.SGD(0.1),
        lambda: mt.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda: mt.Adam(0.1, amsgrad=True, weight_decay=0.1),
        lambda: mt.AdamW(0.1),
        lambda: mt.Nadam(0.1),
        lambda: mt.RMSprop(0.1, momentum=0.5, centered=True),
        lambda: mt.Adagrad(0.1),
        lambda: mt.Lion(0.1),
    ],
)
def test_a_large_parameter_is_updated_in_blocks_to_the_same_bits(rng, monkeypatch, make, order):
    start = np.array(rng.normal(size=(7, 5)), np.float32, order=order)
    gradients = [np.array(rng.normal(size=(7, 5)), np.float32, order=o) for o in (order, order, "C", "F")]

    def trained():
        optimizer, parameter = make(), mt.Parameter(start)
        for gradient in gradients:
            parameter.grad = gradient
            optimizer.step({"kernel": parameter})
            assert parameter.grad is gradient
        return parameter.value, optimizer.state["kernel"]

    value, state = trained()
    monkeypatch.setattr(update_blocks, "IN_CACHE", 8)
    value_in_blocks, state_in_blocks = trained()
    np.testing.assert_array_equal(value_in_blocks, value)
    assert state_in_blocks.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(state_in_blocks[name], array)


def test_an_update_of_your_own_gets_the_whole_parameter(monkeypatch):
    monkeypatch.setattr(update_blocks, "IN_CACHE", 8)

    class Normalized(mt.SGD):
        def update(self, parameter, state):
            parameter.value -= self.rate * parameter.grad / np.linalg.norm(parameter.grad)

    parameter = mt.Parameter(np.zeros(16))
    parameter.grad = np.ones(16)
    Normalized(1.0).step({"value": parameter})
    np.testing.assert_allclose(parameter.value, -0.25)


@pytest.mark.parametrize("size", [1e-25, 1e-12, 1.0, 1e25])
@pytest.mark.parametrize("count", [5, 200_000])
def test_the_length_of_a_gradient_of_any_size_is_that_of_float64(rng, size, count):
    gradient = (rng.normal(size=count) * size).astype(np.float32)
    parameter = mt.Parameter(np.zeros(count, np.float32))
    parameter.grad = gradient
    mt.SGD(1.0, clipnorm=size / 10).step({"value": parameter})
    expected = -gradient.astype(float) * (size / 10) / np.linalg.norm(gradient.astype(float))
    np.testing.assert_allclose(parameter.value, expected, rtol=1e-6)

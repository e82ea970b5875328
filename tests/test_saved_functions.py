"""Functions in model files: saved by name, put back by load_model(functions=…), left out with a warning without it."""

import json
import os
import re
import zipfile

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.saving import archive

pytestmark = pytest.mark.filterwarnings("ignore:.*Keras has no")


def closeness(prediction, target):
    return np.abs(prediction - target).mean()


def spread(prediction, target):
    return float(np.ptp(prediction))


def halved(step):
    return 0.1 * 0.5**step


def drawn(shape, rng):
    return rng.uniform(-1, 1, shape)


class FunctionOfX(mt.Layer):
    """y = function(x)."""

    def __init__(self, function):
        self.function = function

    def forward(self, x):
        self.cache = x
        return self.function(x)

    def backward(self, dy):
        return dy * np.imag(self.function(self.cache + 1e-30j)).astype(dy.dtype) / 1e-30


class PenaltyOfValue(mt.regularizers.Regularizer):
    """A penalty that is a function of the value."""

    def __init__(self, penalty):
        self.penalty = penalty

    def __call__(self, value):
        return float(self.penalty(value))

    def gradient(self, value):
        return np.zeros_like(value)


class ScaledLoss(mt.Loss):
    """MSE scaled by a function of the error."""

    def __init__(self, scale):
        self.scale = scale

    def forward(self, prediction, target):
        self.cache = prediction - target
        return self.scale(np.mean(self.cache**2))

    def backward(self):
        return 2 * self.cache / self.cache.size


def same(value):
    return value


def trained(optimizer=None, loss=None, metrics=(), layers=(), **options):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(2, **options), mt.ReLU(), *layers, mt.Dense(1)], rng=0)
    model.compile(optimizer or mt.SGD(0.1, momentum=0.9), loss or mt.MSELoss(), list(metrics))
    x = np.random.default_rng(0).normal(size=(8, 3))
    model.fit(x, x[:, 0], epochs=2, progress=False)
    return model, x


def continues_alike(again, model, x):
    for one in (again, model):
        one.fit(x, x[:, 0], epochs=2, shuffle=False)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


WITH_FUNCTIONS = {
    "a loss": (lambda: trained(loss=closeness), {"closeness": closeness}, "the loss closeness"),
    "a loss of scores": (
        lambda: trained(loss=mt.FunctionLoss(closeness, from_logits=True)),
        {"closeness": closeness},
        "the loss closeness",
    ),
    "an argument of a loss": (lambda: trained(loss=ScaledLoss(same)), {"same": same}, "the loss same"),
    "metrics": (
        lambda: trained(metrics=["mae", closeness, spread]),
        {"closeness": closeness, "spread": spread},
        "the metric closeness, the metric spread",
    ),
    "a metric object": (
        lambda: trained(metrics=[mt.metrics.OfFunction(spread)]),
        {"spread": spread},
        "the metric spread",
    ),
    "a schedule": (
        lambda: trained(mt.Adam(halved)),
        {"halved": halved},
        "the learning rate halved, replaced by its last value 0.025",
    ),
    "an initializer": (
        lambda: trained(kernel_initializer=drawn),
        {"drawn": drawn},
        "the kernel_initializer drawn of Dense",
    ),
    "a function in a regularizer": (
        lambda: trained(kernel_regularizer=PenaltyOfValue(np.sum)),
        {"sum": np.sum},
        "the kernel_regularizer sum of Dense",
    ),
}
every_kind = pytest.mark.parametrize(
    ("made", "functions", "left_out"), list(WITH_FUNCTIONS.values()), ids=list(WITH_FUNCTIONS)
)


@every_kind
def test_functions_are_put_back_by_their_names(made, functions, left_out, tmp_path):
    model, x = made()
    model.save(tmp_path / "m.keras")
    again = mt.load_model(tmp_path / "m.keras", functions={**functions, "unused": len})
    assert again.evaluate(x, x[:, 0]) == model.evaluate(x, x[:, 0])
    assert repr(again.loss) == repr(model.loss)
    assert len(again.metrics) == len(model.metrics)
    assert again.layers[1].kernel_initializer == model.layers[1].kernel_initializer
    continues_alike(again, model, x)


@every_kind
def test_without_the_functions_the_model_opens_and_the_line_is_shown(made, functions, left_out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, x = made()
    model.save("m.keras")
    given = ", ".join(f'"{name}": {function.__name__}' for name, function in functions.items())
    line = f'mt.load_model("m.keras", functions={{{given}}})'
    with pytest.warns(UserWarning, match=re.escape(f"this is left out: {left_out}. Write {line}") + "$"):
        again = mt.load_model("m.keras")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.optimizer.iteration == model.optimizer.iteration
    given_back = eval(line, {"mt": mt, **globals(), "sum": np.sum})  # the line does what it says
    continues_alike(given_back, model, x)


def test_a_model_whose_loss_is_left_out_is_not_compiled_and_can_be_saved_again(tmp_path):
    model, x = trained(loss=closeness, metrics=["mae"])
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="the loss closeness"):
        first = mt.load_model(tmp_path / "m.keras")
    first.save(tmp_path / "again.keras")
    again = mt.load_model(tmp_path / "again.keras")
    for one in (first, again):
        assert one.loss is None
        assert one.metrics == ["mae"]
        with pytest.raises(RuntimeError, match="the model is not compiled"):
            one.fit(x, x[:, 0])
    again.compile(again.optimizer, closeness, again.metrics)
    continues_alike(again, model, x)


def test_a_function_of_a_layer_is_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, x = trained(loss=closeness, layers=[FunctionOfX(np.tanh)])
    model.save("m.keras")
    line = 'Write mt.load_model("m.keras", functions={"tanh": tanh, "closeness": closeness})'
    with pytest.raises(mt.ModelFileError, match=re.escape(f"the function 'tanh' was not given. {line}")):
        mt.load_model("m.keras")
    again = mt.load_model("m.keras", functions={"tanh": np.tanh, "closeness": closeness})
    continues_alike(again, model, x)


def test_a_name_is_never_looked_up_anywhere_else(tmp_path):
    """Not among this module's names, the built-in ones, or those of a module that is loaded."""
    model, _ = trained(loss=closeness)
    model.save(tmp_path / "m.keras")
    for name in ("closeness", "eval", "print", "exec", "__import__", "system", "sum"):
        rewrite(tmp_path / "m.keras", lambda own: None, function=name)
        with pytest.warns(UserWarning, match=f'functions={{"{name}": {name}}}'):
            assert mt.load_model(tmp_path / "m.keras").loss is None


UNCHANGED = object()


def rewrite(path, change, function=UNCHANGED):
    """The archive with its description changed, and the sums made right again."""
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist() if name != "sha256.json"}
    own = json.loads(files["minitorch_np.json"])
    if function is not UNCHANGED:
        own["compile"]["loss"]["config"]["function"] = {"function": function}
    change(own)
    files["minitorch_np.json"] = json.dumps(own).encode()
    path.write_bytes(archive.pack(files))


@pytest.mark.parametrize(
    "name",
    [5, None, True, 1.5, [], ["closeness"], {}, {"function": "closeness"}, "", "os.system", "a b", "x" * 3 + "("],
)
@pytest.mark.parametrize("functions", [None, {"closeness": closeness, "function": closeness}])
def test_a_forged_name_is_refused(name, functions, tmp_path):
    model, _ = trained(loss=closeness)
    model.save(tmp_path / "m.keras")
    rewrite(tmp_path / "m.keras", lambda own: None, function=name)
    with pytest.raises(mt.ModelFileError):
        mt.load_model(tmp_path / "m.keras", functions=functions)


def put(*places):
    def change(own):
        *outer, last, value = places
        for place in outer:
            own = own[place]
        own[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("compile", "optimizer", {"function": "closeness"}),
        put("compile", "optimizer", "config", {"function": "closeness"}),
        put("model", {"function": "closeness"}),
        put("model", "config", "layers", {"function": "closeness"}),
        put("model", "config", "layers", 1, {"function": "closeness"}),
        put("model", "config", "layers", 1, "config", "units", {"function": "closeness"}),
        put("compile", "metrics", [{"function": ["closeness"]}]),
        put("compile", "metrics", {"function": "closeness"}),
    ],
)
@pytest.mark.parametrize("functions", [None, {"closeness": closeness}])
def test_a_function_in_the_place_of_something_else_is_refused(change, functions, tmp_path):
    model, _ = trained(loss=closeness, metrics=[closeness])
    model.save(tmp_path / "m.keras")
    rewrite(tmp_path / "m.keras", change)
    with pytest.raises(mt.ModelFileError):
        mt.load_model(tmp_path / "m.keras", functions=functions)


@pytest.mark.parametrize("functions", [closeness, [closeness], {"closeness": 5}, {5: closeness}, "closeness"])
def test_functions_of_another_kind_are_refused(functions, tmp_path):
    trained()[0].save(tmp_path / "m.keras")
    with pytest.raises(
        ValueError, match=r'functions is a dictionary of functions by their names, such as \{"closeness"'
    ):
        mt.load_model(tmp_path / "m.keras", functions=functions)


def test_two_functions_of_one_name_are_refused_by_save(tmp_path):
    def other():
        def closeness(prediction, target):
            return 0.0

        return closeness

    model, _ = trained(loss=closeness, metrics=[other()])
    with pytest.raises(ValueError, match="two different functions are called 'closeness'"):
        model.save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []
    model.compile(model.optimizer, closeness, [closeness])
    model.save(tmp_path / "m.keras")


# Functions without a name


def saved_with_a_warning(model, path, message):
    with pytest.warns(UserWarning, match=message):
        model.save(path)
    return mt.load_model(path)


def test_a_metric_without_a_name_is_left_out_with_a_warning(tmp_path):
    def named():
        function = lambda prediction, target: 0.5  # noqa: E731
        function.__name__ = "half of it"
        return function

    model, _ = trained()
    model.metrics = ["mae", named()]
    message = (
        r"m\.keras: functions without a name cannot be saved, so this is left out: the metric half of it\. After loading write "
        r"model\.compile\(model\.optimizer, model\.loss, \['mae', half of it\]\)"
    )
    again = saved_with_a_warning(model, tmp_path / "m.keras", message)
    assert again.metrics == ["mae"]


def test_a_loss_without_a_name_leaves_the_file_uncompiled_with_a_warning(tmp_path):
    model, x = trained(loss=lambda prediction, target: (prediction - target) ** 2)
    message = r"how the model is trained \(FunctionLoss.*has no name.*After loading write model\.compile\(optimizer, loss, metrics\)"
    again = saved_with_a_warning(model, tmp_path / "m.keras", message)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    with pytest.raises(RuntimeError, match="compile"):
        again.fit(x, x[:, 0])


def test_a_schedule_without_a_name_becomes_its_present_value_with_a_warning(tmp_path):
    def schedule(step):
        return 0.1 * 0.5**step

    schedule.__name__ = "<lambda>"
    model, x = trained(mt.Adam(schedule))
    message = r"the learning rate <lambda>, replaced by its present value 0\.025\. .*optimizer\.learning_rate = "
    again = saved_with_a_warning(model, tmp_path / "m.keras", message)
    assert again.optimizer.learning_rate == halved(2)
    again.optimizer.learning_rate = schedule
    continues_alike(again, model, x)


def test_an_initializer_without_a_name_is_left_out_and_its_weights_are_kept(tmp_path):
    model, x = trained(kernel_initializer=lambda shape, rng: drawn(shape, rng))
    again = saved_with_a_warning(
        model, tmp_path / "m.keras", "the kernel_initializer <lambda> of dense_1; the weights that it made"
    )
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.layers[1].kernel_initializer == "glorot_uniform"


def test_a_regularizer_with_a_function_without_a_name_is_left_out_with_the_line_that_puts_it_back(tmp_path):
    total = lambda value: value.sum()  # noqa: E731
    model, x = trained(kernel_regularizer=PenaltyOfValue(total))
    message = r'the kernel_regularizer PenaltyOfValue of dense_1\. .*model\.parameters\(\)\["dense_1\.kernel"\]\.regularizer = PenaltyOfValue'
    again = saved_with_a_warning(model, tmp_path / "m.keras", message)
    again.parameters()["dense_1.kernel"].regularizer = PenaltyOfValue(total)
    continues_alike(again, model, x)


def test_a_rate_of_zero_comes_back(tmp_path):
    model, x = trained()
    model.fit(x, x[:, 0], callbacks=[mt.callbacks.LearningRateScheduler(lambda epoch: 0.0)])
    model.save(tmp_path / "m.keras")
    assert mt.load_model(tmp_path / "m.keras").optimizer.learning_rate == 0


def test_a_checkpoint_of_every_epoch_warns_once(tmp_path):
    model, x = trained(loss=lambda p, t: (p - t) ** 2)
    keep = mt.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    with pytest.warns(UserWarning, match="functions without a name cannot be saved") as warned:
        model.fit(x, x[:, 0], epochs=4, callbacks=[keep])
    assert sum("how the model is trained" in str(one.message) for one in warned) == 1
    assert len(list(tmp_path.iterdir())) == 4

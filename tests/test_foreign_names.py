"""Names of other frameworks are answered with the line to write here."""

import copy
import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.answers import WithoutEffect, table
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.tuning.results import SearchResult


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mt.Dense(20, activation="relu"),
            r"Dense: there is no argument 'activation'\. Write Dense\(20\), ReLU\(\): an",
        ),
        (
            lambda: mt.Conv2D(8, kernel_size=3, input_shape=(8, 8, 1)),
            r"Write Sequential\(\[Input\(\(8, 8, 1\)\), Conv2D\(8, kernel_size=3\)\]\)",
        ),
        (lambda: mt.Dense(3, activation="softmax"), r"Write Dense\(3\), Softmax\(\): an"),
        (lambda: mt.Dense(3, activation=None), "Leave it out: without an activation"),
        (lambda: mt.GRU(3, activation="tanh"), "Leave it out: the activation is tanh"),
        (lambda: mt.Dense(2, input_dim=3), r"Write Sequential\(\[Input\(\(3,\)\), Dense\(2\)\]\)"),
        (lambda: mt.Adam(lr=0.1), r"Adam: there is no argument 'lr'\. Write Adam\(learning_rate=0\.1\)"),
        (lambda: mt.Dense(unitts=3), r"no argument 'unitts'\. Did you mean units\?"),
        (lambda: mt.Dense(3, colour=1), "no argument 'colour'. The arguments are units, use_bias"),
        (lambda: mt.MSELoss(colour=1), "no argument 'colour'. It takes no arguments"),
        (lambda: mt.MSELoss(1), "at most 0 arguments go by position, got 1"),
    ],
)
def test_unknown_arguments_are_answered(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_unknown_attributes_are_answered():
    with pytest.raises(AttributeError, match=r"no attribute 'lr'\. Write optimizer\.learning_rate\.$"):
        mt.Adam().lr  # noqa: B018 the access is the test
    with pytest.raises(AttributeError, match=r"no attribute 'Linear'\. Write mt\.Dense"):
        mt.Linear  # noqa: B018 the access is the test


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "from minitorch_np import Dense, Linear",
            r"cannot import name 'Linear' from 'minitorch_np'\. Write mt\.Dense",
        ),
        ("from minitorch_np.layers import Activation", "Activations are layers of their own"),
        ("from minitorch_np.callbacks import History", r"fit returns the History"),
        ("import minitorch_np.nn as nn", r"No module named 'minitorch_np\.nn'\. Layers and losses are names of"),
        ("from minitorch_np.models import Sequential", r"Models are names of the package: mt\.Sequential"),
        ("from minitorch_np import nonsense", r"cannot import name 'nonsense' from 'minitorch_np' \("),
        ("import minitorch_np.nonsense", r"No module named 'minitorch_np\.nonsense'$"),
    ],
)
def test_imports_of_names_that_there_are_not_are_answered(line, message):
    with pytest.raises(ImportError, match=message):
        exec(line, {})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mt.nn.Linear(2, 3)", r"has no attribute 'nn'\. Write mt\.Dense\(units\)"),
        ("mt.nn.Sequential()", r"has no attribute 'nn'\. Write mt\.Sequential\.$"),
        ("mt.nn.init.kaiming_normal_(mt.Parameter([1.0]))", r"Write kernel_initializer='he_normal'\.$"),
        ("mt.nn.init.xavier_uniform_", r"Write kernel_initializer='glorot_uniform'\. With a gain: .*'uniform'\)\.$"),
        ("mt.F.relu([1.0])", r"has no attribute 'F'\. Write mt\.ReLU\(\), a layer"),
        ("mt.F.cross_entropy", r"Write mt\.CrossEntropyLoss\(\)"),
        ("mt.F.normalize", r"has no attribute 'F'\. Write mt\.UnitNormalization\(\)\(x\)"),
        ("mt.nn.functional.cosine_similarity", r"Write mt\.Dot\(normalize=True\)\(a, b\)"),
        ("mt.keras.utils.normalize", r"Write mt\.UnitNormalization\(\)\(x\)"),
        ("mt.F", r"has no attribute 'F'\. Write layers, mt\.ReLU\(\)\(x\)"),
        ("mt.keras.callbacks.EarlyStopping()", r"Write mt\.callbacks\.EarlyStopping\.$"),
        ("mt.keras.initializers.RandomNormal(0.0, 0.1)", r"Write mt\.initializers\.RandomNormal\.$"),
        ("mt.models.load_model('m.keras')", r"Write mt\.load_model\.$"),
        ("mt.utils.set_random_seed(1)", r"Write Sequential\(\[…\], rng=0\)"),
        ("mt.utils.nonsense", "CrossEntropyLoss takes class numbers"),
        ("mt.optimizers.schedules", r"Schedules are in mt\.schedules: mt\.schedules\.CosineDecay"),
        (
            "mt.optimizers.schedules.ExponentialDecay",
            r"mt\.schedules\.ExponentialDecay\(0\.1, every=1000, factor=0\.9\)",
        ),
        ("mt.config.run_functions_eagerly(True)", "every line runs as it is written"),
        ("mt.config", "no global settings"),
        ("mt.inference_mode()", r"model\.eval\(\) is inference mode"),
        ("mt.losses.get('mse')", r"model\.compile\('adam', 'mse', \['mae'\]\)"),
        ("mt.nonsense.others", r"has no attribute 'nonsense'\.$"),
    ],
)
def test_the_whole_path_of_a_name_is_answered(line, message):
    with pytest.raises(AttributeError, match=message):
        exec(line, {"mt": mt})


def test_the_call_of_a_schedule_of_keras_is_answered_with_one_that_does_the_same():
    answers = []
    for call in (
        lambda: mt.schedules.ExponentialDecay(0.2, decay_steps=50, decay_rate=0.9),
        lambda: mt.schedules.CosineDecay(initial_learning_rate=0.2, decay_steps=50),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        line = re.search(r"Write (\w+\(.*?\))\.", str(caught.value))[1]
        answers.append(eval(line, vars(mt.schedules)))
    exponential, cosine = answers
    for step in (0, 7, 50, 90):
        np.testing.assert_allclose(exponential(step), 0.2 * 0.9 ** (step / 50), rtol=1e-12)
        np.testing.assert_allclose(cosine(step), 0.1 * (1 + np.cos(np.pi * min(step, 50) / 50)), atol=1e-16)


def test_renamed_arguments_keep_those_that_are_the_same():
    with pytest.raises(TypeError, match=r"Write StepDecay\(0\.1, every=30, factor=0\.5\)\. It counts steps"):
        mt.schedules.StepDecay(0.1, step_size=30, gamma=0.5)
    with pytest.raises(TypeError, match=r"Write CosineDecay\(0\.1, steps=9, warmup=2, final=0\.01\)\."):
        mt.schedules.CosineDecay(0.1, decay_steps=9, warmup=2, eta_min=0.01)


@pytest.mark.parametrize("use", [lambda p: p.grad, lambda p: p.data, lambda p: setattr(p, "requires_grad", False)])
def test_the_name_of_a_parameter_used_as_the_parameter_is_answered(use):
    parameters = model().parameters()
    for name in parameters:
        with pytest.raises(
            AttributeError, match=rf"'{name}' is the name of a Parameter .*model\.parameters\(\)\.values\(\)"
        ):
            use(name)
    assert [type(name) for name in (*parameters.keys(), *{**parameters}, *dict(parameters))] == [str] * 6
    assert type(pickle.loads(pickle.dumps(next(iter(parameters))))) is str
    assert list(parameters) == list(parameters.keys())


@pytest.mark.parametrize("number", [0, -1, True])
def test_a_parameter_that_is_asked_for_by_its_number_is_answered_with_the_line_that_works(number):
    parameters = model().parameters()
    with pytest.raises(KeyError) as caught:
        parameters[number]
    text = str(caught.value)
    line = f"list(model.parameters().values())[{number}]"
    assert line in text
    assert all(repr(name) in text for name in parameters)
    assert eval(line, {"model": model(), "list": list}).shape


def test_a_parameter_under_a_wrong_name_is_answered_with_the_names():
    with pytest.raises(
        KeyError, match=r"parameters\(\)\['kernel'\]: the parameters are read by name\. The names are 'dense_1"
    ):
        model().parameters()["kernel"]
    with pytest.raises(KeyError, match=r"read by name\. There are none\."):
        mt.ReLU().parameters()["kernel"]
    many = mt.Sequential([mt.Input((2,)), *(mt.Dense(2) for _ in range(9))]).parameters()
    with pytest.raises(KeyError, match=r"'dense_6\.bias', …\.\"$"):
        many["dense"]
    assert many.get(0) is None
    assert 0 not in many


def test_the_error_of_a_user_defined_function_inside_fit_stays_its_own():
    class Bad(mt.Callback):
        def on_epoch_end(self, epoch, logs=None):
            (lambda one: one)()

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'one'"):
        model().compile("sgd", "mse").fit([[1.0, 2.0]], [1.0], progress=False, callbacks=[Bad()])


def test_attributes_without_effect_cannot_be_set():
    with pytest.raises(AttributeError, match=r"Write optimizer\.learning_rate"):
        mt.Adam().lr = 0.1


class Plain(mt.Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.lr = lr


def test_a_class_may_use_a_foreign_name_for_an_argument_of_its_own():
    optimizer = Plain(0.5)
    for one in (optimizer, optimizer.clone(), copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert one.lr == 0.5
    assert repr(optimizer) == "Plain(lr=0.5)"


OURS = [cls for cls in Configurable.registry.values() if is_built_in(cls)]  # other tests define classes too
TABLE = table()
CLASSES = {cls.__name__: cls for cls in [*OURS, mt.Parameter, mt.History, mt.Graph, SearchResult]}
CLASSES |= {name: getattr(mt.schedules, name) for name in mt.schedules.__all__} | {"Metric": mt.Metric}
CLASSES["LossValue"] = type(mt.MSELoss()([1.0], [1.0]))
CLASSES |= {
    name: getattr(mt.callbacks, name)
    for name in (
        "AverageWeights",
        "Callback",
        "EarlyStopping",
        "LambdaCallback",
        "ModelCheckpoint",
        "ReduceLROnPlateau",
        "LearningRateScheduler",
        "TensorBoard",
    )
}
MODULES = [
    mt,
    mt.layers,
    mt.losses,
    mt.optimizers,
    mt.metrics,
    mt.callbacks,
    mt.constraints,
    mt.datasets,
    mt.initializers,
    mt.schedules,
    mt.tuning,
]


@pytest.mark.parametrize("key", TABLE)
def test_no_row_hides_a_name_that_there_is(key):
    if key.startswith("mt."):
        name = key[3:]
        assert not hasattr(mt, name)
        with pytest.raises(AttributeError, match=re.escape(TABLE[key])):
            getattr(mt, name)
    elif match := re.fullmatch(r"(\w+)(?:\.(\w+))?\((\w+=|\*)[\w']*\)", key):
        cls, method, argument = match.groups()
        if cls in CLASSES:
            assert argument[:-1] not in inspect.signature(getattr(CLASSES[cls], method or "__init__")).parameters
        else:
            function = next(getattr(module, cls) for module in MODULES if callable(getattr(module, cls, None)))
            assert argument[:-1] not in inspect.signature(function).parameters
    elif match := re.fullmatch(r"(\w+)(?:\.(\w+))?\(no (\w+)\)", key):
        cls, method, argument = match.groups()
        called = getattr(CLASSES[cls], method or "__init__")
        assert inspect.signature(called).parameters[argument].default is inspect.Parameter.empty
    elif match := re.fullmatch(r"(\w+)\.(\w+)( =)?", key):
        cls, name, _ = match.groups()
        assert isinstance(getattr(CLASSES[cls], name, None), (WithoutEffect, type(None)))
    else:
        assert re.fullmatch(r"'\w+'", key)


@pytest.mark.parametrize("line", sorted(set(TABLE.values())))
def test_an_answer_names_only_what_there_is(line):
    for path in re.findall(r"\bmt((?:\.\w+)+)", line):
        found = mt
        for name in path[1:].split("."):
            found = getattr(found, name)
    for name, arguments in re.findall(r"(?<!class )\b([A-Z]\w+)\(([^()]*)\)", line):
        cls = next(getattr(module, name) for module in MODULES if hasattr(module, name))
        for argument in re.findall(r"(\w+)=", arguments):
            assert argument in inspect.signature(cls).parameters, (name, argument)
    for name, arguments in re.findall(r"\b(fit|evaluate|predict|compile)\(([^()]*)\)", line):
        for argument in re.findall(r"(\w+)=", arguments):
            assert argument in inspect.signature(getattr(mt.Sequential, name)).parameters


def model():
    return mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m: m.train_step, r"model\.train_on_batch\(x, y\)"),
        (lambda m: m.zero_grad(), "every backward replaces the gradients"),
        (lambda m: m.cuda(), "on the CPU"),
        (lambda m: m.layers[1].soft_update(m), r"target\.move_towards\(online, 0\.01\)"),
        (lambda m: m.layers[1].output, r"model\.outputs\(x, 'dense_1'\)"),
        (lambda m: m.layers[1].weight, r"layer\.kernel"),
        (lambda m: m.predict_log_proba([[1, 2]]), r"np\.log\(model\.predict_proba\(x\)\)"),
        (lambda m: m.layers[1].numel(), r"model\.count_params\(\)"),
        (lambda m: m.compute_loss, r"model\.test_on_batch\(x, y\)"),
        (lambda m: m.layers[1].grad, r"parameter\.grad for each"),
        (lambda m: m.copy(), r"copy\.deepcopy\(model\)"),
        (lambda m: m.layers[1].losses, r"Penalties are of parameters"),
        (lambda m: m.inputs, r"model\.outputs\(x, 'dense_1'\)"),
        (lambda m: m.lr_find([[1, 2]], [1]), r"mt\.tuning\.rate_test\(model, x, y\)\.plot\(\)"),
        (
            lambda m: mt.Graph({"a": (2,)}, [("b", mt.Dense(1), "a")], "b").add_node("c", mt.ReLU(), "b"),
            "with all nodes in the list",
        ),
        (lambda m: mt.GradCAM, r"model\.gradient\(x, output=3, layer='conv2d_1'\)"),
        (lambda m: mt.losses.TripletLoss, r"write a function of them, as in docs/how_do_i\.md"),
        (lambda m: mt.losses.LogCosh, r"give compile a function \(prediction, target\)"),
        (lambda m: mt.SGD().param_groups, r"optimizer\.learning_rate"),
        (lambda m: mt.layers.Activation, "Activations are layers of their own"),
        (lambda m: mt.nn, "names of the package"),
        (lambda m: mt.losses.CategoricalCrossentropy, r"mt\.CrossEntropyLoss\(\)"),
        (lambda m: mt.LambdaCallback, r"mt\.callbacks\.LambdaCallback\(on_epoch_end="),
    ],
)
def test_attributes_of_other_frameworks_are_answered(use, message):
    with pytest.raises(AttributeError, match=message) as caught:
        use(model())
    assert not getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: m.fit([[1, 2]], [1], 32, 10),
            r"Sequential\.fit: at most 2 .* got 4\. Write fit\(x, y, batch_size=32, epochs=10\)",
        ),
        (
            lambda m: m.fit([[1, 2]], [1], verbose=0),
            r"Sequential\.fit: there is no argument 'verbose'\. Write progress=False",
        ),
        (lambda m: m.fit([[1, 2]], [1], epoch=3), r"Did you mean epochs\?"),
        (lambda m: m.fit([[1, 2]], [1], lr=3), r"compile\(SGD\(learning_rate=0\.01\), loss\)"),
        (lambda m: m.fit([[1, 2]], [1], gradient_accumulation=4), r"Write fit\(…, accumulate=4\)"),
        (lambda m: m.gradient([[1, 2]], class_idx=0), r"Write output=0\."),
        (lambda m: m.predict([[1, 2]], verbose=0), "predict prints nothing"),
        (lambda m: m.evaluate([[1, 2]], [1], verbose=0), "evaluate prints nothing"),
        (lambda m: m.compile(mt.SGD(), mt.MSELoss(), lr=1), r"Write compile\(SGD"),
        (lambda m: mt.load_model("m.keras", custom_objects={}), "load_model: there is no argument 'custom_objects'"),
        (lambda m: mt.callbacks.EarlyStopping(verbose=1), "callbacks print nothing"),
        (lambda m: mt.Conv2D(in_channels=3, out_channels=4, kernel_size=3), r"Write Conv2D\(filters, kernel_size\)"),
        (lambda m: mt.LSTM(hidden_size=3), r"Write LSTM\(units\)"),
        (lambda m: mt.Adam(params=[]), r"step\(model\.parameters\(\)\)"),
        (lambda m: mt.Sequential(mt.Dense(1), mt.ReLU(), mt.Dense(1), mt.ReLU()), "All layers go in one list"),
        (lambda m: mt.Model(inputs=1, outputs=2), "no symbolic tensors"),
        (lambda m: mt.Parameter([1.0], requires_grad=False), "trainable=False"),
        (lambda m: m.summary(line_length=80), r"Sequential\.summary: .*'line_length'\. Write model\.summary\(\)"),
        (lambda m: m.compile(optimizer="adam"), r"'loss' is missing\. Write compile\('adam', 'mse'\)"),
        (lambda m: m.compile(loss="mse"), r"'optimizer' is missing\. Write compile\('adam', 'mse'\)"),
        (
            lambda m: mt.Adam().step(),
            r"Adam\.step: .*'parameters' is missing\. Write optimizer\.step\(model\.parameters\(\)\)",
        ),
    ],
)
def test_arguments_of_other_frameworks_are_answered(call, message):
    with pytest.raises(TypeError, match=message):
        call(model())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.compile("adamax", "mse"), r"one of sgd, adam, .*got 'adamax'\. There is no Adamax"),
        (lambda m: m.compile("adan", "mse"), r"one of sgd, adam, .*got 'adan'\. Did you mean 'adam'\?"),
        (lambda m: m.compile("adam", "mean_square_error"), r"Did you mean 'mean_squared_error'\?"),
        (
            lambda m: m.compile("adam", "kl_divergence"),
            r"Keras's takes probabilities\. End the model with LogSoftmax\(\)",
        ),
        (lambda m: m.compile("adam", "binary_focal_crossentropy"), r"write mt\.FocalLoss\(gamma=2\.0, alpha=None\)"),
        (lambda m: m.compile("adam", "crossentropy"), r"mt\.CrossEntropyLoss\(\) with several outputs"),
        (
            lambda m: m.compile("Adam", "poisson"),
            r"There is no such loss: give compile a function \(prediction, target\)",
        ),
        (lambda m: mt.Dense(2, kernel_initializer="xavier_uniform")([[1.0]]), r"Write 'glorot_uniform'\.$"),
        (lambda m: mt.Dense(2, kernel_initializer="kaiming_normal")([[1.0]]), r"Write 'he_normal'\.$"),
        (lambda m: m.compile(mt.Adam, mt.MSELoss()), r"Adam is a class. Write Adam\(\)"),
        (lambda m: m.compile(mt.Adam(), mt.MSELoss), r"MSELoss is a class. Write MSELoss\(\)"),
        (lambda m: m.compile(mt.Adam(), mt.MSELoss(), [mt.metrics.AUC]), r"AUC is a class. Write AUC\(\)"),
        (lambda m: mt.Sequential([mt.Dense]), r"Dense is a class\. Write Dense\(\)"),
        (lambda m: mt.Sequential(["relu"]), r"got 'relu' at position 1\. Write mt\.ReLU\(\)"),
        (lambda m: mt.Sequential(mt.Dense(1)), r"one list: Sequential\(\[Dense\(units=1\)\]\)"),
        (lambda m: mt.Sequential(mt.Dense(1), mt.ReLU()), r"one list: Sequential\(\[Dense\(units=1\), ReLU\(\)\]\)"),
        (lambda m: mt.Dense(4, 8), r"use_bias is True or False, got 8\. The number of inputs is found from the data"),
        (lambda m: mt.Adam(m.parameters()), r"The parameters are given to step\(model\.parameters\(\)\)"),
        (lambda m: mt.Dense(2, kernel_initializer=np.eye(2))(np.eye(2)), r"write mt\.initializers\.Constant\(table\)"),
        (
            lambda m: mt.Conv2D(4, 3, padding=1),
            r"got 1\. Write padding='same'.* put ZeroPadding2D\(1\) before this layer",
        ),
        (lambda m: mt.MaxPooling2D(2, padding=0), r"got 0\. Write padding='valid', which adds nothing\.$"),
        (lambda m: mt.Conv2D(4, 3, padding="SAME"), r"got 'SAME'\. Write padding='same'\.$"),
        (lambda m: m.compile("adam", "mse", {"out": "mae"}), r"Write metrics=\['mae'\]: a model has one output"),
        (lambda m: m.compile("adam", "mse", {"a": ["mae", "r2"]}), r"Write metrics=\['mae', 'r2'\]: a model"),
        (lambda m: m.compile("adam", ["mse"]), r"Write loss='mse': a model has one loss"),
        (lambda m: m.compile("adam", {"out": "mse"}), r"Write loss='mse': a model has one loss"),
        (lambda m: m.compile("adam", lambda a, b: 0.0), r"write lambda prediction, target: …"),
        (
            lambda m: m.compile("adam", "mse").fit((np.eye(2), np.ones(2))),
            r"x is a tuple of two arrays\. Give them as two arguments, as in fit\(x, y\)",
        ),
        (lambda m: mt.Residual([mt.Dense]), r"Dense is a class"),
        (lambda m: mt.Add([mt.Dense, []]), r"Dense is a class"),
        (lambda m: mt.Bidirectional(mt.LSTM), r"LSTM is a class"),
        (
            lambda m: m.compile(mt.Adam(), mt.MSELoss()).fit([[1, 2]], [1], callbacks=[mt.callbacks.EarlyStopping]),
            "EarlyStopping is a class",
        ),
        (
            lambda m: mt.gradcheck(mt.Dense, (3, 4)),
            r"gradcheck: target: Dense is a class. Write Dense\(\), with its arguments",
        ),
        (lambda m: mt.gradcheck(mt.Dense(1), (3, 4), loss=mt.MSELoss), "MSELoss is a class"),
        (
            lambda m: mt.Dense(1, kernel_initializer=mt.initializers.VarianceScaling)(np.ones((1, 1))),
            "VarianceScaling is a class",
        ),
        (lambda m: mt.Dense(1, kernel_regularizer=mt.L2)(np.ones((1, 1))), "L2 is a class"),
    ],
)
def test_a_class_or_a_name_in_place_of_an_object_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(model())


def test_a_model_of_a_built_model_is_built(rng):
    inner = model()
    inner.parameters()
    outer = mt.Sequential([inner, mt.Sigmoid()])
    x = rng.normal(size=(3, 2))
    np.testing.assert_allclose(outer.predict(x), mt.Sigmoid()(inner.predict(x)), rtol=1e-6)
    assert mt.Sequential([mt.Sequential([model()]), mt.Sigmoid()]).predict(x).shape == (3, 1)


def test_names_that_are_only_answered_are_not_listed():
    for one in (mt.Adam(), mt.MSELoss(), mt.Parameter([1.0])):
        assert not {"lr", "zero_grad", "item", "requires_grad", "T", "state_dict", "named_parameters"} & set(dir(one))
        assert not hasattr(one, "zero_grad")


def test_every_line_of_the_table_is_read():
    lines = (Path(mt.__file__).parent / "base/foreign_names.txt").read_text().splitlines()
    assert {line.strip() for line in lines if line.startswith("    ")} == set(TABLE.values())


X = np.ones((3, 2), np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m(inputs=X), r"Sequential\.__call__: .* 'inputs'\. Write layer\(x\)"),
        (lambda m: m(), r"'x' is missing\. Write layer\(x\)"),
        (lambda m: m(X, mask=None), r"masks come from mt\.Masking\(\)"),
        (lambda m: mt.ReLU()(X, is_training=True), r"ReLU\.__call__: .*Write layer\(x, training=True\)"),
        (lambda m: mt.Dense(1)(X, None, X), r"np\.concatenate\(\[a, b\], axis=-1\), or write a node of mt\.Graph"),
        (lambda m: mt.MSELoss()(y_true=X, y_pred=X), r"MSELoss\.__call__: .*Write loss\(prediction, target\)"),
        (lambda m: mt.MSELoss()(X, X, sample_weight=X), r"fit\(…, sample_weight=…\)"),
        (lambda m: mt.metrics.AUC()(X, X, X), r"metric\(prediction, target\): metrics take no weights"),
        (lambda m: m.train(X, X), r"Write model\.fit\(x, y\): model\.train\(\) sets the mode"),
        (lambda m: m.eval(X), r"Write model\.evaluate\(x, y\)"),
    ],
)
def test_arguments_of_calls_are_answered(call, message):
    with pytest.raises(TypeError, match=message):
        call(model())


def test_an_error_inside_a_called_layer_stays_its_own():
    class Bad(mt.Layer):
        def forward(self, x):
            return (lambda: x)(mask=None)

    with pytest.raises(TypeError, match="unexpected keyword argument 'mask'"):
        Bad()(X)


def test_names_of_numpy_are_answered():
    with pytest.raises(AttributeError, match=r"Arrays are NumPy's: write np\.where\.$"):
        mt.where  # noqa: B018 the access is the test
    with pytest.raises(AttributeError, match=r"'nn'\. Arrays are NumPy's: write np\.pad\.$"):
        mt.nn.functional.pad  # noqa: B018 the access is the test
    parameter = mt.Parameter([1.0])
    for name, line in (
        ("std", "parameter.value.std."),
        ("sqrt", "np.sqrt(parameter.value)."),
        ("foo", "parameter.grad."),
    ):
        with pytest.raises(AttributeError, match=re.escape(line)):
            getattr(parameter, name)


def test_a_misspelt_name_of_the_package_is_answered():
    with pytest.raises(AttributeError, match=r"no attribute 'Dnese'\. Did you mean mt\.Dense\?$"):
        mt.Dnese  # noqa: B018 the access is the test
    with pytest.raises(AttributeError, match=r"Did you mean mt\.callbacks\.EarlyStopping\?$"):
        mt.callbacks.EarlyStoping  # noqa: B018 the access is the test
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'\.$"):
        mt.nonsense  # noqa: B018 the access is the test


class Elsewhere:
    """An object of another framework, by the name of its module."""

    def __new__(cls, framework, name):
        return type(name, (), {"__module__": f"{framework}.part", "__call__": lambda self, *given: given})()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m: mt.Sequential([Elsewhere("torch", "Linear")]), r"PyTorch's Linear\. Write mt\.Dense\(units\)"),
        (lambda m: mt.Sequential([Elsewhere("keras", "Dense")]), r"Keras's Dense\. Write mt\.Dense, with its arg"),
        (lambda m: mt.Sequential([type(Elsewhere("torch", "ReLU"))]), r"PyTorch's ReLU\. Write mt\.ReLU"),
        (lambda m: m.compile(Elsewhere("torch", "Adam"), "mse"), r"PyTorch's Adam\. Write mt\.Adam"),
        (lambda m: m.compile("adam", Elsewhere("keras", "MeanSquaredError")), r"Write mt\.MSELoss\(\) as a loss"),
        (lambda m: m.compile("adam", "mse", [Elsewhere("keras", "AUC")]), r"Keras's AUC\. Write mt\.metrics\.AUC"),
        (
            lambda m: m.compile("adam", "mse").fit(X, X[:, 0], callbacks=[Elsewhere("keras", "EarlyStopping")]),
            r"Write minitorch_np\.callbacks\.EarlyStopping",
        ),
        (
            lambda m: mt.Dense(1, kernel_initializer=Elsewhere("keras", "HeNormal"))(X),
            r"Keras's HeNormal\. Write kernel_initializer='he_normal'",
        ),
        (lambda m: mt.Adam(m.parameters), r"The parameters are given to step\(model\.parameters\(\)\)"),
        (lambda m: mt.Adam(m), r"The parameters are given to step\(model\.parameters\(\)\)"),
        (lambda m: mt.Dense(1).add_parameter(4, 3), r"A shape is one tuple: add_parameter\(\(4, 3\)\)"),
    ],
)
def test_an_object_of_another_framework_is_named(use, message):
    with pytest.raises(ValueError, match=message):
        use(model())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_value_of_a_loss_is_numpys_number_and_answers_the_names_of_tensors(dtype):
    prediction, target = np.array([[0.25], [0.75]], dtype), np.array([[0.0], [1.0]], dtype)
    value = mt.MSELoss()(prediction, target)
    plain = dtype(0.0625)
    assert isinstance(value, dtype)
    assert (value, repr(value), value.item()) == (plain, repr(plain), 0.0625)
    for got, expected in (
        (value + 1, plain + 1),
        (-value, -plain),
        (2 * value, 2 * plain),
        (np.sqrt(value), np.sqrt(plain)),
        (sum([value, value]) / 4, plain / 2),
        (np.float32(1) - value, np.float32(1) - plain),
        (value * np.ones(3, np.float32), plain * np.ones(3, np.float32)),
    ):
        assert isinstance(got, type(expected))
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == plain
    with pytest.raises(AttributeError, match=r"Write model\.backward\(criterion\.backward\(\)\)"):
        value.backward()
    with pytest.raises(AttributeError, match=r"Write model\.backward\(criterion\.backward\(\)\)"):
        ((value + 0.05 * value) / 4).backward()
    with pytest.raises(AttributeError, match=r"write float\(loss\)"):
        value.detach()
    with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'\.$"):
        value.nonsense  # noqa: B018 the access is the test


def test_the_line_for_backward_of_a_loss_does_what_it_says(rng):
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    by_hand, by_step = (mt.Sequential([mt.Dense(1)], rng=0, dtype="float64") for _ in range(2))
    by_step.compile(mt.SGD(0.1), mt.MSELoss()).train_on_batch(x, y)
    criterion, optimizer = mt.MSELoss(), mt.SGD(0.1)
    criterion(by_hand(x, training=True), y)
    by_hand.backward(criterion.backward())
    optimizer.step(by_hand.parameters())
    np.testing.assert_array_equal(by_hand.predict(x), by_step.predict(x))


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (
            {"build": lambda self, a, b: None},
            r"Odd\.build is called with \(input_shape\).*'b'\)\. Write def build\(self, inp",
        ),
        ({"build": lambda self: None}, r"Write def build\(self, input_shape\)\.$"),
        ({"forward": lambda x: x}, r"Odd\.forward is called with \(x\).*Write def forward\(self, x\)\.$"),
        ({"backward": lambda self: 0}, r"Write def backward\(self, dy\)\.$"),
    ],
)
def test_a_layer_whose_methods_cannot_be_called_is_refused_when_it_is_defined(methods, message):
    with pytest.raises(TypeError, match=message):
        type("Odd", (mt.Layer,), methods)


def test_a_layer_may_take_several_arrays():
    type("Joined", (mt.Layer,), {"forward": lambda self, a, b: a + b, "backward": lambda self, dy, other=None: dy})


@pytest.mark.parametrize(
    ("base", "methods", "message"),
    [
        (mt.Loss, {"forward": lambda self, p: 0.0}, r"Write def forward\(self, prediction, target\)"),
        (
            mt.Loss,
            {"backward": lambda self, dy: dy},
            r"Odd\.backward is called with \(\).*Write def backward\(self\)\.$",
        ),
        (mt.Optimizer, {"step": lambda self: None}, r"Write def step\(self, parameters\)\.$"),
        (mt.Optimizer, {"update": lambda self, w, g, lr: None}, r"Write def update\(self, parameter, state\)\.$"),
    ],
)
def test_a_method_that_takes_other_arguments_is_refused_by_compile(base, methods, message):
    odd = type("Odd", (base,), methods)(*([0.1] if base is mt.Optimizer else []))
    with pytest.raises(ValueError, match=message):
        model().compile(*((odd, "mse") if base is mt.Optimizer else ("adam", odd)))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: mt.Sequential([("fc", mt.Dense(3))]), r"Write Dense\(units=3\) alone: names come from the place"),
        (lambda: mt.Sequential([np.tanh]), r"Write mt\.Tanh\(\), a layer\.$"),
        (lambda: mt.Sequential([lambda x: x]), "Write a layer of your own with forward and backward"),
        (lambda: mt.Sequential([mt.Dense(3)])(np.ones(4)), r"x\[np\.newaxis\] for one example"),
        (lambda: mt.Sequential([mt.Conv2D(2, 3)])(np.ones((8, 8, 3))), r"a single image is x\[np\.newaxis\]"),
        (lambda: mt.Sequential([mt.LSTM(2)])(np.ones((8, 3))), r"a single sequence x\[np\.newaxis\]"),
        (
            lambda: mt.Sequential([mt.Input((8, 3)), mt.LSTM(2)])(np.ones((8, 3))),
            r"A single example is x\[np\.newaxis\]",
        ),
    ],
)
def test_what_is_no_layer_and_a_single_example_are_answered(use, message):
    with pytest.raises(ValueError, match=message):
        use()


def test_a_metric_that_raises_is_named_with_its_line():
    def f1_score(y_true, y_pred):
        raise ValueError("continuous")

    compiled = model().compile("adam", "mse", [f1_score])
    with pytest.raises(ValueError, match="continuous") as caught:
        compiled.evaluate(X, X[:, 0])
    assert "metric 'f1_score', called with shapes (3, 1) and (3, 1). Write metrics=['f1']" in caught.value.__notes__[0]


def test_a_message_inside_another_ends_in_one_period():
    from minitorch_np.saving.errors import ModelFileError, not_saved

    for what in ("it is broken", "it is broken."):
        assert str(ModelFileError("m.keras", what, "Save it again")) == "m.keras: it is broken. Save it again"
        text = str(not_saved(model(), ValueError(what)))
        assert text == "Sequential.save: it is broken. save_weights keeps the weights alone."


def test_scikit_learn_shows_the_line_to_write():
    base = pytest.importorskip("sklearn.base", reason="needs scikit-learn: pip install scikit-learn")
    selection = pytest.importorskip("sklearn.model_selection", reason="needs scikit-learn: pip install scikit-learn")
    with pytest.raises(TypeError, match=r"Write model\.clone\(\), without the weights"):
        base.clone(model())
    uses = [base.is_classifier, lambda model: selection.cross_val_score(model, X, [0, 1, 0], cv=2)]
    for use in uses:
        with pytest.raises((AttributeError, TypeError), match=r"mt\.tuning\.cross_validate\(build, x, y\)"):
            use(model())


def given_to_scikit_learn():
    """What people type, and the lines that are answered."""
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install scikit-learn")
    from sklearn import calibration, inspection, metrics, model_selection

    score = lambda model, x, y: metrics.f1_score(y, model.predict_classes(x))  # noqa: E731
    return {
        "permutation_importance": (
            lambda m, x, y: inspection.permutation_importance(m, x, y, scoring="accuracy"),
            lambda m, x, y: [
                inspection.permutation_importance(m, x, y),
                inspection.permutation_importance(m, x, y, scoring=score),
            ],
        ),
        "partial_dependence": (
            lambda m, x, y: inspection.partial_dependence(m, x, [0]),
            lambda m, x, y: [
                m.predict(np.where(np.arange(x.shape[1]) == 0, value, x)).mean(axis=0) for value in (0, 1)
            ],
        ),
        "learning_curve": (lambda m, x, y: model_selection.learning_curve(m, x, y), None),
        "cross_val_predict": (lambda m, x, y: model_selection.cross_val_predict(m, x, y), None),
        "CalibratedClassifierCV": (lambda m, x, y: calibration.CalibratedClassifierCV(m).fit(x, y), None),
        "CalibrationDisplay": (
            lambda m, x, y: calibration.CalibrationDisplay.from_estimator(m, x, y),
            lambda m, x, y: calibration.calibration_curve(y, m.predict_proba(x)[:, 1]),
        ),
        "ConfusionMatrixDisplay": (
            lambda m, x, y: metrics.ConfusionMatrixDisplay.from_estimator(m, x, y),
            lambda m, x, y: metrics.confusion_matrix(y, m.predict_classes(x)),
        ),
        "RocCurveDisplay": (
            lambda m, x, y: metrics.RocCurveDisplay.from_estimator(m, x, y),
            lambda m, x, y: metrics.roc_curve(y, m.predict_proba(x)[:, 1]),
        ),
        "GridSearchCV": (lambda m, x, y: model_selection.GridSearchCV(m, {"rng": [1]}).fit(x, y), None),
    }


@pytest.mark.parametrize("outputs", [1, 2])
def test_functions_of_scikit_learn_that_get_a_model_are_answered_each_with_its_line(outputs, rng):
    x = rng.normal(size=(30, 4))
    y = (x[:, 0] > 0).astype(int)
    loss = mt.BCEWithLogitsLoss() if outputs == 1 else mt.CrossEntropyLoss()
    given = mt.Sequential([mt.Input((4,)), mt.Dense(outputs)], rng=0).compile(mt.Adam(0.1), loss)
    given.fit(x, y, epochs=3, progress=False)
    for name, (typed, answered) in given_to_scikit_learn().items():
        with pytest.raises(TypeError) as caught:
            typed(given, x, y)
        text = str(caught.value)
        assert text == f"Sequential: {name} asks for an estimator of scikit-learn. {TABLE['mt.' + name]}"
        assert answered is None or answered(given, x, y) is not None
    from sklearn.linear_model import LogisticRegression

    scaled = LogisticRegression().fit(given.predict(x), y)
    assert scaled.predict_proba(given.predict(x)).shape == (30, 2)
    with pytest.raises(
        AttributeError, match=r"write np\.arange\(model\.predict_proba\(x\)\.shape\[1\]\)\. Their names"
    ):
        getattr(given, "classes_")  # noqa: B009
    np.testing.assert_array_equal(np.arange(given.predict_proba(x).shape[1]), np.unique(y))


def test_a_layer_of_a_built_model_is_replaced_as_in_pytorch(rng):
    x, y = rng.normal(size=(6, 4)), rng.integers(0, 5, 6)
    built = mt.Sequential([mt.Input((4,)), mt.Dense(3), mt.ReLU(), mt.Dense(2)], rng=0)
    hidden = built[:3].predict(x)
    built[-1] = mt.Dense(5)
    assert built.output_shape == (5,)
    np.testing.assert_array_equal(built[:3].predict(x), hidden)
    np.testing.assert_allclose(built.predict(x), hidden @ built[-1].kernel.value + built[-1].bias.value, rtol=1e-6)
    built.compile("adam", mt.CrossEntropyLoss()).fit(x, y, progress=False)
    kept = [built[3], built.get_weights()]
    for wrong in (mt.Dense(7), "relu"):
        with pytest.raises(ValueError, match=r"Make a new layer for them|Write mt\.ReLU"):
            built[1] = wrong
    assert built[3] is kept[0]
    for now, before in zip(built.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(now, before)
    built[2] = mt.Tanh()
    np.testing.assert_array_equal(built[:3].predict(x), np.tanh(built[:2].predict(x)))


def test_a_layer_put_into_the_list_of_a_built_model_is_answered():
    built = mt.Sequential([mt.Input((2,)), mt.Dense(3), mt.Dense(2)])
    built.layers[-1] = mt.Dense(4)
    with pytest.raises(
        RuntimeError, match=r"write model\[-1\] = layer or model\.add\(layer\), not model\.layers\[-1\]"
    ):
        built.predict(X)
    built.layers.pop()
    built.add(mt.Dense(4))
    assert built.predict(X).shape == (3, 4)


class Named(mt.Layer):
    def __init__(self, units):
        super().__init__(name="named")
        self.units = units


class Positional(mt.Layer):
    def __init__(self, units):
        super().__init__(units)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: Named(3), r"Named\.__init__: .* 'name'\. Write super\(\)\.__init__\(\) without arguments"),
        (lambda: Positional(3), r"Positional\.__init__: at most 0 .*Write super\(\)\.__init__\(\) without arguments"),
        (lambda: mt.MSELoss().backward(1.0), r"MSELoss\.backward: at most 0 .*Write dy = loss\.backward\(\), without"),
        (lambda: model().backward(), r"'dy' is missing\. Write model\.backward\(loss\.backward\(\)\)"),
    ],
)
def test_habits_of_own_classes_and_of_backward_are_answered(use, message):
    with pytest.raises(TypeError, match=message):
        use()


def test_a_loss_that_is_given_the_target_first_is_told_the_order():
    with pytest.raises(ValueError, match=r"The order is loss\(prediction, target\)\.$"):
        mt.CrossEntropyLoss()([0, 1, 0], np.ones((3, 2)))


def test_a_layer_in_an_attribute_of_a_sequential_is_warned_of():
    compiled = model().compile("sgd", "mse")
    compiled.fit(X, X[:, 0], progress=False)
    compiled.head = mt.Dense(5)
    with pytest.warns(
        UserWarning, match=r"attribute head does not run, .*Write model\.add\(layer\), or model\[-1\] = layer"
    ):
        compiled.fit(X, X[:, 0], progress=False)


def test_a_path_and_a_measure_that_do_not_fit_are_answered_with_those_that_do(tmp_path):
    built = model()
    with pytest.raises(ValueError, match=r"path ends in \.keras, got '.*m\.h5'\. Write 'm\.keras'\.$"):
        built.save(tmp_path / "m.h5")
    history = built.compile("sgd", "mse").fit(X, X[:, 0], progress=False)
    with pytest.raises(KeyError, match=r"'val_loss' was not measured; there is loss\. Give fit validation_data"):
        history["val_loss"]


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("kind", ["scores", "probabilities", "numbers"])
def test_score_is_that_of_scikit_learn(units, kind, rng):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install scikit-learn")
    x = rng.normal(size=(30, 4))
    layers, loss = [mt.Input((4,)), mt.Dense(units)], mt.MSELoss()
    if kind == "scores":
        loss = mt.BCEWithLogitsLoss() if units == 1 else mt.CrossEntropyLoss()
    elif kind == "probabilities":
        layers.append(mt.Sigmoid() if units == 1 else mt.Softmax())
        loss = mt.BCELoss() if units == 1 else mt.CrossEntropyLoss(from_logits=False)
    compiled = mt.Sequential(layers, rng=0, dtype="float64").compile("sgd", loss)
    if kind == "numbers":
        y = rng.normal(size=(30, units))
        expected = metrics.r2_score(y, compiled.predict(x))
    else:
        y = rng.integers(0, max(2, units), 30)
        expected = metrics.accuracy_score(y, compiled.predict_classes(x))
    assert compiled.score(x, y) == pytest.approx(expected, rel=1e-12)


def test_score_of_several_outputs_is_answered():
    graph = mt.Graph({"x": (2,)}, [("a", mt.Dense(1), "x"), ("b", mt.Dense(1), "x")], ["a", "b"])
    with pytest.raises(ValueError, match=r"several outputs\. Write model\.evaluate\(x, y\)"):
        graph.compile("sgd", "mse").score(X, [X, X])

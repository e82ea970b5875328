"""Numbers that constructors take: errors for another type, a value out of range, or text."""

import json

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import callbacks, initializers, schedules

NUMBERS = [  # who, the argument, the constructor, a good value, a wrong one
    ("SGD", "momentum", lambda v: mt.SGD(momentum=v), 0.9, 1.0),
    ("SGD", "weight_decay", lambda v: mt.SGD(weight_decay=v), 0.1, -0.1),
    ("Adam", "beta_1", lambda v: mt.Adam(beta_1=v), 0.9, 1.0),
    ("Adam", "epsilon", lambda v: mt.Adam(epsilon=v), 0.0, -1e-7),
    ("AdamW", "weight_decay", lambda v: mt.AdamW(weight_decay=v), 0.0, np.inf),
    ("RMSprop", "momentum", lambda v: mt.RMSprop(momentum=v), 0.5, 1),
    ("RMSprop", "rho", lambda v: mt.RMSprop(rho=v), 0.5, 1.5),
    ("Adagrad", "initial_accumulator_value", lambda v: mt.Adagrad(initial_accumulator_value=v), 0.1, -0.1),
    ("Lion", "beta_2", lambda v: mt.Lion(beta_2=v), 0.9, 1),
    ("Nadam", "beta_2", lambda v: mt.Nadam(beta_2=v), 0.9, 1),
    ("L1", "l1", mt.L1, 0.1, -1),
    ("L2", "l2", mt.L2, 0.1, -1),
    ("L1L2", "l2", lambda v: mt.L1L2(0.1, v), 0.1, -1),
    ("HuberLoss", "delta", mt.HuberLoss, 2, 0),
    ("FocalLoss", "gamma", mt.FocalLoss, 0, -1),
    ("FocalLoss", "alpha", lambda v: mt.FocalLoss(alpha=v), 1, 1.1),
    ("CrossEntropyLoss", "label_smoothing", mt.CrossEntropyLoss, 0.1, 1.0),
    ("BatchNormalization", "momentum", lambda v: mt.BatchNormalization(momentum=v), 1.0, 1.1),
    ("BatchNormalization", "epsilon", lambda v: mt.BatchNormalization(epsilon=v), 1e-5, 0),
    ("LayerNormalization", "epsilon", lambda v: mt.LayerNormalization(epsilon=v), 1e-5, 0),
    ("Dropout", "rate", mt.Dropout, 0, 1),
    ("GaussianNoise", "stddev", mt.GaussianNoise, 0.1, -0.1),
    ("LeakyReLU", "negative_slope", mt.LeakyReLU, 0.3, -0.3),
    ("ELU", "alpha", mt.ELU, 1, -1),
    ("Rescaling", "scale", mt.Rescaling, -2, np.inf),
    ("Rescaling", "offset", lambda v: mt.Rescaling(1, v), -1, -np.inf),
    ("RandomTranslation", "fill_value", lambda v: mt.RandomTranslation(0.1, 0.1, fill_value=v), -1, np.inf),
    ("StepDecay", "factor", lambda v: schedules.StepDecay(0.1, 10, v), 0.5, 0),
    ("StepDecay", "every", lambda v: schedules.StepDecay(0.1, v), 10, 0.5),
    ("ExponentialDecay", "initial", lambda v: schedules.ExponentialDecay(v, 10), 0.1, 0),
    ("CosineDecay", "steps", lambda v: schedules.CosineDecay(0.1, v), 10, 0),
    ("CosineDecay", "warmup", lambda v: schedules.CosineDecay(0.1, 10, v), 3, -1),
    ("EarlyStopping", "patience", lambda v: callbacks.EarlyStopping(patience=v), 3, -1),
    ("EarlyStopping", "min_delta", lambda v: callbacks.EarlyStopping(min_delta=v), 0.1, -0.1),
    ("ReduceLROnPlateau", "factor", lambda v: callbacks.ReduceLROnPlateau(factor=v), 0.5, 1),
    ("ReduceLROnPlateau", "patience", lambda v: callbacks.ReduceLROnPlateau(patience=v), 5, 2.5),
    ("VarianceScaling", "scale", initializers.VarianceScaling, 2, 0),
    ("RandomNormal", "stddev", lambda v: initializers.RandomNormal(stddev=v), 0.1, -1),
    ("Constant", "value", initializers.Constant, 1, np.inf),
]
every_number = pytest.mark.parametrize(
    ("who", "name", "make", "good", "wrong"), [pytest.param(*case, id=f"{case[0]}.{case[1]}") for case in NUMBERS]
)


@every_number
def test_a_number_that_fits_is_taken(who, name, make, good, wrong):
    make(good)
    make(np.int64(good) if isinstance(good, int) else np.float64(good))


@every_number
def test_a_number_that_does_not_fit_is_refused(who, name, make, good, wrong):
    several = [] if who == "Constant" else [[good]]  # a Constant may be a table
    for value in (wrong, str(good), *several, np.nan, True, 1j):
        with pytest.raises(ValueError, match=rf"^{who}: {name} is an? .*, got "):
            make(value)


@every_number
def test_an_assignment_is_checked_like_an_argument(who, name, make, good, wrong):
    made = make(good)
    setattr(made, name, good)
    for value in (wrong, str(good), np.nan, None if name not in ("alpha", "weight_decay") else "x"):
        with pytest.raises(ValueError, match=rf"^{who}: {name} is an? "):
            setattr(made, name, value)
        assert getattr(made, name) == good


@pytest.mark.parametrize(
    ("made", "name", "wrong", "message"),
    [
        (mt.SGD(0.1), "learning_rate", -1, "SGD: learning_rate is a finite number of at least 0, got -1"),
        (mt.SGD(0.1), "learning_rate", np.array([0.1, 0.2]), "SGD: learning_rate is a number or a schedule"),
        (mt.SGD(0.1), "learning_rate", schedules.StepDecay, "SGD: learning_rate is a number or a schedule"),
        (mt.Adam(), "iteration", -1, "Adam: iteration is an int of at least 0"),
        (mt.Adam(), "clipnorm", -1, "Adam: give one of clipnorm, global_clipnorm and clipvalue"),
        (mt.Adam(clipnorm=1), "clipvalue", 1, "Adam: give one of clipnorm, global_clipnorm and clipvalue"),
        (mt.SGD(momentum=0.9, nesterov=True), "momentum", 0, "SGD: nesterov=True needs a velocity"),
        (schedules.CosineDecay(0.1, 10, 3), "warmup", 10, "CosineDecay: expected warmup to be smaller than steps"),
        (initializers.RandomUniform(-1, 1), "minval", 2, "RandomUniform: minval is at most maxval"),
        (callbacks.EarlyStopping(), "mode", "up", "EarlyStopping: mode is 'auto', 'min' or 'max'"),
        (mt.Conv2D(2, 3), "strides", 0, "Conv2D: strides is an int of at least 1"),
        (mt.MaxPooling2D(), "padding", "full", "MaxPooling2D: padding is 'valid' or 'same'"),
        (mt.ZeroPadding2D(), "padding", -1, "ZeroPadding2D: padding is an int of at least 0"),
        (mt.RandomFlip(), "mode", "left", "RandomFlip: mode is 'horizontal', 'vertical' or"),
        (mt.Softmax(), "axis", 0, "Softmax: axis is an int other than 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_assignments_that_do_not_go_together_are_refused_and_undone(made, name, wrong, message):
    before = getattr(made, name)
    with pytest.raises(ValueError, match=message):
        setattr(made, name, wrong)
    assert getattr(made, name) == before


def test_what_follows_from_an_argument_follows_an_assignment(rng):
    x = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    conv, pool = mt.Conv2D(2, 3), mt.MaxPooling2D()
    conv.strides, pool.pool_size = 2, 4
    assert conv(x).shape == (2, 3, 3, 2)
    assert pool(x).shape == (2, 2, 2, 3)


def test_what_shapes_parameters_stays_once_the_layer_is_built():
    layer = mt.Dense(3)
    layer.units = 4
    assert layer(np.ones((2, 5))).shape == (2, 4)
    layer.units = 4
    for name, value in (("units", 5), ("use_bias", False), ("kernel_initializer", "zeros")):
        with pytest.raises(ValueError, match=f"Dense: {name} is .* and stays so, as the layer is built"):
            setattr(layer, name, value)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        *((mt.SGD(0.1), name) for name in ("learningrate", "lr", "decay", "betas", "eps")),
        (mt.Dropout(0.5), "p"),
        (mt.LeakyReLU(), "slope"),
        (mt.HuberLoss(), "reduction"),
        (mt.L2(), "l1"),
        (schedules.StepDecay(0.1, 3), "decay_rate"),
        (initializers.RandomNormal(), "std"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_attribute_that_there_is_not_is_refused(made, name):
    with pytest.raises(AttributeError, match=name):
        setattr(made, name, 0.5)
    made._own = 1  # a private one, as of a test, is not a mistake


def test_the_rate_of_the_step_is_not_the_learning_rate():
    with pytest.raises(AttributeError, match=r"Write optimizer\.learning_rate = 0\.5"):
        mt.SGD(0.1).rate = 0.5


def test_other_peoples_classes_take_any_attribute():
    class Mine(mt.SGD):
        def __init__(self, rate):
            super().__init__(rate)
            self.rate = rate
            self.anything = 3

    assert Mine(0.5).learning_rate == 0.5


WHOLE = {
    "Input": lambda n: mt.Input((n, 4)),
    "Permute": lambda n: mt.Permute((2, n - 2)),
    "Reshape": lambda n: mt.Reshape((n, -1)),
    "Dense": mt.Dense,
    "Conv2D": lambda n: mt.Conv2D(n, n, strides=(n, n)),
    "DepthwiseConv2D": lambda n: mt.DepthwiseConv2D(n, depth_multiplier=n),
    "MaxPooling2D": lambda n: mt.MaxPooling2D(n, (n, n)),
    "ZeroPadding2D": lambda n: mt.ZeroPadding2D(((n, n), n)),
    "UpSampling2D": lambda n: mt.UpSampling2D((n, n)),
    "LSTM": mt.LSTM,
    "Embedding": lambda n: mt.Embedding(n, n),
    "PositionalEmbedding": mt.PositionalEmbedding,
    "MultiHeadAttention": lambda n: mt.MultiHeadAttention(n, n, value_dim=n),
    "Softmax": lambda n: mt.Softmax(n),
    "BatchNormalization": lambda n: mt.BatchNormalization(axis=n),
    "LayerNormalization": lambda n: mt.LayerNormalization(axis=(n, n + 1)),
    "UnitNormalization": lambda n: mt.UnitNormalization(axis=(n, n + 1)),
    "Normalization": lambda n: mt.Normalization(axis=n),
    "EarlyStopping": lambda n: callbacks.EarlyStopping(patience=n),
    "StepDecay": lambda n: schedules.StepDecay(0.1, n),
}


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_a_whole_number_is_what_operator_index_takes_and_no_bool(make):
    for three in (3, np.int64(3), np.uint8(3), np.array(3)):
        made = make(three)
        if isinstance(made, mt.Layer):
            assert json.dumps(made.config()) == json.dumps(make(3).config())  # so it can be saved
    for wrong in (True, np.True_, 3.0, np.float64(3), "3", None):
        if wrong is None and make in (WHOLE["Normalization"], WHOLE["Input"]):  # None is another choice there
            continue
        with pytest.raises((ValueError, TypeError)):
            make(wrong)


FLAGS = [
    ("Dense", "use_bias", lambda v: mt.Dense(3, v)),
    ("Conv2D", "use_bias", lambda v: mt.Conv2D(3, 2, use_bias=v)),
    ("DepthwiseConv2D", "use_bias", lambda v: mt.DepthwiseConv2D(2, use_bias=v)),
    ("LSTM", "use_bias", lambda v: mt.LSTM(3, v)),
    ("LSTM", "unit_forget_bias", lambda v: mt.LSTM(3, unit_forget_bias=v)),
    ("GRU", "reset_after", lambda v: mt.GRU(3, reset_after=v)),
    ("SimpleRNN", "return_sequences", lambda v: mt.SimpleRNN(3, return_sequences=v)),
    ("MultiHeadAttention", "causal", lambda v: mt.MultiHeadAttention(2, 3, causal=v)),
    ("BatchNormalization", "center", lambda v: mt.BatchNormalization(center=v)),
    ("LayerNormalization", "scale", lambda v: mt.LayerNormalization(scale=v)),
    ("GlobalMaxPooling2D", "keepdims", mt.GlobalMaxPooling2D),
    ("GELU", "approximate", mt.GELU),
    ("SGD", "nesterov", lambda v: mt.SGD(momentum=0.9, nesterov=v)),
    ("AdamW", "amsgrad", lambda v: mt.AdamW(amsgrad=v)),
    ("RMSprop", "centered", lambda v: mt.RMSprop(centered=v)),
    ("EarlyStopping", "restore_best_weights", lambda v: callbacks.EarlyStopping(restore_best_weights=v)),
]


@pytest.mark.parametrize(("who", "name", "make"), FLAGS, ids=[f"{who}.{name}" for who, name, _ in FLAGS])
def test_a_flag_is_true_or_false(who, name, make):
    for good in (True, False, np.True_):
        make(good)
    for wrong in ("relu", None, 1, "no"):
        with pytest.raises(ValueError, match=f"^{who}: {name} is True or False, got {wrong!r}"):
            make(wrong)


def test_an_activation_in_the_place_of_the_bias_is_told_where_it_goes():
    with pytest.raises(ValueError, match=r"An activation is a layer of its own, such as ReLU\(\), after this one"):
        mt.Dense(64, "relu")


def test_limits_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="SGD: give one of clipnorm, global_clipnorm and clipvalue, a positive number"):
        mt.SGD(clipnorm="1")
    with pytest.raises(ValueError, match="RandomBrightness: value_range is"):
        mt.RandomBrightness(0.1, ("0", "1"))
    with pytest.raises(ValueError, match="RandomBrightness: value_range is"):
        mt.RandomBrightness(0.1, 255)
    with pytest.raises(ValueError, match="SGD: learning_rate is a number or a schedule"):
        mt.SGD("0.1")


def test_a_share_of_the_data_is_a_number(rng):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)]).compile(mt.SGD(), mt.MSELoss())
    for share in ("0.2", 1.0, -0.5):
        with pytest.raises(ValueError, match=r"Sequential.fit: validation_split is a number in \(0, 1\), got"):
            model.fit(rng.normal(size=(10, 3)), np.zeros(10), validation_split=share)


X = np.ones((4, 3))


def regression(optimizer=None, loss=None, metrics=(), **options):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1, **options)], rng=0)
    return model.compile(optimizer or mt.SGD(0.1), loss or mt.MSELoss(), metrics)


@pytest.mark.parametrize(
    ("give", "name"),
    [
        (lambda: regression(mt.SGD), "SGD"),
        (lambda: regression(loss=mt.MSELoss), "MSELoss"),
        (lambda: regression(metrics=[mt.metrics.AUC]), "AUC"),
        (lambda: regression(metrics=mt.metrics.AUC), "AUC"),
        (lambda: mt.SGD(mt.schedules.CosineDecay), "CosineDecay"),
        (lambda: mt.Adam(mt.schedules.StepDecay), "StepDecay"),
        (lambda: regression(kernel_initializer=mt.initializers.Constant).parameters(), "Constant"),
        (lambda: regression(kernel_regularizer=mt.L2).parameters(), "L2"),
        (lambda: mt.Sequential([mt.Dense(3), mt.ReLU]), "ReLU"),
        (lambda: mt.Residual([mt.ReLU]), "ReLU"),
        (lambda: mt.Residual(mt.ReLU), "ReLU"),
        (lambda: mt.Add([mt.Dense(3), mt.ReLU]), "ReLU"),
        (lambda: mt.Concatenate([mt.Dense(3), [mt.ReLU]]), "ReLU"),
        (lambda: mt.Bidirectional(mt.LSTM), "LSTM"),
        (lambda: regression().fit(X, X[:, 0], callbacks=[mt.callbacks.CSVLogger]), "CSVLogger"),
        (lambda: regression().fit(X, X[:, 0], callbacks=mt.callbacks.CSVLogger), "CSVLogger"),
        (lambda: regression().fit(mt.datasets.HDF5Dataset), "HDF5Dataset"),
        (lambda: regression().fit(X, X[:, 0], validation_data=mt.datasets.ImageFolder), "ImageFolder"),
        (lambda: regression().predict(mt.datasets.HDF5Dataset), "HDF5Dataset"),
    ],
)
def test_a_class_in_the_place_of_an_object_is_named_with_the_line_to_write(give, name):
    with pytest.raises(ValueError, match=rf"Write (metrics=\[)?{name}\(\)"):
        give()


@pytest.mark.parametrize(
    ("set_", "message"),
    [
        (
            lambda m: setattr(m, "loss", "mse"),
            r"Sequential\.fit: expected a loss such as BCELoss\(\), got 'mse'\. Give the name to compile",
        ),
        (lambda m: setattr(m, "loss", mt.MSELoss), r"MSELoss is a class"),
        (lambda m: setattr(m, "optimizer", "sgd"), r"Sequential\.fit: expected an optimizer .* got 'sgd'"),
        (lambda m: setattr(m, "metrics", None), r"metrics is a list, got None"),
        (lambda m: setattr(m, "metrics", "mae"), r"Write metrics=\['mae'\]"),
        (lambda m: setattr(m, "training", "yes"), r"Sequential: training is True or False, got 'yes'"),
        (lambda m: setattr(m.layers[0].kernel, "trainable", "no"), r"trainable is True or False, got 'no'"),
    ],
)
def test_what_is_set_in_a_compiled_model_is_checked(set_, message, rng):
    x = rng.normal(size=(8, 3))
    model = mt.Sequential([mt.Dense(1)], rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    model.fit(x, x[:, 0])

    def set_and_fit():
        set_(model)
        model.fit(x, x[:, 0])

    with pytest.raises(ValueError, match=message):
        set_and_fit()


@pytest.mark.parametrize(
    ("layer", "name"), [(mt.Dense(1), "activation"), (mt.Conv2D(1, 3), "activation"), (mt.BatchNormalization(), "eps")]
)
def test_attributes_that_no_layer_reads_are_refused(layer, name):
    with pytest.raises(
        AttributeError, match=f"{type(layer).__name__}' object has no attribute '{name}'. .*(ReLU|epsilon)"
    ):
        setattr(layer, name, "relu")

"""Names of the package that are spelled otherwise, or that belong to another module of it or to NumPy."""

import pytest

import minitorch_np as mt

ANSWERS = {
    "AUC": "Write mt.metrics.AUC.",  # another module
    "TerminateOnNaN": "Write mt.callbacks.TerminateOnNaN.",
    "glorot_uniform": "Write mt.initializers.glorot_uniform.",
    "gelu": "Write mt.GELU.",  # another spelling
    "log_softmax": "Write mt.LogSoftmax.",
    "huber": "Write mt.HuberLoss.",
    "layers.OrthogonalInitializer": "Write mt.initializers.Orthogonal.",
    "initializers.random_normal": "Write mt.initializers.RandomNormal.",
    "layer_norm": "Write mt.LayerNormalization().",  # the answer to LayerNorm
    "where": "Arrays are NumPy's: write np.where.",
    "slogdet": "Arrays are NumPy's: write np.linalg.slogdet.",
    "Dnese": "Did you mean mt.Dense?",
    "layers.Dence": "Did you mean mt.Dense?",
    "UpSampling1D": "There is no such layer. docs/a_layer_of_your_own.md shows",  # not: did you mean UpSampling2D
    "layers.Discretization": "There is no such layer.",
    "losses.Tversky": "There is no such loss. A function of prediction and target is a loss too",
    "metrics.BinaryIoU": "There is no such metric. A function",
    "optimizers.Muon": "There is no such optimizer. A subclass of mt.Optimizer is one.",
    "callbacks.RemoteMonitor": "There is no such callback. A subclass of mt.Callback is one.",
    "regularizers.OrthogonalRegularizer": "There is no such regularizer.",
    "cohen_kappa_score": "scikit-learn's own takes the same arrays.",
    "Threshold": "docs/layers.md lists the layers",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_unknown_name_is_answered(name):
    holder = mt
    for part in name.split(".")[:-1]:
        holder = getattr(holder, part)
    last = name.rpartition(".")[2]
    with pytest.raises(AttributeError) as raised:
        getattr(holder, last)
    start = f"module '{holder.__name__}' has no attribute '{last}'. {ANSWERS[name]}"
    assert str(raised.value).startswith(start)


def test_an_import_of_such_a_name_is_answered():
    with pytest.raises(ImportError, match=r"cannot import name 'AUC' from 'minitorch_np'\. Write mt\.metrics\.AUC\."):
        exec("from minitorch_np import AUC")


def test_names_that_python_asks_for_get_no_answer():
    with pytest.raises(AttributeError, match=r"has no attribute '__wrapped__'\.$"):
        mt.__wrapped__  # noqa: B018 the access is the test

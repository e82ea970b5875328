"""Code of somebody else: in each form that people write, the parameters are seen, the right version passes, the wrong one fails."""

import numpy as np
import pytest

import minitorch_np as mt

adapt = mt.gradcheck.adapt
W, B = np.random.default_rng(1).normal(size=(3, 4)), np.random.default_rng(2).normal(size=4)
X, Y = np.random.default_rng(3).normal(size=(5, 3)), np.random.default_rng(4).normal(size=(5, 4))


def check(target, x=(5, 3), y=None, **options):
    return mt.gradcheck(target, x, y, raise_exception=False, **options)


def bias(d, bug, axis=0):
    """The gradient of a bias; wrong, it is averaged."""
    return d.mean(axis=axis) if bug else d.sum(axis=axis)


FORMS = {}


def form(make):
    FORMS[make.__name__] = make
    return make


class Dense:
    """x @ W + b with names that a form chooses."""

    names = "W", "b", "dW", "db"

    def __init__(self, bug, w=W, b=B):
        self.bug = bug
        for name, value in zip(self.names, (w.copy(), b.copy()), strict=False):
            setattr(self, name, value)

    def forward(self, x):
        self.x = x
        return x @ getattr(self, self.names[0]) + getattr(self, self.names[1])

    def backward(self, d):
        setattr(self, self.names[2], self.x.T @ d)
        setattr(self, self.names[3], bias(d, self.bug))
        return d @ getattr(self, self.names[0]).T


def named(*names):
    def make(bug):
        return type("Named", (Dense,), {"names": names})(bug), (5, 3)

    FORMS[" ".join(names)] = make


named("W1", "b1", "dW1", "db1")
named("_W", "_b", "_dW", "_db")
named("theta", "theta0", "dtheta", "dtheta0")
named("W", "b", "dL_dW", "dL_db")
named("W", "b", "dLdW", "dLdb")
named("W", "b", "grad_W", "grad_b")
named("weights", "biases", "dweights", "dbiases")
named("weights", "bias", "weights_gradient", "bias_gradient")
named("weights", "bias", "dW", "db")
named("kernel", "offset", "first_result", "second_result")


@form
def made_in_the_first_forward(bug):
    class Lazy(Dense):
        def __init__(self):
            self.bug, self.W, self.b = bug, None, None

        def forward(self, x):
            if self.W is None:
                self.W, self.b = np.random.randn(x.shape[1], 4), np.zeros(4)  # noqa: NPY002 as people write it
            return super().forward(x)

    return Lazy(), (5, 3)


@form
def dictionaries_of_an_object_with_d_in_the_keys(bug):
    class Net:
        def __init__(self):
            self.params, self.grads = {"W1": W.copy(), "b1": B.copy()}, {}

        def forward(self, x):
            self.x = x
            return x @ self.params["W1"] + self.params["b1"]

        def backward(self, d):
            self.grads["dW1"], self.grads["db1"] = self.x.T @ d, bias(d, bug)
            return d @ self.params["W1"].T

    return Net(), (5, 3)


@form
def layers_that_share_the_arrays_of_the_net(bug):
    class Net:
        def __init__(self):
            self.params = {"W1": W.copy(), "b1": B.copy()}
            self.layers = {"Affine1": Dense(bug, *self.params.values())}
            self.layers["Affine1"].W, self.layers["Affine1"].b = self.params.values()

        def loss(self, x, t):
            self.y = self.layers["Affine1"].forward(x)
            return 0.5 * np.sum((self.y - t) ** 2)

        def gradient(self, x, t):
            self.loss(x, t)
            self.layers["Affine1"].backward(self.y - t)
            return {"W1": self.layers["Affine1"].dW, "b1": self.layers["Affine1"].db}

    return Net(), X, Y


@form
def outputs_and_gradients_kept_as_attributes(bug):
    class Layer_Dense:
        def __init__(self):
            self.weights, self.biases = W.copy(), B[None].copy()

        def forward(self, inputs, training):
            self.inputs = inputs
            self.output = np.dot(inputs, self.weights) + self.biases

        def backward(self, dvalues):
            self.dweights = np.dot(self.inputs.T, dvalues)
            self.dbiases = bias(dvalues, bug)[None]
            self.dinputs = np.dot(dvalues, self.weights.T)

    return Layer_Dense(), (5, 3)


@form
def a_tuple_with_the_gradients_in_another_order(bug):
    class Layer(Dense):
        def backward(self, d):
            db, dW = bias(d, bug), self.x.T @ d
            dx = d @ self.W.T
            return dx, db, dW

    return Layer(bug), (5, 3)


@form
def a_learning_rate_of_its_own(bug):
    class Layer(Dense):
        def __init__(self):
            super().__init__(bug)
            self.lr = 0.01

        def backward(self, d):
            dx = d @ self.W.T
            self.W = self.W - self.lr * self.x.T @ d
            self.b = self.b - self.lr * bias(d, bug)
            return dx

    return Layer(), (5, 3)


@form
def a_learning_rate_that_is_told(bug):
    class Layer(Dense):
        def backward(self, d):
            dx = d @ self.W.T
            self.W -= 0.5 * self.x.T @ d
            self.b -= 0.5 * bias(d, bug)
            return dx

    return adapt(Layer(bug), learning_rate=0.5), (5, 3)


@form
def columns(bug):
    class Net:
        def __init__(self):
            self.W1, self.b1 = W.T.copy(), B[:, None].copy()

        def forward(self, X):
            self.X = X
            return self.W1 @ X + self.b1

        def backward(self, dZ):
            self.dW1, self.db1 = dZ @ self.X.T, bias(dZ, bug, 1)[:, None]
            return self.W1.T @ dZ

    return Net(), (3, 6)


@form
def functions_of_a_course_with_columns_and_the_mean(bug):
    def linear_forward(A, W, b):
        return W @ A + b, (A, W, b)

    def linear_backward(dZ, cache):
        A_prev, W, _ = cache
        m = A_prev.shape[1]
        dW, db = dZ @ A_prev.T / m, dZ.sum(axis=1, keepdims=True) / (1 if bug else m)
        return W.T @ dZ, dW, db

    both = adapt(linear_forward, linear_backward, {"W": W.T, "b": B[:, None]}, examples="columns", averaged=True)
    return both, (3, 6)


@form
def a_cell_with_a_dictionary_of_parameters(bug):
    def rnn_cell_forward(xt, a_prev, parameters):
        a_next = np.tanh(parameters["Wax"] @ xt + parameters["Waa"] @ a_prev + parameters["ba"])
        yt = parameters["Wya"] @ a_next
        return a_next, yt, (a_next, a_prev, xt, parameters)

    def rnn_cell_backward(da_next, cache):
        a_next, a_prev, xt, parameters = cache
        d = (1 - a_next**2) * da_next
        return {
            "dxt": parameters["Wax"].T @ d, "da_prev": parameters["Waa"].T @ d, "dWax": d @ xt.T, "dWaa": d @ a_prev.T,
            "dba": bias(d, bug, 1)[:, None],
        }  # fmt: skip

    rng = np.random.default_rng(0)
    parameters = {"Wax": W.T, "Waa": rng.normal(size=(4, 4)), "ba": B[:, None], "Wya": rng.normal(size=(2, 4))}
    return adapt(rnn_cell_forward, rnn_cell_backward, {"a_prev": rng.normal(size=(4, 6)), "parameters": parameters}), (
        3,
        6,
    )


@form
def functions_with_a_configuration(bug):
    def layernorm_forward(x, gamma, beta, ln_param):
        s = np.sqrt(((x - x.mean(1, keepdims=True)) ** 2).mean(1, keepdims=True) + ln_param["eps"])
        n = (x - x.mean(1, keepdims=True)) / s
        return gamma * n + beta, (n, s, gamma)

    def layernorm_backward(dout, cache):
        n, s, gamma = cache
        d = dout * gamma
        dx = (d - d.mean(1, keepdims=True) - n * (d * n).mean(1, keepdims=True)) / s
        return dx, (dout * n).sum(0), bias(dout, bug)

    given = {"gamma": B, "beta": B * 2}
    return adapt(layernorm_forward, layernorm_backward, given, arguments={"ln_param": {"eps": 1e-5}}), (5, 4)


@form
def static_methods_of_a_class(bug):
    class Linear:
        @staticmethod
        def forward(x, w, b):
            return x @ w + b, (x, w, b)

        @staticmethod
        def backward(dout, cache):
            x, w, _ = cache
            return dout @ w.T, x.T @ dout, bias(dout, bug)

    return adapt(Linear, parameters={"w": W, "b": B}), (5, 3)


@form
def layers_with_lazy_arrays_and_inputs_that_add_up(bug):
    class FullyConnected:
        def __init__(self):
            self.X, self.is_initialized, self.parameters, self.gradients = [], False, {"W": None, "b": None}, {}

        def _init_params(self, n_in):
            self.parameters = {"W": np.random.randn(n_in, 4), "b": np.zeros((1, 4))}  # noqa: NPY002 as people write it
            self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}
            self.is_initialized = True

        def forward(self, X, retain_derived=True):
            if not self.is_initialized:
                self._init_params(X.shape[1])
            if retain_derived:
                self.X.append(X)
            return X @ self.parameters["W"] + self.parameters["b"]

        def backward(self, dLdy, retain_grads=True):
            dX = []
            for dy, x in zip([dLdy], self.X, strict=False):
                dX.append(dy @ self.parameters["W"].T)
                self.gradients["W"] += x.T @ dy
                self.gradients["b"] += bias(dy, bug)[None]
            return dX[0] if len(dX) == 1 else dX

        def flush_gradients(self):
            self.X = []
            for value in self.gradients.values():
                value[...] = 0

    return FullyConnected(), (5, 3)


@form
def gradients_in_an_outer_list(bug):
    class Layer:
        def __init__(self, n, m):
            self.params = [np.random.default_rng(n).normal(size=(n, m)), np.random.default_rng(m).normal(size=m)]
            self.grads = [np.zeros_like(p) for p in self.params]

        def forward(self, x):
            self.x = x
            return x @ self.params[0] + self.params[1]

        def backward(self, d):
            self.grads[0][...], self.grads[1][...] = self.x.T @ d, bias(d, bug)
            return d @ self.params[0].T

    class Net:
        def __init__(self):
            self.layers = [Layer(3, 4), Layer(4, 2)]
            self.params, self.grads = [], []
            for layer in self.layers:
                self.params += layer.params
                self.grads += layer.grads

        def forward(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def backward(self, d):
            for layer in reversed(self.layers):
                d = layer.backward(d)
            return d

    return Net(), (5, 3)


@pytest.mark.parametrize("name", FORMS)
def test_parameters_are_seen_and_right_passes_and_wrong_fails(name):
    right, wrong = (check(*FORMS[name](bug)) for bug in (False, True))
    assert right.verdict == "pass", right
    assert len(right.tensors) >= 2
    assert all(result.checked for result in right.tensors.values())
    assert right.looked_at.startswith("looked at")
    failed = [result for result in wrong.tensors.values() if result.verdict == "fail"]
    assert wrong.verdict == "fail"
    assert failed
    assert {r.name for r in wrong.tensors.values()} == {r.name for r in right.tensors.values()}


# What is not looked at


def test_a_parameter_without_a_gradient_is_never_called_right():
    class Layer(Dense):
        def backward(self, d):
            self.db = d.sum(axis=0)
            self.dead = None
            return d @ self.W.T

    report = check(Layer(False))
    assert report.verdict == "inconclusive"
    assert "left out: W (3, 4)" in report.looked_at
    assert "adapt(layer, parameters={'b': 'db', 'W': 'dW'})" in str(report)
    assert check(adapt(Layer(False), parameters={"b": "db"}))


def test_the_first_line_says_what_was_looked_at_and_what_was_left_out():
    class Layer(Dense):
        unused = W.copy()
        scale_mean = 1 + W

        def forward(self, x):
            return super().forward(x) + self.scale_mean.sum(axis=0)

    first = str(check(Layer(False))).splitlines()[0]
    assert "is right; looked at, each with its gradient: x (returned), W (dW), b (db); " in first
    assert "left out: scale_mean (3, 4); without a gradient, and y does not depend on it: unused (3, 4)" in first


def test_the_report_calls_gradients_and_dy_as_the_code_does():
    class Layer:
        def __init__(self):
            self.W = np.random.default_rng(0).normal(size=(3, 4))
            self.b = np.zeros((1, 4))

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            self.dW, self.db = np.zeros((3, 4)), dout
            self.dW += self.x.T @ dout
            return dout @ self.W.T

    text = str(check(Layer()))
    assert "is WRONG for db (dx and dW are right)" in text
    assert "db has shape (5, 4), expected (1, 4)." in text
    assert "Write `db = dout.sum(axis=0, keepdims=True)`." in text
    assert ".grad" not in text
    assert text.splitlines()[-2].startswith(" Remark: For float32 inputs, dW is float64.")
    assert "Remark" not in str(check(Dense(False)))


def test_what_is_not_understood_is_asked_for_by_name():
    class Masked(Dense):
        def forward(self, x, attention_bias):
            return super().forward(x + attention_bias)

    with pytest.raises(ValueError, match=r"also takes 'attention_bias'\. Give its value: adapt"):
        check(Masked(False))
    assert check(adapt(Masked(False), arguments={"attention_bias": 0.5}))

    class Steps(Dense):
        def backward(self, d):
            dx = d @ self.W.T
            self.W -= 0.5 * self.x.T @ d
            return dx

    with pytest.raises(ValueError, match=r"changes W itself and keeps no gradient\. Say its learning rate"):
        check(Steps(False))


# Losses and functions


def test_losses_with_names_of_their_own():
    class MSE:
        def __init__(self, factor):
            self.factor = factor

        def loss(self, predicted, actual):
            return np.sum((predicted - actual) ** 2)

        def grad(self, predicted, actual):
            return self.factor * (predicted - actual)

    assert check(MSE(2), Y, Y + 1)
    assert check(MSE(1), Y, Y + 1).verdict == "fail"


def test_pairs_of_functions_need_no_adapt():
    def mse(y_true, y_pred):
        return np.mean((y_true - y_pred) ** 2)

    def mse_prime(y_true, y_pred):
        return 2 * (y_pred - y_true) / y_true.size

    assert check((mse, mse_prime), Y, Y + 1)
    assert check((mse, lambda y_true, y_pred: 2 * (y_true - y_pred) / y_true.size), Y, Y + 1).verdict == "fail"
    assert check((np.tanh, lambda x: 1 - np.tanh(x) ** 2))
    assert check((np.tanh, lambda x: 1 - np.tanh(x))).verdict == "fail"
    assert check((lambda x: (x * x, x), lambda dout, cache: 2 * cache * dout))


def test_a_function_that_returns_loss_and_gradient():
    labels = np.array([0, 2, 1, 0, 3])

    def softmax_loss(x, y):
        p = np.exp(x - x.real.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        dx = p.copy()
        dx[np.arange(len(y)), y] -= 1
        return -np.log(p[np.arange(len(y)), y]).mean(), dx / len(y)

    assert check(softmax_loss, Y, labels)
    assert check(lambda x, y: (softmax_loss(x, y)[0], 5 * softmax_loss(x, y)[1]), Y, labels).verdict == "fail"


def test_dropout_that_draws_from_the_global_generator_is_right():
    class Dropout:
        def forward(self, x):
            self.mask = (np.random.rand(*x.shape) > 0.4) / 0.6  # noqa: NPY002 as people write it
            return x * self.mask.astype(x.real.dtype)

        def backward(self, d):
            return d * self.mask.astype(d.dtype)

    assert check(Dropout())


def test_an_embedding_returns_nothing():
    class Embedding:
        def __init__(self, bug):
            self.bug, self.C = bug, np.random.default_rng(0).normal(size=(7, 2))

        def forward(self, X):
            self.X = X
            return self.C[X]

        def backward(self, d):
            self.dC = np.zeros_like(self.C)
            if self.bug:
                self.dC[self.X] += d
            else:
                np.add.at(self.dC, self.X, d)

    tokens = np.array([[1, 1, 1], [0, 4, 2], [2, 2, 5], [3, 1, 3]])
    assert check(Embedding(False), tokens)
    assert check(Embedding(True), tokens).verdict == "fail"


def test_one_example_without_a_batch():
    class Neuron(Dense):
        def backward(self, d):
            self.dW, self.db = np.outer(self.x, d), d
            return d @ self.W.T

    assert check(adapt(Neuron(False), examples="one"), (3,))
    assert check(Neuron(False), (3,))


def test_the_command_takes_files_and_the_names_of_parameters(tmp_path, capsys):
    from minitorch_np.cli import main

    (tmp_path / "theirs.py").write_text(
        "import numpy as np\nclass Scale:\n    def __init__(self): self.theta = np.arange(1.0, 4)\n"
        "    def forward(self, x): self.x = x; return x * self.theta\n"
        "    def backward(self, d): self.slope = (d * self.x).sum(axis=0); return d * self.theta\n"
    )
    np.save(tmp_path / "x.npy", X)
    command = ["gradcheck", f"{tmp_path}/theirs.py:Scale", "--x", f"{tmp_path}/x.npy", "--parameters", "theta=slope"]
    assert main(command) == 0
    assert "theta (slope)" in capsys.readouterr().out


@pytest.fixture
def command(tmp_path, capsys):
    """Runs gradcheck on a class of a file, and returns its exit status and what it printed."""
    from minitorch_np.cli import main

    (tmp_path / "theirs.py").write_text(
        "import numpy as np\n"
        "import minitorch_np as mt\n"
        "class Net:\n"
        "    def __init__(self): self.theta = np.arange(1.0, 4)\n"
        "    def run(self, x): self.x = x; self.out = x * self.theta\n"
        "    def back(self, d): self.slope = (d * self.x).sum(axis=0) / len(d); self.down = d * self.theta\n"
        "class Steps:\n"
        "    def __init__(self): self.W = np.arange(1.0, 4)\n"
        "    def forward(self, x): self.x = x; return x * self.W\n"
        "    def backward(self, d):\n"
        "        dx = d * self.W\n"
        "        self.W = self.W - 0.1 * (d * self.x).sum(axis=0)\n"
        "        return dx\n"
        "loss = mt.MSELoss()\n"
        "model = mt.Sequential([mt.Dense(2)])\n"
    )
    for name, array in {"x": X, "y": X[:, :2], "other": X[:1]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "both.npz", x=X, y=X)

    def run(name, *options):
        status = main(["gradcheck", f"{tmp_path}/theirs.py:{name}", *(o.replace("@", f"{tmp_path}/") for o in options)])
        return status, "".join(capsys.readouterr())

    return run


def test_the_command_takes_every_name_that_adapt_takes(command):
    names = ["--forward", "run", "--backward", "back", "--output", "out", "--dx", "down", "--parameters", "theta=slope"]
    assert command("Net", "--x", "@x.npy", *names, "--averaged")[0] == 0
    status, text = command("Net", "--x", "@x.npy", *names, "--hint", "1")
    assert status == 1
    assert "is WRONG for slope (dx is right)" in text
    assert "LIKELY BUG" not in text
    assert command("Steps", "--shape", "5,3", "--learning-rate", "0.1")[0] == 0
    assert command("Steps", "--shape", "5,3", "--learning-rate", "0.2")[0] == 1
    assert command("model", "--x", "@x.npy", "--y", "@y.npy", "--loss", "mse")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Steps", "--shape", "5,4"], "forward raised ValueError"),
        (["Steps", "--shape", "5,4"], "Shapes: x (5, 4), self.x (5, 4), self.W (3,)"),
        (["Steps", "--x", "@both.npz"], "a file of several arrays (x, y)"),
        (["Steps", "--x", "@none.npy"], "none.npy: there is no such file"),
        (["model", "--shape", "5,3", "--loss", "mse"], "give them too, --y y.npy"),
        (["loss", "--x", "@x.npy"], "give them too, --y y.npy"),
        (["model", "--x", "@x.npy", "--y", "@y.npy"], "give the loss too, such as --loss mse"),
        (["model", "--x", "@x.npy", "--y", "@y.npy", "--loss", "mze"], "Did you mean 'mse'?"),
        (["model", "--x", "@x.npy", "--averaged"], "--averaged: only for code from elsewhere, and this is a Layer"),
        (["Steps", "--x", "@x.npy", "--backward", "back"], "no method 'back'"),
    ],
)
def test_the_command_says_what_is_wrong_with_what_it_was_given(command, arguments, message):
    status, text = command(*arguments)
    assert status == 2
    assert message in text
    assert "Traceback" not in text


def test_parameters_without_their_gradients_are_refused_by_the_command(command, capsys):
    with pytest.raises(SystemExit):
        command("Steps", "--shape", "5,3", "--parameters", "W")
    assert "expected parameters with their gradients, such as W=dW,b=db, got 'W'" in capsys.readouterr().err


class MaxPool:
    """A pool of one image, with no axis for the examples."""

    def __init__(self, bug=False):
        self.bug = bug

    def forward(self, image):
        self.image = image
        h, w = image.shape[0] // 2, image.shape[1] // 2
        self.blocks = image[: 2 * h, : 2 * w].reshape(h, 2, w, 2, -1)
        y = self.blocks.max(axis=(1, 3))
        return y[..., 0] if image.ndim == 2 else y

    def backward(self, d):
        h, w = d.shape[:2]
        dx = np.zeros_like(self.image)
        for i, j, k in np.ndindex(h, w, 1 if d.ndim == 2 else d.shape[2]):
            block = self.blocks[i, :, j, :, k].real
            row, column = np.unravel_index(block.argmax(), block.shape)
            place = (2 * i + row, 2 * j + (0 if self.bug else column))
            dx[(*place, k) if d.ndim == 3 else place] += d[(i, j, k)[: d.ndim]]
        return dx


@pytest.mark.parametrize("shape", [(6, 6), (5, 7), (4, 6), (6, 6, 2), (4, 6, 3), (2, 2)])
def test_one_image_as_x(shape):
    assert check(MaxPool(), shape).verdict == "pass"
    assert check(MaxPool(bug=True), shape).verdict == "fail"


# What backward does not return


def without_dx(names, **attributes):
    """A layer that sets the gradients of its parameters and returns nothing."""

    class Layer(Dense):
        def __init__(self):
            super().__init__(False)
            vars(self).update(attributes)

        def forward(self, x):
            y = super().forward(x)
            return np.tanh(y) @ self.W2 if "W2" in attributes else y

        def backward(self, d):
            if "W2" in attributes:
                h = np.tanh(self.x @ self.W + self.b)
                self.dW2, d = h.T @ d, d @ self.W2.T * (1 - h**2)
            dx = super().backward(d)
            if names:
                setattr(self, names, dx)

    return Layer()


def test_a_layer_without_dx_is_not_called_right():
    report = check(without_dx(""))
    assert report.verdict == "inconclusive"
    assert "dx was not checked: backward returns none" in str(report).splitlines()[0]
    assert "Say where it is: adapt(layer, dx='…')" in str(report)
    assert check(without_dx(""), wrt=["W", "b"])
    assert check(without_dx("to_the_left")).verdict == "inconclusive"
    assert set(check(adapt(without_dx("to_the_left"), dx="to_the_left")).tensors) == {"x", "W", "b"}
    for name in ("dinputs", "dx", "grad_input", "input_gradient", "dL_dx"):
        report = check(without_dx(name))
        assert report.verdict == "pass"
        assert "x" in report.tensors


def test_a_whole_net_needs_no_dx():
    report = check(without_dx("", W2=np.random.default_rng(5).normal(size=(4, 2))))
    assert report.verdict == "pass"
    assert "dx was not checked" in str(report).splitlines()[0]


# The 1/m of a mean loss


def averaged(x, names, columns):
    """A layer that divides the gradients of these parameters by the number of examples; and dx, if it is among them."""

    class Layer:
        def __init__(self):
            self.W, self.b = (W.T.copy(), B[:, None].copy()) if columns else (W.copy(), B.copy())

        def forward(self, x):
            self.x = x
            return self.W @ x + self.b if columns else x @ self.W + self.b

        def backward(self, d):
            m = d.shape[1] if columns else len(d)
            dW, db, dx = (
                (d @ self.x.T, d.sum(axis=1, keepdims=True), self.W.T @ d)
                if columns
                else (self.x.T @ d, d.sum(axis=0), d @ self.W.T)
            )
            self.dW, self.db = dW / (m if "W" in names else 1), db / (m if "b" in names else 1)
            return dx / (m if "x" in names else 1)

    return check(Layer(), x)


def test_the_mean_of_a_course_is_recognised_where_examples_are_columns():
    report = averaged((3, 6), "Wb", columns=True)
    assert report.verdict == "pass"
    assert "the gradients of the parameters are divided by the 6 examples: this is taken for the 1/m" in str(report)
    for names in ("W", "b", "Wbx"):
        assert averaged((3, 6), names, columns=True).verdict == "fail", names


def test_the_mean_is_a_bug_where_examples_are_rows():
    report = averaged((5, 3), "Wb", columns=False)
    assert report.verdict == "fail"
    assert report.diagnosis.name == "averaged over the batch"
    assert "if that is meant as the 1/m of a mean loss, write adapt(…, averaged=True)" in str(report)
    for names in ("W", "b", "Wbx"):
        assert averaged((5, 3), names, columns=False).verdict == "fail", names


def test_the_mean_of_a_layer_of_this_package_is_a_bug():
    class Mean(mt.Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            for parameter in (self.kernel, self.bias):
                parameter.grad = parameter.grad / len(dy)
            return dx

    assert check(Mean(2)).diagnosis.name == "averaged over the batch"

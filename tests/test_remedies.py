"""What a report says to write is written, word for word; then the layer is right."""

import importlib.util
import re

import numpy as np
import pytest

import minitorch_np as mt

# A student's class with %s for the wrong line, that line, and the line with {} for what the report says to write; and x.
MISTAKES = {
    "softmax, each output for itself": (
        """
class Student:
    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, dout):
        y = self.p
        %s
        return dx
""",
        "dx = dout * self.p * (1 - self.p)",
        "{}",
        (5, 4),
    ),
    "derivative at the activation": (
        """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def d_sigmoid(z):
    return sigmoid(z) * (1 - sigmoid(z))


class Student:
    def __init__(self):
        self.W, self.b = np.random.default_rng(0).normal(size=(3, 4)), np.zeros(4)

    def forward(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        self.a = sigmoid(self.z)
        return self.a

    def backward(self, da):
        %s
        self.dW, self.db = self.x.T @ dz, dz.sum(axis=0)
        return dz @ self.W.T
""",
        "dz = da * d_sigmoid(self.a)",
        "dz = da * ({})",
        (5, 3),
    ),
    "bias not summed": (
        """
class Student:
    def __init__(self):
        self.W, self.b = np.random.default_rng(0).normal(size=(3, 4)), np.zeros((1, 4))

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        %s
        self.db = db
        return dout @ self.W.T
""",
        "db = dout",
        "{}",
        (5, 3),
    ),
    "weights transposed": (
        """
class Student:
    def __init__(self):
        self.W, self.b = np.random.default_rng(0).normal(size=(4, 4)), np.zeros(4)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        x = self.x
        %s
        self.dW, self.db = dW, dout.sum(axis=0)
        return dout @ self.W.T
""",
        "dW = dout.T @ x",
        "{}",
        (6, 4),
    ),
    "maximum to all": (
        """
class Student:
    def forward(self, x):
        n, h, w, c = x.shape
        self.shape, self.windows = x.shape, x.reshape(n, h // 2, 2, w // 2, 2, c)
        return self.windows.max(axis=(2, 4))

    def backward(self, dout):
        %s
        return dx.reshape(self.shape)
""",
        "dx = dout[:, :, None, :, None, :] * np.ones(self.windows.shape)",
        "dx = dout[:, :, None, :, None, :] * {}",
        (2, 4, 6, 3),
    ),
    "one gradient for each word": (
        """
class Student:
    def __init__(self):
        self.W = np.random.default_rng(0).normal(size=(6, 3))

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        ids, dW = self.ids, np.zeros(self.W.shape)
        %s
        self.dW = dW
""",
        "dW[ids] = dout",
        "{}",
        np.array([[1, 2, 1, 5], [0, 5, 5, 2]]),
    ),
    "dropout without its mask": (
        """
class Student:
    def forward(self, x):
        self.mask = (np.random.default_rng(0).random(x.shape) > 0.4) / 0.6
        return x * self.mask

    def backward(self, dout):
        %s
        return dx
""",
        "dx = dout",
        "{}",
        (5, 4),
    ),
    "derivative of tanh from z": (
        """
class Student:
    def __init__(self):
        self.W, self.b = np.random.default_rng(0).normal(size=(3, 4)), np.zeros(4)

    def forward(self, X):
        self.X = X
        self.z1 = X @ self.W + self.b
        self.a1 = np.tanh(self.z1)
        return self.a1

    def backward(self, da):
        %s
        self.dW, self.db = self.X.T @ dz, dz.sum(axis=0)
        return dz @ self.W.T
""",
        "dz = da * (1 - self.z1**2)",
        "dz = da * ({})",
        (6, 3),
    ),
    "mask of the activation forgotten": (
        """
class Student:
    def forward(self, x):
        self.x = x
        y = np.maximum(0, x)
        return y * 3

    def backward(self, dout):
        x, g = self.x, 3 * dout
        %s
        return dx
""",
        "dx = g",
        "{}",
        (5, 3),
    ),
}


def student(tmp_path, source, line):
    path = tmp_path / f"student_{abs(hash(line))}.py"
    path.write_text("import numpy as np\n" + source % line)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Student()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_the_report_says_to_write_makes_the_layer_right(tmp_path, mistake):
    source, wrong, right, x = MISTAKES[mistake]
    report = mt.gradcheck(student(tmp_path, source, wrong), x, raise_exception=False)
    assert report.verdict == "fail"
    text = str(report)
    code = re.search(r"\n   .*?`(.+?)`", text)[1]
    assert mt.gradcheck(student(tmp_path, source, right.format(code)), x), text


@pytest.mark.parametrize("mistake", MISTAKES)
def test_hint_2_tells_the_bug_and_not_what_to_write(tmp_path, mistake):
    source, wrong, _, x = MISTAKES[mistake]
    report = mt.gradcheck(student(tmp_path, source, wrong), x, raise_exception=False)
    code = re.search(r"\n   .*?`(.+?)`", str(report))[1]
    report.hint = 2
    assert "LIKELY BUG" in str(report)
    assert code not in str(report)
    report.hint = 1
    assert "LIKELY BUG" not in str(report)

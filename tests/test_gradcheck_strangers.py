"""The gradient checker on layers as other people write them: no wrong one passes, no right one is accused."""

import numpy as np
import pytest

import minitorch_np as mt


def check(target, x=(5, 3), y=None, **options):
    return mt.gradcheck(target, x, y, raise_exception=False, **options)


def layer(forward, backward, base=mt.Layer):
    """A layer of these two methods."""
    return type("Theirs", (base,), {"forward": forward, "backward": backward})()


def keeping(function):
    """A forward that keeps x in the cache."""

    def forward(self, x):
        self.cache = x
        return function(x)

    return forward


# A backward that raises


class Raises(mt.Layer):
    def forward(self, x):
        self.cache = x
        return np.tanh(x)

    def backward(self, dy):
        return dy @ self.cache


@pytest.mark.parametrize("target", [Raises(), mt.Sequential([Raises()])], ids=["layer", "model"])
def test_a_backward_that_raises_fails_with_the_line_and_the_shapes(target):
    report = check(target)
    assert report.verdict == "fail"
    text = str(report)
    assert "backward raised ValueError: matmul" in text
    assert "test_gradcheck_strangers.py, in backward: return dy @ self.cache" in text
    assert "Shapes: dy (5, 3), self.cache (5, 3)" in text
    assert "No known kind of bug" not in text


def test_a_backward_that_raises_inside_of_numpy_or_of_this_package_names_the_users_line():
    class Calls(mt.Layer):
        def __init__(self):
            self.inner = mt.Dense(4)

        def forward(self, x):
            return self.inner(x)

        def backward(self, dy):
            return self.inner.backward(dy[:, :2])

    assert "in backward: return self.inner.backward(dy[:, :2])" in str(check(Calls()))


def test_a_report_in_which_nothing_was_compared_is_no_pass():
    report = check(mt.Input((3,)), np.arange(6).reshape(2, 3))
    whole = layer(lambda self, x: x.astype(int).astype(x.dtype), lambda self, dy: None)
    for one in (report, check(whole, np.arange(6).reshape(2, 3))):
        assert one.verdict != "fail"
        assert one.tensors or one.verdict == "inconclusive"
    assert "Nothing was compared" in str(check(whole, np.arange(6).reshape(2, 3)))


# Arrays that are handed over


def masks_dy_in_place(self, dy):
    dy[self.cache <= 0] = 0
    return dy


def overwrites_dy(self, dy):
    dy[...] = 1
    return 2 * self.cache * dy


def clips_dy(self, dy):
    np.clip(dy, -0.1, 0.1, out=dy)
    return 2 * self.cache * dy


def overwrites_x(self, x):
    x[x.real < 0] = 0
    self.cache = x
    return x.copy()


def relu(x):
    return np.where(x.real > 0, x, 0 * x)


WRITERS = {
    "masks dy": (keeping(relu), masks_dy_in_place),
    "overwrites dy": (keeping(lambda x: x * x), overwrites_dy),
    "clips dy": (keeping(lambda x: x * x), clips_dy),
    "overwrites x": (overwrites_x, lambda self, dy: dy * (self.cache > 0)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_overwritten_so_that_a_second_time_changes_nothing_are_found(name):
    for target in (layer(*WRITERS[name]), mt.Residual([mt.Dense(3), layer(*WRITERS[name])])):
        report = check(target)
        assert report.verdict == "fail"
        assert report.diagnosis.name == "writes into its arguments"


def test_a_model_that_writes_into_dy_is_found():
    class Net(mt.Model):
        def __init__(self, rng=None, dtype="float32"):
            super().__init__(rng, dtype)
            self.a, self.b = mt.Dense(3), mt.Dense(3)

        def forward(self, x):
            return self.a(x) + self.b(x)

        def backward(self, dy):
            dy /= len(dy)
            return self.a.backward(dy) + self.b.backward(dy)

    assert check(Net()).verdict == "fail"


# Whole numbers


class Table(mt.Layer):
    """A user's embedding: rows of a table; backward returns nothing, as the contract says."""

    def build(self, input_shape):
        self.table = self.add_parameter((7, 3))

    def forward(self, x):
        indices = self.indices(x)
        self.cache = indices
        return self.table.value[indices]

    def indices(self, x):
        return x.astype(int)

    def backward(self, dy):
        gradient = np.zeros_like(self.table.value)
        np.add.at(gradient, self.cache, dy)
        self.table.grad = gradient


class Uncast(Table):
    def indices(self, x):
        return x


class LosesRows(Table):
    def backward(self, dy):
        gradient = np.zeros_like(self.table.value)
        gradient[self.cache] += dy
        self.table.grad = gradient


@pytest.mark.parametrize("dtype", [int, float])
@pytest.mark.parametrize("table", [Table, Uncast])
def test_a_users_embedding_is_checked_without_dx(table, dtype, rng):
    x = rng.integers(0, 7, (5, 4)).astype(dtype)
    assert check(table(), x).verdict == "pass"
    wrong = type("Wrong", (LosesRows,), {"indices": table.indices})()
    assert check(wrong, x).tensors["table"].verdict == "fail"


def test_an_embedding_that_gets_random_floats_asks_for_whole_numbers():
    class Theirs:
        table = np.ones((7, 3))

        def forward(self, x):
            return self.table[x]

        def backward(self, dy):
            return None

    with pytest.raises(ValueError, match="takes x as indices"):
        check(Theirs())


def test_a_dx_that_is_not_returned_is_missed_although_x_holds_whole_numbers():
    report = check(layer(keeping(lambda x: x * x), lambda self, dy: None), np.arange(12).reshape(4, 3))
    assert report.verdict == "fail"
    assert report.diagnosis.name == "never set"

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


# Derivatives that only some inputs or another dy show


def test_what_var_and_abs_hide_from_the_complex_step_is_found():
    softsign = layer(keeping(lambda x: x / (1 + np.abs(x))), lambda self, dy: dy / (1 + np.abs(self.cache)))

    class Norm(mt.Layer):
        def forward(self, x):
            deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
            self.cache = deviation
            return (x - x.mean(-1, keepdims=True)) / deviation

        def backward(self, dy):
            return (dy - dy.mean(-1, keepdims=True)) / self.cache

    for method in ("auto", "differences"):
        assert check(softsign, (5, 4), method=method).verdict == "fail"
        assert check(Norm(), (5, 4), method=method).verdict == "fail"


@pytest.mark.parametrize("limit", [1e-6, 20, 1e6])
def test_a_clipped_gradient_is_found(limit):
    class Clipped(mt.Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            self.kernel.grad = np.clip(self.kernel.grad, -limit, limit)
            return dx

    assert check(Clipped(2)).verdict == "fail"


def test_a_region_where_the_drawn_x_does_not_fall_is_tried():
    relu6 = layer(keeping(lambda x: np.minimum(np.maximum(x, 0), 6)), lambda self, dy: dy * (self.cache > 0))
    assert check(relu6).verdict == "fail"


def test_a_layer_that_is_right_only_behind_the_layers_in_front_is_found():
    class Asleep(mt.ReLU):
        def backward(self, dy):
            return dy * 1

    report = check(mt.Sequential([mt.Dense(4), mt.Softplus(), Asleep(), mt.Dense(2)], rng=0))
    assert report.where.startswith("asleep_1 ")
    assert "It was only seen at positive inputs; alone" in report.findings[0]
    logarithm = layer(keeping(np.log), lambda self, dy: dy / self.cache)
    assert check(mt.Sequential([mt.Dense(4), mt.Softplus(), logarithm, mt.Dense(2)], rng=0)).verdict == "pass"


class Pool(mt.Layer):
    def forward(self, x):
        pairs = x.reshape(len(x), -1, 2)
        y = pairs.max(-1)
        self.cache = pairs == y[..., None]
        return y

    def backward(self, dy):
        return (self.share(self.cache) * dy[..., None]).reshape(len(dy), -1)

    def share(self, largest):
        return largest


def test_a_maximum_that_is_given_to_all_of_equal_elements_is_found():
    first = type("First", (Pool,), {"share": lambda self, m: m & (np.cumsum(m, axis=-1) == 1)})
    shares = type("Shares", (Pool,), {"share": lambda self, m: m / m.sum(axis=-1, keepdims=True)})
    assert check(first(), np.ones((3, 4))).verdict == "pass"
    assert check(shares(), np.ones((3, 4))).verdict == "pass"
    assert check(Pool(), np.ones((3, 4))).verdict == "fail"
    drawn = check(Pool(), (7, 4))
    assert drawn.verdict == "pass"
    assert "Where several values are equal, dx is too large" in str(drawn)


def test_blocks_are_probed():
    class Block(mt.Layer):
        def __init__(self):
            self.inner = mt.Dense(3)

        def forward(self, x):
            x += 1
            return x + self.inner(x)

        def backward(self, dy):
            dy += self.inner.backward(dy)
            return dy

    assert check(Block()).diagnosis.name == "writes into its arguments"


def test_differences_are_exact_where_y_does_not_move_and_noise_is_no_kink():
    square = layer(keeping(lambda x: x * np.abs(x)), lambda self, dy: dy * 3 * np.abs(self.cache))
    assert check(square).diagnosis.name == "constant factor"
    offset = layer(keeping(lambda x: 1 + 1e-9 * x * x), lambda self, dy: 1e-9 * self.cache * dy)
    report = check(offset)
    assert report.verdict == "fail"
    assert not report.kinks


# What is right


@pytest.mark.parametrize("size", [30, 100, 1e4])
@pytest.mark.parametrize("make", [lambda: mt.MultiHeadAttention(1, 2), lambda: mt.GELU(), lambda: mt.GRU(2)])
def test_the_packages_layers_are_not_accused_at_large_inputs(make, size):
    for seed in range(4):
        x = np.random.default_rng(seed).normal(size=(3, 3, 2)) * size
        assert check(make().initialize((3, 2), seed, np.float64), x, rng=seed).verdict != "fail"


def test_a_wider_dtype_is_a_remark_unless_it_is_asked_for():
    def forward(self, x):
        y = np.zeros((len(x), 5))
        y[:, :3] = x
        return y

    padding = layer(forward, lambda self, dy: dy[:, :3])
    report = check(padding)
    assert report.verdict == "pass"
    assert "For float32 inputs, y is float64" in report.findings[-1]
    strict = check(padding, strict_dtype=True)
    assert strict.verdict == "fail"
    assert strict.diagnosis.name == "wrong dtype"


def test_a_forward_that_takes_some_batch_sizes_only_is_checked_at_these():
    def forward(self, x):
        if len(x) not in (1, 5):
            raise AssertionError("batch of 5")
        self.cache = x
        return x * x

    assert check(layer(forward, lambda self, dy: 2 * self.cache * dy)).verdict == "pass"
    assert check(layer(forward, lambda self, dy: 3 * self.cache * dy)).verdict == "fail"


def test_a_square_of_similarities_is_tried_as_other_squares(rng):
    class Contrast(mt.Loss):
        def forward(self, prediction, target):
            z = prediction - np.log(np.exp(prediction).sum(axis=1, keepdims=True))
            self.cache = np.exp(z)
            return -np.diagonal(z).mean()

        def backward(self):
            p = self.cache
            return (p - np.eye(len(p), dtype=p.dtype)) / len(p)

    assert check(Contrast(), rng.normal(size=(4, 4)), np.eye(4)).verdict == "pass"


def test_a_loss_may_return_a_float(rng):
    class Squared(mt.Loss):
        def forward(self, prediction, target):
            self.cache = prediction - target
            return float((self.cache_of(prediction, target) ** 2).mean())

        def cache_of(self, prediction, target):
            return prediction - target

        def backward(self):
            return 2 * self.cache / self.cache.size

    report = check(Squared(), rng.normal(size=(4, 3)), rng.normal(size=(4, 3)))
    assert report.verdict == "pass"
    assert not report.findings


def test_a_parameter_that_forward_does_not_use_is_named():
    class Two(mt.Layer):
        def build(self, input_shape):
            self.a, self.b = (self.add_parameter((3,), lambda shape, rng: rng.normal(size=shape)) for _ in range(2))

        def forward(self, x):
            self.cache = x
            return x * self.a.value

        def backward(self, dy):
            self.a.grad, self.b.grad = (dy * self.cache).sum(axis=0), dy.sum(axis=0)
            return dy * self.a.value

    report = check(Two(), (5, 3))
    assert report.diagnosis.name == "not used in forward"
    assert "No output depends on b" in str(report)


def test_a_refuted_complex_step_is_used_in_no_setting():
    class Softsign(mt.Layer):
        def forward(self, x):
            self.cache = x
            return 1e-5 * x / (1 + np.abs(x))

        def backward(self, dy):
            return 1e-5 * dy / (1 + np.abs(self.cache)) ** 2

    assert all(check(Softsign(), (5, 3), rng=seed).verdict == "pass" for seed in range(5))


def test_only_a_complex_step_that_differences_agree_with_is_called_confirmed():
    class Far(mt.Layer):
        def forward(self, x):
            return x + self.offset

        def backward(self, dy):
            return dy

    near, far = Far(), Far()
    near.offset, far.offset = 1.0, 1e14  # beside 1e14 a small change of x is lost in rounding
    assert mt.gradcheck(near, (5, 3)).method == "complex step; finite differences agree"
    assert mt.gradcheck(far, (5, 3), raise_exception=False).method == "complex step"


# Targets


def test_soft_targets_in_float32_are_no_fault_of_a_loss_that_relies_on_their_sum():
    class SoftCrossEntropy:
        def forward(self, logits, target):
            z = logits - logits.max(axis=1, keepdims=True)
            self.p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
            self.target = target
            return -(target * np.log(self.p)).sum() / len(logits)

        def backward(self):
            return (self.p - self.target) / len(self.p)

    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(5, 4)).astype("f4"), rng.dirichlet(np.ones(4), 5).astype("f4")
    assert target.sum(1, dtype=np.float64).tolist() != [1.0] * 5
    assert check(SoftCrossEntropy(), logits, target).verdict == "pass"
    assert check(SoftCrossEntropy(), logits, 2 * target).verdict == "fail"


def test_a_sigmoid_that_overflows_in_complex_numbers_alone_is_not_accused():
    from gradcheck_benchmark.user_layers import composites

    x, _ = composites.Highway.data(np.random.default_rng([20, 0]))  # 1 / (1 + exp(-v)) is nan for a complex v of -1000
    report = mt.gradcheck(composites.Highway(), x * 1e4, rng=0, raise_exception=False)
    assert report.verdict != "fail", report

"""Plots: what is drawn, on which axes, and the messages when it cannot be."""

import sys

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import plotting
from minitorch_np.training.history import History

pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs matplotlib: pip install 'minitorch-np[plot]'")


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def test_history_is_drawn_with_its_validation():
    history = History(loss=[3.0, 2.0, 1.0], val_loss=[3.0, 2.5, 2.0])
    ax = plotting.plot_history(history)
    assert [list(line.get_ydata()) for line in ax.lines] == [[3.0, 2.0, 1.0], [3.0, 2.5, 2.0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]


def test_epochs_are_whole_and_a_single_one_is_a_dot():
    axes = [plotting.plot_history(History(loss=[0.5] * epochs, val_loss=[0.4] * epochs)) for epochs in (1, 2, 3, 200)]
    for ax in axes:
        ax.figure.canvas.draw()
        assert all(tick == int(tick) for tick in ax.get_xticks())
    assert [[line.get_marker() for line in ax.lines] for ax in axes[:2]] == [["o", "o"], ["None", "None"]]


@pytest.mark.parametrize("epochs", [30, 100, 1000, 2500])
def test_the_last_epoch_of_a_round_number_has_a_tick(epochs):
    ax = plotting.plot_history({"loss": np.geomspace(1, 0.1, epochs)})
    assert epochs in ax.get_xticks()


@pytest.mark.parametrize("wrong", [0, 1, 3, 6])
@pytest.mark.parametrize("draw", [plotting.plot_mislabeled, plotting.plot_most_wrong])
def test_the_title_is_whole_and_above_the_titles_of_the_images(rng, wrong, draw):
    truth = np.zeros(12, int)
    predicted = (np.arange(12) < wrong) * 1
    axes = draw(rng.random((12, 8, 8)), truth, predicted, ["zero", "one"], most=max(wrong, 1))
    figure = axes[0].figure
    figure.draw_without_rendering()
    title = figure._suptitle.get_window_extent()
    assert 0 <= title.x0 < title.x1 <= figure.bbox.width
    below = [ax.title.get_window_extent() for ax in axes if ax.get_title()]
    assert all(box.y1 + title.height / 5 < title.y0 for box in below)


def test_names_below_a_confusion_matrix_end_at_their_columns():
    names = ["airplane", "automobile", "bird", "cat"]
    ax = plotting.plot_confusion_matrix([0, 1, 2, 3], [0, 1, 2, 3], names)
    ax.figure.draw_without_rendering()
    for column, label in enumerate(ax.get_xticklabels()):
        box, middle = label.get_window_extent(), ax.transData.transform((column, 0))[0]
        assert abs(box.x1 - middle) < 15  # pixels; centred, the longest would reach 26 beyond


def test_a_heat_map_of_both_signs_is_white_at_zero_and_others_are_dark_there(rng):
    both, one = plotting.heat_map([[-2.0, 0.0, 1.0]]).images[0], plotting.heat_map([[2.0, 0.0, 1.0]]).images[0]
    assert (both.get_clim(), one.get_clim()) == ((-2, 2), (0, 2))
    assert min(both.to_rgba(0.0)[:3]) > 0.9 > 0.1 > max(one.to_rgba(0.0)[:3])


def test_a_heat_map_names_its_axes_and_its_scale():
    ax = plotting.heat_map(np.ones((2, 30)), xlabel="position", ylabel="head", label="weight")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("position", "head")
    assert [other.get_ylabel() for other in ax.figure.axes if other is not ax] == ["weight"]
    assert all(tick == int(tick) for tick in (*ax.get_xticks(), *ax.get_yticks()))
    assert plotting.heat_map([[1.0]]).get_xlabel()


def test_given_axes_are_used_and_returned():
    _, ax = pyplot.subplots()
    assert plotting.plot_history(History(loss=[1.0]), ax=ax) is ax
    _, axes = pyplot.subplots(1, 2)
    assert list(plotting.plot_images(np.zeros((2, 4, 4)), axes=axes)) == list(axes)
    assert len(pyplot.get_fignums()) == 2


def test_an_unknown_measure_lists_the_known_ones():
    with pytest.raises(ValueError, match="the history has loss, accuracy, got 'acc'"):
        plotting.plot_history(History(loss=[1.0], accuracy=[1.0]), "acc")


@pytest.mark.parametrize(
    "images", [np.zeros((3, 4, 4)), np.zeros((3, 4, 4, 1), np.uint8), np.full((3, 4, 4, 3), 255, np.uint8)]
)
def test_grey_and_colour_are_drawn(images):
    places = plotting.plot_images(images, ["a", "b", "c"], columns=2)
    assert [ax.get_title() for ax in places[:3]] == ["a", "b", "c"]
    assert all(np.max(ax.images[0].get_array()) <= 1 for ax in places[:3])
    places[0].figure.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 4)),), r"expected images \(n, height, width\[, 1 or 3\]\), got \(4, 4\)"),
        ((np.zeros((2, 4, 4)), ["one"]), "got 2 images, 1 titles"),
        ((np.zeros((2, 4, 4)), None, [None]), "2 images and 1 axes"),
    ],
)
def test_images_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_images(*arguments)


def test_mislabelled_images_show_prediction_and_truth(rng):
    places = plotting.plot_mislabeled(rng.uniform(size=(4, 3, 3)), [0, 1, 1, 0], [[0], [1], [0], [1]], ["dog", "cat"])
    titles = [ax.get_title() for ax in places if ax.get_title()]
    assert titles == ["predicted dog\nis cat", "predicted cat\nis dog"]
    assert places[0].figure.get_suptitle() == "2 of 4 images mislabelled"


def test_nothing_mislabelled_and_too_many_are_both_drawn(rng):
    images = rng.uniform(size=(30, 3, 3))
    plotting.plot_mislabeled(images, np.zeros(30), np.zeros(30), ["dog", "cat"])
    places = plotting.plot_mislabeled(images, np.zeros(30), np.ones(30), ["dog", "cat"], most=7)
    assert places[0].figure.get_suptitle() == "30 of 30 images mislabelled, the first 7 of them"


def test_a_confusion_matrix_shows_every_count_that_is_not_zero(rng):
    true, predicted = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    ax = plotting.plot_confusion_matrix(true, predicted, ["ant", "bee", "cat", "dog"])
    shown = {(text.get_position()[1], text.get_position()[0]): int(text.get_text()) for text in ax.texts}
    assert shown == {
        (i, j): count for i in range(4) for j in range(4) if (count := np.count_nonzero((true == i) & (predicted == j)))
    }
    assert ax.get_title() == f"{np.count_nonzero(true == predicted)} of 60 right"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ant", "bee", "cat", "dog"]
    assert plotting.plot_confusion_matrix([0, 1], [1, 1], ax=ax) is ax


def test_filters_are_the_columns_of_a_kernel(rng):
    layer = mt.Dense(5).initialize((12,), rng=1)
    places = plotting.plot_filters(layer, (4, 3), columns=5)
    for number, ax in enumerate(places):
        weights = layer.kernel.value[:, number].reshape(4, 3)
        np.testing.assert_allclose(ax.images[0].get_array(), weights / np.abs(weights).max(), rtol=1e-6)
    kernel = rng.normal(size=(3, 3, 3, 4))
    drawn = plotting.plot_filters(kernel)[2].images[0].get_array()
    np.testing.assert_allclose(drawn, kernel[..., 2] / np.abs(kernel[..., 2]).max() / 2 + 0.5)
    assert len(plotting.plot_filters(rng.normal(size=(3, 3, 1, 90)), most=7, columns=7)) == 7
    plotting.plot_filters(np.zeros((2, 2, 1, 1)))[0].figure.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((12, 5)),), r"a kernel \(12, 5\) takes 12 numbers, got image_shape=None"),
        ((np.ones((12, 5)), (5, 2)), r"takes 12 numbers, got image_shape=\(5, 2\)"),
        ((np.ones((3, 3, 16, 5)),), r"got \(3, 3, 16, 5\)\. Only a first layer's filters are images"),
        ((mt.Dense(3),), r"Dense has no kernel"),
        ((np.ones((3, 3, 1, 5)), None, [None]), "5 filters and 1 axes"),
    ],
)
def test_kernels_that_are_no_images_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_filters(*arguments)


class Sides:
    """Predicts on which side of a line points are, in one of four forms."""

    def __init__(self, form):
        self.form = form
        self.loss = {"1 logits": mt.BCEWithLogitsLoss(), "2 logits": mt.CrossEntropyLoss()}.get(form)

    def predict(self, x):
        logit = 4 * (x[:, :1] - x[:, 1:])
        columns = {1: [logit], 2: [0 * logit, logit]}[int(self.form[0])]
        scores = np.concatenate(columns, axis=1)
        if "logits" in self.form:
            return scores
        return mt.sigmoid(logit) if self.form[0] == "1" else np.concatenate([mt.sigmoid(-logit), mt.sigmoid(logit)], 1)


@pytest.mark.parametrize("form", ["1 logits", "2 logits", "1", "2"])
def test_the_boundary_is_where_both_classes_are_equally_likely(rng, form):
    x = rng.uniform(-1, 1, size=(50, 2))
    ax = plotting.plot_decision_boundary(Sides(form), x, x[:, 0] > x[:, 1], ["no", "yes"], title="sides")
    drawn = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
    np.testing.assert_allclose(drawn[:, 0], drawn[:, 1], atol=1e-6)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no", "yes"]
    assert sum(len(points.get_offsets()) for points in ax.collections[1:]) == 50
    shown = ax.images[0].get_array()
    np.testing.assert_allclose(shown[-1, 0], 1 - 0.5 * (1 - np.array([0x2F, 0x6F, 0xB0]) / 255), atol=0.01)
    ax.figure.canvas.draw()


def test_a_boundary_is_drawn_of_many_classes_and_of_a_model_that_sees_one(rng):
    class Thirds:
        def predict(self, x):
            return np.eye(12)[(np.arctan2(*x.T) // 1 + 4).astype(int)]

    x = rng.normal(size=(40, 2))
    plotting.plot_decision_boundary(Thirds(), x, rng.integers(0, 12, 40)).figure.canvas.draw()

    class Certain:
        def predict(self, x):
            return np.ones((len(x), 1))

    ax = pyplot.subplots()[1]
    assert plotting.plot_decision_boundary(Certain(), x[:1], [0], ax=ax) is ax
    with pytest.raises(ValueError, match=r"expected points \(n, 2\) and n class numbers, got \(40, 3\) and \(40,\)"):
        plotting.plot_decision_boundary(Certain(), np.ones((40, 3)), np.ones(40))


def test_the_most_wrong_come_first_with_their_probabilities(rng):
    places = plotting.plot_most_wrong(
        rng.uniform(size=(4, 3, 3)), [0, 1, 1, 0], [0.3, 0.002, 1.0, 0.8], ["dog", "cat"], most=3
    )
    assert [ax.get_title() for ax in places] == [
        "predicted dog (>99%)\nis cat (<1%)",
        "predicted cat (80%)\nis dog (20%)",
        "predicted dog (70%)\nis dog (70%)",
    ]
    assert places[0].figure.get_suptitle() == "2 of 4 wrong; the 3 with the highest loss"
    shares = rng.dirichlet(np.ones(3), size=6)
    places = plotting.plot_most_wrong(rng.uniform(size=(6, 3, 3)), np.arange(6) % 3, shares, list("abc"), columns_of(6))
    order = np.argsort(shares[np.arange(6), np.arange(6) % 3])
    assert [ax.get_title().split("is ")[1][0] for ax in places] == ["abc"[i % 3] for i in order]


def columns_of(count):
    return pyplot.subplots(1, count)[1]


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [([0.5, 0.5], "3 images, 3 true classes, 2 probabilities"), ([-3.0, 0.5, 4.0], "got -3 to 4. Bring logits")],
)
def test_what_is_no_probability_is_refused(probabilities, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_most_wrong(np.zeros((3, 4, 4)), [0, 1, 1], probabilities, ["a", "b"])


def rows(**settings):
    """The table of a search, best first; the last trial diverged."""
    many = len(next(iter(settings.values())))
    return [
        {
            "settings": {name: values[i] for name, values in settings.items()},
            "score": None if i == many - 1 else 0.9 - i / 10,
            "status": "diverged" if i == many - 1 else "stopped" if i else "finished",
        }
        for i in range(many)
    ]


def test_a_search_is_drawn_setting_by_setting():
    table = rows(
        rate=[0.001, 0.01, 0.1, 1.0], momentum=[0.01, 0.3, 0.6, 0.9], layer=["a", None, "a", [1, 2]], size=[8] * 4
    )
    places = plotting.plot_search(table, "accuracy")
    rate, momentum, layer, size = places[:4]
    assert [ax.get_xscale() for ax in (rate, momentum, layer)] == ["log", "linear", "linear"]
    assert [tick.get_text() for tick in layer.get_xticklabels()] == ["None", "[1, 2]", "a"]
    assert [tick.get_text() for tick in size.get_xticklabels()] == ["8"]
    drawn = {line.get_xdata()[0]: (line.get_ydata()[0], line.get_marker()) for line in rate.lines}
    assert drawn == {
        0.001: (0.9, "o"),
        0.01: (0.8, "o"),
        0.1: (pytest.approx(0.7), "o"),
        1.0: (pytest.approx(0.7), "x"),
    }
    places[0].figure.canvas.draw()
    with pytest.raises(ValueError, match="4 settings and 1 axes"):
        plotting.plot_search(table, "accuracy", [rate])


def test_a_search_result_draws_itself(rng):
    from minitorch_np import tuning

    def build(units):
        return mt.Sequential([mt.Input((2,)), mt.Dense(units), mt.Dense(2)]).compile(mt.SGD(0.1), mt.CrossEntropyLoss())

    x, y = rng.normal(size=(30, 2)), rng.integers(0, 2, 30)
    result = tuning.search(build, {"units": [2, 3]}, x, y, method="grid", objective="loss", workers=1)
    ax = result.plot()[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("units", "loss")


def test_without_matplotlib_the_line_to_type_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'minitorch-np\[plot\]'"):
        plotting.plot_history(History(loss=[1.0]))

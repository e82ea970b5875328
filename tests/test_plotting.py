"""Plots: what is drawn, on which axes, and what is said when it cannot be."""

import sys

import numpy as np
import pytest

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
    "pictures", [np.zeros((3, 4, 4)), np.zeros((3, 4, 4, 1), np.uint8), np.full((3, 4, 4, 3), 255, np.uint8)]
)
def test_grey_and_colour_are_drawn(pictures):
    places = plotting.plot_images(pictures, ["a", "b", "c"], columns=2)
    assert [ax.get_title() for ax in places[:3]] == ["a", "b", "c"]
    assert all(np.max(ax.images[0].get_array()) <= 1 for ax in places[:3])
    places[0].figure.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 4)),), r"expected pictures \(n, height, width\[, 1 or 3\]\), got \(4, 4\)"),
        ((np.zeros((2, 4, 4)), ["one"]), "2 pictures and 1 titles"),
        ((np.zeros((2, 4, 4)), None, [None]), "2 pictures and 1 axes"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_images(*arguments)


def test_mislabelled_pictures_show_prediction_and_truth(rng):
    places = plotting.plot_mislabeled(rng.uniform(size=(4, 3, 3)), [0, 1, 1, 0], [[0], [1], [0], [1]], ["dog", "cat"])
    titles = [ax.get_title() for ax in places if ax.get_title()]
    assert titles == ["predicted dog\nis cat", "predicted cat\nis dog"]
    assert places[0].figure.get_suptitle() == "2 of 4 pictures mislabelled"


def test_nothing_mislabelled_and_too_many_are_both_drawn(rng):
    pictures = rng.uniform(size=(30, 3, 3))
    plotting.plot_mislabeled(pictures, np.zeros(30), np.zeros(30), ["dog", "cat"])
    places = plotting.plot_mislabeled(pictures, np.zeros(30), np.ones(30), ["dog", "cat"], most=7)
    assert places[0].figure.get_suptitle() == "30 of 30 pictures mislabelled, the first 7 of them"


def test_without_matplotlib_the_line_to_type_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'minitorch-np\[plot\]'"):
        plotting.plot_history(History(loss=[1.0]))

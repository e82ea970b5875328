"""SearchResult: the trials of a search, best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import AnswersForeignNames
from minitorch_np.base.files import AnyPath, write_csv
from minitorch_np.tuning.building import Builder, checked_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.model import Model

_SHOWN = 20


class SearchResult(AnswersForeignNames):
    """The result of search.

    Attributes:
        table: a dict for each trial, best first: trial (its number), settings, score (the mean over the folds of the objective, at
            the most epochs that the trial got; None if it diverged), epochs, status ("finished", "stopped" by halving,
            "diverged"), seconds (of all its fits), and fits: dicts with fold, epochs, seed, seconds and scores.
        objective: the name of the score.
    """

    table: list[dict[str, Any]]
    objective: str

    def __init__(self, table: list[dict[str, Any]], objective: str, builder: Builder, epochs: int) -> None:
        self.table, self.objective = table, objective
        self._builder, self._epochs = builder, epochs

    @property
    def best(self) -> dict[str, Any]:
        """The settings of the best trial."""
        return self._first()["settings"]

    @property
    def best_score(self) -> float:
        return self._first()["score"]

    def refit(self, x: ArrayLike, y: ArrayLike, rng: int = 0) -> Model:
        """A new model with the best settings, trained on all of x and y for the most epochs of the search.

        Args:
            rng: the seed of the model.
        """
        x, y = checked_data(x, y, self._builder.model(self.best, rng), "SearchResult.refit")
        return self._builder.train(self.best, x, y, self._epochs, rng)

    def plot(self, axes: Sequence[Axes] | None = None) -> NDArray:
        """Draw the objective against each hyper-parameter; returns the array of matplotlib axes."""
        from minitorch_np.plotting import plot_search

        return plot_search(self.table, self.objective, axes)

    def to_csv(self, path: AnyPath) -> None:
        """Write one line per trial, best first, under a line of names."""
        write_csv(path, self._lines(), "SearchResult.to_csv")

    def _first(self) -> dict[str, Any]:
        if self.table[0]["score"] is None:
            raise RuntimeError("SearchResult: every trial diverged. Search among smaller learning rates.")
        if np.isnan(self.table[0]["score"]):
            raise RuntimeError(
                f"SearchResult: {self.objective} is NaN in every trial, so none is the best. Name another objective, or give more examples: the "
                "AUC needs both classes in every fold."
            )
        return self.table[0]

    def _lines(self) -> list[list[Any]]:
        """The names of the columns, and a line for each trial, best first."""
        columns = ("trial", "score", "epochs", "seconds", "status")
        names = ["trial", self.objective, *columns[2:], *self.table[0]["settings"]]
        return [names, *([*(row[name] for name in columns), *row["settings"].values()] for row in self.table)]

    def __repr__(self) -> str:
        cells = [[_short(cell) for cell in line] for line in self._lines()[: 1 + _SHOWN]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
        more = len(self.table) - _SHOWN
        return "\n".join(lines + ([f"… and {more} more, in result.table"] if more > 0 else []))


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)

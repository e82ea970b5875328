"""Race: trials that run in rounds, of which only the best continue to the next one."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.tuning.building import Builder
from minitorch_np.tuning.parallel import each
from minitorch_np.tuning.plan import Round, Trial
from minitorch_np.tuning.table import Fit, Table, plain

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.tuning.folds import Fold


@dataclass(frozen=True)
class Race:
    """All trials of a search, run in rounds.

    Args:
        parts: the folds. table: the fits that are done.
        measure: the name of the score. rises: whether larger values are better.
        bar: a progress bar, advanced with every fit.
    """

    builder: Builder
    x: NDArray
    y: NDArray
    parts: Sequence[Fold]
    table: Table
    measure: str
    rises: bool
    workers: int | None
    bar: Any

    def run(self, trials: Sequence[Trial], rounds: Sequence[Round]) -> list[dict[str, Any]]:
        """A row for each trial, best first.

        A round begins when the one before has ended, and equal scores are ordered by the trials' numbers, so the result does not
        depend on which fit ends first.
        """
        reached: dict[int, int] = {}
        going = list(trials)
        for most, epochs in rounds:
            going = going[:most]
            self._fit_missing(going, epochs)
            reached |= {trial.number: epochs for trial in going}
            scores = {trial.number: self._score(trial, epochs) for trial in going}
            going = sorted((t for t in going if scores[t.number] is not None), key=lambda t: self._place(t, epochs))
        ranked = sorted(trials, key=lambda trial: self._place(trial, reached[trial.number]))
        return [self._row(trial, reached[trial.number], rounds[-1].epochs) for trial in ranked]

    def _fit_missing(self, trials: Sequence[Trial], epochs: int) -> None:
        """Run the fits that are not in the table, each fold as a job of its own."""
        places = [(trial, fold) for trial in trials for fold in range(len(self.parts))]
        due = [(trial, fold) for trial, fold in places if (trial.number, epochs, fold) not in self.table]
        self.bar.update(len(places) - len(due))
        jobs = [
            (self.builder, trial.settings, self.x, self.y, self.parts[fold], epochs, trial.seeds[fold])
            for trial, fold in due
        ]
        with closing(each(attempt, jobs, self.workers)) as coming:  # type: ignore[type-var]  # it is a generator
            for position, (scores, seconds) in coming:
                trial, fold = due[position]
                settings = {name: plain(value) for name, value in trial.settings.items()}
                seed = trial.seeds[fold]
                self.table.add(Fit(trial.number, settings, fold, epochs, seed, seconds, scores))
                self.bar.update()

    def _score(self, trial: Trial, epochs: int) -> float | None:
        """The mean over the folds, or None if one of them diverged."""
        fits = [self.table.fits[trial.number, epochs, fold] for fold in range(len(self.parts))]
        values = [fit.scores[self.measure] for fit in fits if fit.scores is not None]
        return float(np.mean(values)) if len(values) == len(fits) else None

    def _place(self, trial: Trial, epochs: int) -> tuple[float, ...]:
        """The sort key, best first: more epochs, then the better score, NaN last, then the smaller number; diverged trials at the end."""
        score = self._score(trial, epochs)
        if score is None:
            return 1, 0, 0, 0, trial.number
        if math.isnan(score):
            return 0, -epochs, 1, 0, trial.number
        return 0, -epochs, 0, -score if self.rises else score, trial.number

    def _row(self, trial: Trial, reached: int, epochs: int) -> dict[str, Any]:
        fits = [fit for fit in self.table.of(trial.number) if fit.epochs <= reached]
        score = self._score(trial, reached)
        return {
            "trial": trial.number,
            "settings": trial.settings,
            "score": score,
            "epochs": reached,
            "status": "diverged" if score is None else "finished" if reached == epochs else "stopped",
            "seconds": sum(fit.seconds for fit in fits),
            "fits": [{name: getattr(fit, name) for name in Fit._fields[2:]} for fit in fits],
        }


def attempt(builder: Builder, *job: Any) -> tuple[dict[str, float] | None, float]:
    """The scores of a fit, or None if it diverged, and its seconds."""
    start = time.perf_counter()
    try:
        scores = builder.score(*job)
    except FloatingPointError:
        scores = None
    return scores, time.perf_counter() - start

"""Cross-validation: every example is held out once, and predicted by a model that was not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.randomness import seed_of, spawn
from minitorch_np.tuning.building import Builder, checked_data
from minitorch_np.tuning.folds import split_folds
from minitorch_np.tuning.parallel import checked_workers, each

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.randomness import Seed
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.model import Model
    from minitorch_np.tuning.folds import Fold


class _ByName(dict[str, float]):
    def __call__(self, axis: Any = None, dtype: Any = None, out: Any = None) -> float:
        """NumPy's np.mean(validation) and validation.mean() end here."""
        name = list(self)[-1]
        raise TypeError(
            f"there is a number for each of {', '.join(self)}: write validation.mean[{name!r}], or validation[{name!r}]."
        )


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """The result of cross_validate. validation["accuracy"] are the scores of one name, an array of one for each fold.

    Attributes:
        scores: for the loss and each metric, by name, its value on the examples held out in each fold.
        folds: for each fold the rows for training and the rows held out.
        seeds: for each fold the seed of its model.
    """

    scores: dict[str, NDArray]
    folds: list[Fold]
    seeds: list[int]

    def __getitem__(self, name: str) -> NDArray:
        if name not in self.scores:
            raise KeyError(f"{name!r} was not measured; there is {', '.join(self.scores)}")
        return self.scores[name]

    @property
    def mean(self) -> dict[str, float]:
        """The mean over the folds, by name."""
        return _ByName({name: float(values.mean()) for name, values in self.scores.items()})

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation over the folds (n - 1 in the denominator), by name."""
        return _ByName({name: float(values.std(ddof=1)) for name, values in self.scores.items()})

    def __repr__(self) -> str:
        widths = [max(12, len(name) + 2) for name in self.scores]
        lines = ["fold    " + "".join(f"{name:>{width}}" for name, width in zip(self.scores, widths, strict=True))]
        rows = {str(fold + 1): [values[fold] for values in self.scores.values()] for fold in range(len(self.folds))}
        rows |= {"mean": list(self.mean.values()), "spread": list(self.spread.values())}
        return "\n".join(
            lines
            + [
                f"{name:8}" + "".join(f"{value:{width}.4f}" for value, width in zip(row, widths, strict=True))
                for name, row in rows.items()
            ]
        )


@answers_foreign_arguments
def cross_validate(
    build: Callable[..., Model],
    x: ArrayLike,
    y: ArrayLike,
    folds: int = 5,
    *,
    epochs: int = 1,
    batch_size: int | None = 32,
    fit: Mapping[str, Any] | None = None,
    rng: Seed = 0,
    workers: int | None = 1,
) -> CrossValidation:
    """Scores of models of this kind on examples that they were not trained on: for each fold, one is trained on all the others.

    Args:
        build: a function that returns a new, compiled model: build(), or build(rng) with a seed for the model.
        x, y: arrays, one row and one target per example; for several inputs or outputs lists or dictionaries of arrays, as for fit.
            Targets that are classes (whole numbers, one-hot rows) are spread evenly over the folds; others are shuffled. Of several
            outputs, those that are classes: first those of the first one, and within each of them those of the next one.
        folds: their number.
        epochs, batch_size: as for model.fit.
        fit: more settings of model.fit: class_weight, shuffle, validation_split (of the training examples), callbacks.
        rng: a seed, from which the folds and one seed for each model are drawn.
        workers: processes to work in; None for one per core (extra `tuning`). The scores are the same bits for any number.

    Raises:
        ValueError: an argument does not fit; raised before any training. FloatingPointError: a model diverged.
    """
    who = "cross_validate"
    workers = checked_workers(workers, who)
    settings = {"epochs": epochs, "batch_size": batch_size, **(fit or {})}
    builder = Builder(who, build, settings)
    x, y = checked_data(x, y, builder.model({}, 0), who)
    fold_rng, model_rng = spawn(rng, 2)
    parts = split_folds(y, folds, fold_rng)
    seeds = [seed_of(generator) for generator in model_rng.spawn(folds)]
    builder.dry_run({}, x, y)
    jobs: list[tuple[Any, ...]] = [
        ({}, x, y, part, settings["epochs"], seed) for part, seed in zip(parts, seeds, strict=True)
    ]
    found = dict(each(builder.score, jobs, workers))
    scores = {name: np.array([found[fold][name] for fold in range(folds)]) for name in found[0]}
    return CrossValidation(scores, parts, seeds)

"""search: train models with different settings, stop bad ones early, and keep all results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.console import progress_is_visible
from minitorch_np.base.files import AnyPath
from minitorch_np.base.randomness import spawn
from minitorch_np.base.several import listed
from minitorch_np.base.validation import check_whole, is_whole
from minitorch_np.callbacks.monitor import check_mode
from minitorch_np.metrics import finding
from minitorch_np.saving.checkpoint import Checkpoint
from minitorch_np.source.source import fingerprint
from minitorch_np.tuning import spaces
from minitorch_np.tuning.building import Builder, checked_data
from minitorch_np.tuning.folds import split_folds, split_off
from minitorch_np.tuning.parallel import checked_workers
from minitorch_np.tuning.plan import Trial, plan, rounds_of
from minitorch_np.tuning.race import Race
from minitorch_np.tuning.results import SearchResult
from minitorch_np.tuning.table import OF_TRIAL, Table, checked_path, description

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.model import Model


@answers_foreign_arguments
def search(
    build: Callable[..., Model],
    space: Mapping[str, Any],
    x: ArrayLike,
    y: ArrayLike,
    trials: int | None = None,
    *,
    method: str = "random",
    folds: int | None = None,
    validation_split: float = 0.2,
    objective: str = "val_accuracy",
    mode: str = "auto",
    epochs: int = 1,
    batch_size: int | None = 32,
    fit: Mapping[str, Any] | None = None,
    halving: int | None = None,
    rng: int = 0,
    workers: int | None = None,
    table: AnyPath | None = None,
    progress: bool = True,
) -> SearchResult:
    """Train models with different settings, and compare them on examples that they were not trained on.

    Args:
        build: a function that returns a new, compiled model. Each setting goes to its argument of that name, or, where it has
            none, to model.fit (batch_size, class_weight, …); a seed goes to its argument `rng`.
        space: what to try for each setting: a list of values, or Uniform, LogUniform, Integers, Choice.
        x, y: as for cross_validate, which says how classes are spread. Do not include the test set.
        trials: the number of settings to try; None for 20, or for the whole grid.
        method: "random" draws each setting on its own; "grid" tries every combination of lists.
        folds: score each trial by cross-validation. None holds out one part instead, a share of `validation_split` of each
            class, drawn at random.
        objective: what to compare, the loss or a metric of the model, always measured on the examples held out:
            "val_accuracy" and "accuracy" are the same.
        mode: "min", "max", or "auto" for the `mode` of the metric; a function has none, so "auto" raises an error.
        epochs, batch_size: as for model.fit.
        fit: more settings of model.fit: class_weight, shuffle, validation_split (of the training examples), callbacks.
        halving: stop bad trials early: after each round only the best of every `halving` trials continue, in a round of `halving`
            times as many epochs, until the last round has `epochs`. None trains all to the end. A trial that continues starts
            again with the same seed, so that no fit depends on another: three rounds with halving=3 take 3/9 of the time of
            training all; without the restart it would be 2.3/9.
        rng: a seed, an int, for all random choices; the first trials are the same for any number of trials.
        workers: processes to work in; None for one per core (extra `tuning`). The results are the same bits for any number.
        table: a .json file that is written after every fit. The same search with the same file continues where it stopped, also
            with more trials.
        progress: show a bar, if the output is a terminal or a notebook.

    Raises:
        ValueError: an argument does not fit; raised before any training. A trial that diverges raises nothing: it is recorded as
            diverged and ranked last.

    Source: random rather than grid, Bergstra & Bengio 2012; successive halving, Jamieson & Talwalkar 2016, in the rounds of
        Hyperband's inner loop, Li et al. 2018, Algorithm 1: n eta^-i trials for R eta^(i - s) epochs.
    """
    who = "search"
    workers = checked_workers(workers, who)
    path = None if table is None else checked_path(table)
    if not is_whole(rng):
        raise ValueError(f"{who}: rng is an int, so that the same search can be run again, got {rng!r}.")
    check_mode(who, "mode", mode)
    shared = {"epochs": epochs, "batch_size": batch_size, **(fit or {})}
    choices = spaces.checked_space(space, who)
    builder = Builder(who, build, shared, choices)
    fold_rng, trial_rng = spawn(int(rng), 2)
    check_whole(who, "folds", 1 if folds is None else folds, 1)
    drawn = plan(choices, method, trials, folds or 1, trial_rng, who)
    rounds = rounds_of(len(drawn), shared["epochs"], halving, who)
    measure = objective.removeprefix("val_")
    first, models = _models_of(builder, drawn)
    x, y = checked_data(x, y, first, who)
    parts = [split_off(y, validation_split, fold_rng)] if folds is None else split_folds(y, folds, fold_rng)
    first = _dry_run(builder, drawn[0], x, y, measure)
    rises = finding.rises(objective, first.metrics, mode, who)
    about = {
        "space": description(choices), "method": method, "rng": str(rng), "folds": str(folds),
        "validation_split": str(validation_split if folds is None else None), "data": fingerprint(*listed(x), *listed(y)),
        "fit": description(shared), "halving": str(halving), "objective": measure,
    }  # fmt: skip
    kept = Table(path, about | _outline(first, path) | models)
    with _bar(progress, sum(many for many, _ in rounds) * len(parts)) as bar:
        rows = Race(builder, x, y, parts, kept, measure, rises, workers, bar).run(drawn, rounds)
    return SearchResult(rows, measure, builder, shared["epochs"])


def _models_of(builder: Builder, trials: Sequence[Trial]) -> tuple[Model, dict[str, str]]:
    """A model of the first trial, and a description of every trial's model. Raises ValueError if a trial has none."""
    models: list[Model] = []
    descriptions = {}
    for trial in trials:
        try:
            model = builder.model(trial.settings, 0)
            parts = [*(node for _, node in model.walk()), model.optimizer, model.loss, *model.metrics]
            descriptions[f"{OF_TRIAL}{trial.number}"] = description(parts)
        except (ValueError, TypeError) as error:
            raise ValueError(f"search: with {trial.settings} build fails. {error}") from error
        models = models or [model]
    return models[0], descriptions


def _dry_run(builder: Builder, trial: Trial, x: NDArray, y: NDArray, measure: str) -> Model:
    """The model of the first trial, after one evaluation. Raises ValueError if the objective is not measured."""
    first, measured = builder.dry_run(trial.settings, x, y)
    if measure not in measured:
        raise ValueError(
            f"search: the objective {measure!r} is not measured; there is {', '.join(measured)}. Write "
            f"objective={list(measured)[-1]!r}, or give compile metrics=[{measure!r}]."
        )
    return first


def _outline(model: Model, path: Path | None) -> dict[str, str]:
    """A checkpoint's description of the first trial's model: if its code changes, the search is another one."""
    if path is None:
        return {}
    checkpoint = Checkpoint(path)
    checkpoint.begin(model, {})
    return {f"{name} (of trial 0)": text for name, text in checkpoint.about.items()}


def _bar(progress: bool, total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="fit", disable=not (progress and progress_is_visible()))

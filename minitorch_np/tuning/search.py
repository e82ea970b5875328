"""Search: try settings, stop the hopeless ones early, and keep what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from minitorch_np.base.console import progress_is_seen
from minitorch_np.base.files import AnyPath
from minitorch_np.base.randomness import spawn
from minitorch_np.base.validation import is_whole
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
from minitorch_np.tuning.table import OF_TRIAL, Table, checked_path, words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.model import Model


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
    """Train models with different settings, and compare them on examples that they have not seen.

    Args:
        build: a function that returns a new, compiled model. Each setting goes to its argument of that name, or, where it has
            none, to model.fit (batch_size, class_weight, …); a seed goes to its argument `rng`.
        space: what to try for each setting: a list of values, or Uniform, LogUniform, Integers, Choice.
        x, y: arrays, one row and one target per example. Keep the test set out of them.
        trials: how many settings to try; None for 20, or for the whole grid.
        method: "random" draws each setting on its own; "grid" tries every combination of lists.
        folds: judge each trial by cross-validation. None holds one part out instead, a share of `validation_split`, drawn at
            random and of each class alike.
        objective: what to compare, the loss or a metric of the model, always measured on the examples held out:
            "val_accuracy" and "accuracy" are the same.
        mode: "min", "max", or "auto", which asks the metric of that name for its `mode`; a function has none, and is refused.
        epochs, batch_size: as for model.fit.
        fit: more settings of model.fit: class_weight, shuffle, validation_split (of the examples learnt from), callbacks.
        halving: stop hopeless trials early: after each round only the best of every `halving` trials go on, to a round of
            `halving` times as many epochs, until the last round has `epochs`. None trains all to the end. Those that go on begin
            anew, with the seed they had, so that a fit depends on no other: three rounds of 3 then cost 3/9 of the time of
            training all, and would cost 2.3/9 if they carried on.
        rng: a seed, an int, from which everything is drawn; the first trials are the same however many there are.
        workers: processes to work in; None for one per core (extra `tuning`). The results are the same bits for any number.
        table: a .json file that is written after every fit. The same search with the same file goes on where it stopped, also
            with more trials.
        progress: show a bar, if the output is a terminal or a notebook.

    Raises:
        ValueError: what does not fit, before anything is trained. A trial that diverges is recorded as such, counts as the
            worst, and does not end the search.

    Source: random rather than grid, Bergstra & Bengio 2012; successive halving, Jamieson & Talwalkar 2016, in the rounds of
        Hyperband's inner loop, Li et al. 2018, Algorithm 1: n eta^-i trials for R eta^(i - s) epochs.
    """
    who = "search"
    x, y = checked_data(x, y, who)
    workers = checked_workers(workers, who)
    if table is not None:
        checked_path(table)
    if not is_whole(rng):
        raise ValueError(f"{who}: rng is an int, so that the same search can be run again, got {rng!r}.")
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"{who}: mode is 'auto', 'min' or 'max', got {mode!r}.")
    shared = {"epochs": epochs, "batch_size": batch_size, **(fit or {})}
    choices = spaces.checked_space(space, who)
    builder = Builder(who, build, shared, choices)
    dealing, drawing = spawn(int(rng), 2)
    parts = [split_off(y, validation_split, dealing)] if folds is None else split_folds(y, folds, dealing)
    drawn = plan(choices, method, trials, len(parts), drawing, who)
    rounds = rounds_of(len(drawn), shared["epochs"], halving, who)
    measure = objective.removeprefix("val_")
    first, models = _rehearsed(builder, drawn, x, y, measure)
    rises = finding.rises(objective, first.metrics, mode, who)
    about = {
        "space": words(choices), "method": method, "rng": str(rng), "folds": str(folds),
        "validation_split": str(validation_split if folds is None else None), "data": fingerprint(x, y),
        "fit": words(shared), "halving": str(halving), "objective": measure,
    }  # fmt: skip
    kept = Table(table, about | _outline(first, table) | models)
    with _bar(progress, sum(many for many, _ in rounds) * len(parts)) as bar:
        rows = Race(builder, x, y, parts, kept, measure, rises, workers, bar).run(drawn, rounds)
    return SearchResult(rows, measure, builder, shared["epochs"])


def _rehearsed(
    builder: Builder, trials: Sequence[Trial], x: NDArray, y: NDArray, measure: str
) -> tuple[Model, dict[str, str]]:
    """The model of the first trial and every trial's in words, once the objective is known to be measured."""
    models = {}
    for trial in trials:
        try:
            model = builder.model(trial.settings, 0)
            parts = [*(node for _, node in model.walk()), model.optimizer, model.loss, *model.metrics]
            models[f"{OF_TRIAL}{trial.number}"] = words(parts)
        except (ValueError, TypeError) as error:
            raise ValueError(f"search: with {trial.settings} there is no model. {error}") from error
    first, measured = builder.rehearse(trials[0].settings, x, y)
    if measure not in measured:
        raise ValueError(
            f"search: the objective {measure!r} is not measured; there is {', '.join(measured)}. Name one of them, or give "
            f"compile metrics=[{measure!r}]."
        )
    return first, models


def _outline(model: Model, table: AnyPath | None) -> dict[str, str]:
    """The first trial's model in the words of a checkpoint: code that has changed makes another search."""
    if table is None:
        return {}
    checkpoint = Checkpoint(table)
    checkpoint.begin(model, {})
    return {f"{name} (of trial 0)": text for name, text in checkpoint.about.items()}


def _bar(progress: bool, total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="fit", disable=not (progress and progress_is_seen()))

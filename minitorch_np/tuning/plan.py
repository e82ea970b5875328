"""Plan: the trials of a search, all drawn before the first one runs, and the rounds in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minitorch_np.base.randomness import seed_of
from minitorch_np.base.validation import check_whole, is_whole
from minitorch_np.tuning import spaces

TRIALS = 20


class Trial(NamedTuple):
    """Settings to try, and the seed of the model for each fold."""

    number: int
    settings: dict[str, Any]
    seeds: list[int]


class Round(NamedTuple):
    """The number of trials in a round, and the epochs of each."""

    trials: int
    epochs: int


def plan(
    space: Mapping[str, Any], method: str, trials: int | None, folds: int, rng: np.random.Generator, who: str
) -> list[Trial]:
    """The trials in order. Each draws from its own generator, so the first ones do not depend on how many follow."""
    check_whole(who, "trials", 1 if trials is None else trials, 1)
    if method == "grid":
        settings = list(spaces.grid(space, who))
        if trials not in (None, len(settings)):
            raise ValueError(
                f"{who}: the grid has {len(settings)} combinations, got trials={trials}. Leave trials out."
            )
        generators = rng.spawn(len(settings))
    elif method == "random":
        generators = rng.spawn(trials or TRIALS)
        settings = [spaces.draw(space, generator) for generator in generators]
    else:
        raise ValueError(f"{who}: method is 'random' or 'grid', got {method!r}.")
    return [
        Trial(number, chosen, [seed_of(one) for one in generator.spawn(folds)])
        for number, (chosen, generator) in enumerate(zip(settings, generators, strict=True))
    ]


def rounds_of(trials: int, epochs: int, halving: int | None, who: str) -> list[Round]:
    """The rounds of successive halving, as many as leave at least one trial and one epoch each; without halving, one round.

    >>> rounds_of(20, 30, 3, "search")
    [Round(trials=20, epochs=3), Round(trials=6, epochs=10), Round(trials=2, epochs=30)]
    """
    check_whole(who, "epochs", epochs, 1)
    if halving is None:
        return [Round(trials, epochs)]
    if not is_whole(halving) or halving < 2:
        raise ValueError(f"{who}: halving is an int of at least 2, such as 3, or None, got {halving!r}.")
    if halving > min(trials, epochs):
        raise ValueError(
            f"{who}: halving={halving} needs at least {halving} trials and {halving} epochs to leave any out, got {trials} and "
            f"{epochs}. Give more, or halving=None."
        )
    last = 0
    while halving ** (last + 1) <= min(trials, epochs):
        last += 1
    return [Round(trials // halving**i, epochs // halving ** (last - i)) for i in range(last + 1)]

"""The random generators of a model: one seed gives an independent stream for each use."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

Seed: TypeAlias = "int | np.random.Generator | None"  # a string, so that numpy.random is not loaded yet


class Streams(NamedTuple):
    """Three generators of one seed. Using one does not change the others."""

    initialization: np.random.Generator
    shuffling: np.random.Generator
    noise: np.random.Generator


def streams(rng: Seed) -> Streams:
    """The streams of a seed (the same ones every time), of a Generator (new ones every time) or of None (unseeded)."""
    return Streams(*spawn(rng, 3))


def spawn(rng: Seed, count: int) -> list[np.random.Generator]:
    """Independent generators; the same ones for the same int, new ones each time from a Generator or from None.

    Source: NumPy's SeedSequence.spawn; children are independent with overwhelming probability.
    """
    if isinstance(rng, bool) or not (rng is None or isinstance(rng, (int, np.integer, np.random.Generator))):
        raise ValueError(f"rng: expected an int of at least 0, a numpy Generator or None, got {rng!r}.")
    if isinstance(rng, (int, np.integer)) and rng < 0:
        raise ValueError(f"rng: a seed is an int of at least 0, got {rng}.")
    return np.random.default_rng(rng).spawn(count)


def seed_of(generator: np.random.Generator) -> int:
    """A random int from the generator, to use and to record as a seed."""
    return int(generator.integers(2**32))

"""The layers and losses of this folder as cases of the benchmark."""

from __future__ import annotations

from ..catalogue import Case
from . import activations, attention, composites, convolutions, embeddings, losses, normalisations, recurrent
from .base import variants

FAMILIES = (normalisations, convolutions, recurrent, attention, activations, losses, composites, embeddings)
CLASSES = [cls for family in FAMILIES for cls in family.CLASSES]


def _case(cls: type, bug: str | None, variant: type) -> Case:
    return Case(cls.__name__, bug or "", variant, cls.shape[1:], (), lambda shape, rng: cls.data(rng), cls)


RIGHT = [_case(cls, None, cls) for cls in CLASSES]
WRONG = [_case(cls, bug, variant) for cls in CLASSES for bug, _, variant in variants(cls) if bug is not None]

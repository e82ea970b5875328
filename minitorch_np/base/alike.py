"""Alike: what to write for a name of the package that has no answer. Loaded when such a name is read."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import numpy as np

from minitorch_np.base.answers import table
from minitorch_np.base.text import plain_name

_NONE_OF = {
    "layers": "There is no such layer. docs/a_layer_of_your_own.md shows how to write one, with forward and backward.",
    "losses": "There is no such loss. A function of prediction and target is a loss too, see docs/losses_and_metrics.md.",
    "metrics": "There is no such metric. A function of prediction and target is a metric too, see docs/losses_and_metrics.md.",
    "optimizers": "There is no such optimizer. A subclass of mt.Optimizer is one.",
    "callbacks": "There is no such callback. A subclass of mt.Callback is one.",
    "initializers": "There is no such initializer. A subclass of mt.initializers.Initializer is one.",
    "regularizers": "There is no such regularizer. A subclass of mt.Regularizer is one.",
    "constraints": "There is no such constraint. A subclass of mt.constraints.Constraint is one.",
    "schedules": "There is no such schedule. A function of the step that returns the rate is one: mt.SGD(lambda step: …).",
    "of estimators": "scikit-learn's own takes scikit-learn's estimators. Where it takes predictions too, give it model.predict_classes(x).",
    "of scikit-learn": "scikit-learn's own takes the same arrays.",
}
# In the package itself the name tells what it would be.
_KINDS = {
    "losses": re.compile("Loss$|entropy$|_loss$"),
    "of estimators": re.compile("_importance$|Display$|CV$"),
    "of scikit-learn": re.compile(
        "_score$|_curve$|Split$|Fold$|Encoder$|Scaler$|[a-z]Transformer$|_error$|_distances$|_scale$|_transform$|inarize$|_corrcoef$"
    ),
    "layers": re.compile("Conv|Pool|Pad|Norm|Drop|Crop|Sampling|Attention|Cell$|^Random|Layer|Transformer|[Ss]hrink"),
    "schedules": re.compile("LR$|Decay$|Schedule"),
    "optimizers": re.compile("Adam|SGD|Optimizer"),
}
_DIGITS = re.compile("[0-9]")
_SUFFIXES = ("", "loss", "optimizer", "initializer", "layer")
_NONE = "docs/layers.md lists the layers, docs/a_layer_of_your_own.md and docs/losses_and_metrics.md show how to write what is missing."


def line_for_alike(module: str, name: str) -> str:
    """What is spelled alike, such as mt.metrics.AUC for mt.AUC and mt.GELU for mt.gelu; else where to read on; or ""."""
    public, plain = dict(_public_names()), plain_name(name)
    known = {plain_name(inner): path for path, inner in reversed(public.items())}
    for suffix in _SUFFIXES:
        if found := known.get(plain + suffix) or known.get(plain.removesuffix(suffix)):
            return f"Write mt.{found}."
    rows = {plain_name(row): answer for row, answer in reversed(table().items()) if row.startswith("mt.")}
    for suffix in _SUFFIXES:
        if answer := rows.get(f"mt.{plain}{suffix}"):
            return answer
    for part in ("linalg", "fft"):
        if callable(getattr(getattr(np, part), name, None)):
            return f"Arrays are NumPy's: write np.{part}.{name}."
    for near in get_close_matches(name, public.values(), 3, 0.8):
        # Conv2D is not meant by Conv4D, nor Sigmoid by LogSigmoid
        if _DIGITS.findall(near) == _DIGITS.findall(name) and abs(len(near) - len(name)) < 3:
            return f"Did you mean mt.{known[plain_name(near)]}?"
    part = module.rpartition(".")[2]
    of_name = next((kind for kind, words in _KINDS.items() if words.search(name)), "")
    kind = of_name if part == "metrics" and of_name.startswith("of ") else part if part in _NONE_OF else of_name
    return _NONE_OF.get(kind) or (_NONE if name[0].isupper() else "")


def _public_names() -> Iterator[tuple[str, str]]:
    """Path and name of everything public: ("Dense", "Dense"), ("metrics.AUC", "AUC"), …"""
    package: Any = sys.modules["minitorch_np"]
    for name in package.__all__:
        yield name, name
        if name.islower() and hasattr(found := getattr(package, name), "__all__"):
            yield from ((f"{name}.{inner}", inner) for inner in found.__all__ if inner not in package.__all__)

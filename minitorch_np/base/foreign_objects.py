"""Objects of other frameworks, classes and text that are given where an object of this package is expected."""

from __future__ import annotations

from typing import Any

from minitorch_np.base.answers import table
from minitorch_np.base.module_names import is_public, line_for_name
from minitorch_np.base.text import of_class

_FRAMEWORKS = {
    "torch": "PyTorch", "torchvision": "torchvision", "torchmetrics": "torchmetrics", "keras": "Keras", "tf_keras": "Keras",
    "tensorflow": "TensorFlow", "sklearn": "scikit-learn", "jax": "JAX", "flax": "Flax", "optax": "Optax",
}  # fmt: skip
_PACKAGES = ("metrics", "callbacks", "initializers", "constraints", "schedules")


def instead_of(given: Any) -> str:
    """What to write in place of text, a class or an object of another framework, to end a message with; "" for anything else."""
    if isinstance(given, str):
        return f" {table()[repr(given.lower())]}" if repr(given.lower()) in table() else ""
    return of_framework(given) or of_class(given)


def of_framework(given: Any) -> str:
    """What to write in place of an object or a class of another framework, to end a message with; "" for anything else."""
    kind = given if isinstance(given, type) else type(given)
    owner = _FRAMEWORKS.get((kind.__module__ or "").partition(".")[0])
    if owner is None:
        return ""
    name = kind.__name__
    paths = [name] if is_public([name]) or line_for_name(name) else [f"{package}.{name}" for package in _PACKAGES]
    found = next((f"Write mt.{path}, with its arguments." for path in paths if is_public(path.split("."))), "")
    return f" It is {owner}'s {name}. {found or line_for_name(name) or 'Write one of this package, or your own.'}"

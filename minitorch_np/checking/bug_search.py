"""Naming: which bug explains a wrong gradient of one part."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.anatomy import WithLoss
from minitorch_np.checking.diagnosis import Diagnosis, diagnose
from minitorch_np.checking.evidence import Evidence, factor, gradient_of, same
from minitorch_np.checking.numbers import Comparison
from minitorch_np.checking.probes import leak
from minitorch_np.checking.subject import LossLayer, State, Subject, other_inputs
from minitorch_np.checking.truth import Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ELEMENTS = 6_000  # of the largest tensor that is looked at whole
_JACOBIAN = 4_000_000  # numbers in the largest Jacobian that is asked for

# A probe that explains wrong numbers stands before the numbers' own explanation, the vague ones after it.
TELLING = {
    "accumulates", "stale cache", "draws anew in backward", "ignores the upstream gradient", "never set",
    "writes into its arguments",
}  # fmt: skip
_EVEN_IF_NOT_LINEAR = {"extra term", "lost precision", "wrong mask"}
_VAGUE = ("not linear in the upstream gradient", "wrong elements", "wrong dtype")


def rank(diagnosis: Diagnosis) -> int:
    return -1 if diagnosis.name in TELLING else 1 + _VAGUE.index(diagnosis.name) if diagnosis.name in _VAGUE else 0


class Naming:
    """The search for the bug in one part, at the point and with the upstream gradient of one comparison."""

    def __init__(self, part: Any, comparison: Comparison) -> None:
        self.part, self.comparison, self.subject = part, comparison, comparison.subject

    def diagnose(self, name: str, *, linear: bool) -> Diagnosis | None:
        """The bug in one tensor's gradient, if it can be told.

        Args:
            linear: whether the gradient follows dy; if not, factors and the like have no meaning.
        """
        subject, comparison, dy = self.subject, self.comparison, self.comparison.dy
        given = comparison.gradients.get(name)
        if given is None:
            return Diagnosis(
                "never set", name, f"{gradient_of(name)} is None.", f"Set {gradient_of(name)} in backward."
            )
        value = comparison.values[name]
        if not affordable(comparison, name):
            return self._on_a_smaller_copy(name)
        whole = comparison.elements(name) if np.shape(given) == value.shape else None
        jacobian = whole.jacobian if whole is not None else comparison.slopes(name, list(np.ndindex(value.shape)))[0]
        true = (jacobian @ dy.ravel()).reshape(value.shape)
        if np.shape(given) != value.shape:
            return _wrong_shape(name, np.asarray(given), true, len(subject.x))
        if np.isnan(given).any():
            if np.isnan(given).all():
                return Diagnosis(
                    "never set", name, f"{gradient_of(name)} is what stood there before.", "Set it in backward."
                )
            return Diagnosis(
                "wrong elements", name, "Some elements are NaN or were never written.", "Write every element."
            )
        if name == "x" and linear and (leaking := leak(subject, dy)) is not None:
            return leaking
        found = diagnose(self._evidence(name, jacobian), lambda: self._factor_elsewhere(name))
        if found is None or rank(found) > 0:
            found = self._with_other_parameters(name) or found
        return found if linear or found is None or found.name in _EVEN_IF_NOT_LINEAR else None

    def _with_other_parameters(self, name: str) -> Diagnosis | None:
        """Whether the gradient is right for the layer with one parameter left out or transposed, or is another parameter's."""
        subject, dy = self.subject, self.comparison.dy
        given = np.asarray(subject.gradients(dy)[name], float)
        if not np.isfinite(given).all():
            return None
        for other, value in subject.at.items():
            if other == name:
                continue
            variants = {"ones": np.ones_like(value)}
            if value.ndim == 2 and value.shape[0] == value.shape[1]:
                variants["transposed"] = value.T.copy()
            for kind, variant in variants.items():
                subject.put_back()
                changed = copy.deepcopy(subject)
                changed.at[other] = variant
                changed.trainable[other].replace(variant)
                changed.state = State(changed.layer)
                slopes = Comparison(changed, Truth(changed, self.part.rng, self.part.method), dy, {}).slopes(
                    name, list(np.ndindex(given.shape))
                )[0]
                if factor(given, (slopes @ dy.ravel()).reshape(given.shape)) is None:
                    continue
                if kind == "ones":
                    seen = f"It would be right if {other} were all ones: {other} is left out."
                    return Diagnosis("factor per row or column", name, seen, f"Multiply by {other} where forward does.")
                seen = f"It would be right with {other} transposed."
                return Diagnosis("Jacobian transposed", name, seen, f"Multiply dy by {other}.T.")
            if value.shape == given.shape:
                slopes = self.comparison.slopes(other, list(np.ndindex(value.shape)))[0]
                if same(given, (slopes @ dy.ravel()).reshape(value.shape)):
                    seen = f"It is the gradient of {other}."
                    return Diagnosis("wrong operand", name, seen, "Exchange the two.")
        return None

    def _evidence(self, name: str, jacobian: NDArray) -> tuple[Evidence, Evidence]:
        """What backward says to two upstream gradients; for a loss, which has none, at two predictions."""
        subject, dy = self.subject, self.comparison.dy
        if not isinstance(self.part.layer, (LossLayer, WithLoss)):
            other = self.part.rng.normal(size=dy.shape)
            return self._one(subject, name, jacobian, dy), self._one(subject, name, jacobian, other)
        subject.put_back()
        second = Subject(subject.layer, other_inputs(subject.x, self.part.rng), training=subject.training)
        comparison = Comparison(second, Truth(second, self.part.rng, self.part.method), dy, {})
        slopes = comparison.slopes(name, list(np.ndindex(second.values()[name].shape)))[0]
        return self._one(subject, name, jacobian, dy), self._one(second, name, slopes, dy)

    def _one(self, subject: Subject, name: str, jacobian: NDArray, dy: NDArray) -> Evidence:
        gradients = subject.gradients(dy)
        others = {other: parameter.value for other, parameter in subject.trainable.items()}
        if isinstance(self.part.layer, LossLayer):
            others["target"] = _as_rows(np.asarray(self.part.layer.target), subject.x.shape)
        value = subject.values()[name]
        return Evidence(
            name,
            np.array(gradients[name], float),
            (jacobian @ dy.ravel()).reshape(value.shape),
            dy,
            np.asarray(subject.x, float),
            np.asarray(subject.forward()),
            value,
            jacobian,
            others,
        )

    def _factor_elsewhere(self, name: str) -> tuple[int, float | None]:
        count = 7 if len(self.subject.x) != 7 else 11
        try:
            other = self.part.resized(count)
            y = np.asarray(other.forward())
            dy = self.part.rng.normal(size=y.shape)
            comparison = Comparison(other, Truth(other, self.part.rng, self.part.method), dy, other.gradients(dy))
            result = comparison.elements(name)
            return count, factor(np.asarray(result.backward, float), result.true)
        except (ValueError, FloatingPointError, KeyError, TypeError):
            return count, None

    def _on_a_smaller_copy(self, name: str) -> Diagnosis | None:
        """The same class with the same arguments on fewer features, if it can be made so and has the same fault."""
        shape = tuple(size if size <= 8 else 7 for size in self.part.x.shape[1:])
        try:
            smaller = self.part.layer.clone().initialize(shape, 0, np.float64)
            x = self.part.rng.normal(size=(5, *shape))
            report = type(self.part)(smaller, x, "all", self.part.method, self.part.rng).check(thorough=True)
        except (ValueError, TypeError, RuntimeError, FloatingPointError, IndexError):
            return None
        return next((d for d in report.diagnoses if d.tensor == name), None)


def _as_rows(target: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Class numbers as one-hot rows, where the prediction has a column for each class."""
    if target.dtype.kind in "iu" and target.ndim == len(shape) - 1:
        return np.eye(shape[-1])[target]
    return np.asarray(target, float)


def _wrong_shape(name: str, given: NDArray, true: NDArray, batch: int) -> Diagnosis:
    what = gradient_of(name)
    seen = f"{what} has shape {given.shape}, expected {true.shape}."
    if given.ndim == true.ndim + 1 and given.shape[1:] == true.shape and given.shape[0] == batch != 1:
        return Diagnosis("not summed over the batch", name, seen, f"Sum {what} over axis 0.")
    if given.ndim == true.ndim and given.T.shape == true.shape:
        return Diagnosis("transposed", name, seen, "Swap the axes.")
    change = "A gradient has the shape of its value; keepdims=True leaves an axis too many."
    return Diagnosis("wrong shape", name, seen, change)


def affordable(comparison: Comparison, name: str) -> bool:
    size = comparison.values[name].size
    return size * max(1, comparison.y.size) <= _JACOBIAN and size <= _ELEMENTS

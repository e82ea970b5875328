"""BugSearch: the bug that explains a wrong gradient of one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.diagnosis import VAGUE, Diagnosis, diagnose
from minitorch_np.checking.evidence import Evidence, factor, gradient_of
from minitorch_np.checking.losses import LossLayer, ModelWithLoss
from minitorch_np.checking.probes import leak, never_set
from minitorch_np.checking.subject import other_inputs

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.comparison import Comparison
    from minitorch_np.checking.layer_check import LayerCheck
    from minitorch_np.checking.subject import Subject

_ELEMENTS = 6_000  # the most elements of a tensor whose Jacobian is computed
_JACOBIAN = 4_000_000  # the most numbers in a Jacobian

# A probe with one of these names explains the wrong numbers, and comes before what the numbers themselves suggest.
CONCLUSIVE = {
    "accumulates", "stale cache", "draws anew in backward", "ignores the upstream gradient", "never set",
    "writes into its arguments", "memory that was never set",
}  # fmt: skip
_EVEN_IF_NOT_LINEAR = {"extra term", "lost precision", "wrong mask"}


def rank(diagnosis: Diagnosis) -> int:
    """The order in the report: conclusive ones first, vague ones last."""
    if diagnosis.name in CONCLUSIVE:
        return -1
    return 1 + VAGUE.index(diagnosis.name) if diagnosis.vague else 0


class BugSearch:
    """The search for the bug in one layer, at the point and with the upstream gradient of one comparison."""

    def __init__(self, check: LayerCheck, comparison: Comparison) -> None:
        self.check, self.comparison, self.subject = check, comparison, comparison.subject

    def diagnose(self, name: str, *, linear: bool) -> Diagnosis | None:
        """The bug in one tensor's gradient, or None.

        Args:
            linear: whether the gradient is linear in dy; if not, factors and the like have no meaning.
        """
        comparison, what = self.comparison, gradient_of(name)
        if comparison.gradients.get(name) is None:
            return never_set(name, f"{what} is None.")
        if not affordable(comparison, name):
            return self._on_a_smaller_copy(name)
        given = np.asarray(comparison.gradients[name])
        shape = comparison.values[name].shape
        if given.shape != shape:
            return _wrong_shape(name, given.shape, shape, len(self.subject.x))
        if np.isnan(given).all():
            return never_set(name, f"backward leaves {what} as it was.")
        if np.isnan(given).any():
            text = "Some elements are NaN or were never written."
            return Diagnosis("wrong elements", name, text, "Write every element.")
        if name == "x" and linear and (leaking := leak(self.subject, comparison.dy)) is not None:
            return leaking
        if name != "x" and not self.comparison.jacobian(name).any():
            text = f"No output depends on {name}, but it gets a gradient."
            return Diagnosis(
                "not used in forward", name, text, f"Use {name} in forward: perhaps another one is there twice."
            )
        found = diagnose(self._evidence(name), lambda: self._factor_elsewhere(name))
        return found if linear or found is None or found.name in _EVEN_IF_NOT_LINEAR else None

    def _evidence(self, name: str) -> tuple[Evidence, Evidence]:
        """The gradients for two upstream gradients; those of a loss, which has none, at two predictions."""
        subject, dy = self.subject, self.comparison.dy
        jacobian = self.comparison.jacobian(name)
        if not isinstance(self.check.layer, (LossLayer, ModelWithLoss)):
            other = self.check.rng.normal(size=dy.shape)
            return self._at(subject, name, jacobian, dy), self._at(subject, name, jacobian, other)
        second = subject.again(other_inputs(subject.x, self.check.rng))
        slopes = self.check.compare(second, dy, {}).jacobian(name)
        return self._at(subject, name, jacobian, dy), self._at(second, name, slopes, dy)

    def _at(self, subject: Subject, name: str, jacobian: NDArray, dy: NDArray) -> Evidence:
        given = np.array(subject.gradients(dy)[name], float)
        value = subject.values()[name]
        return Evidence(
            name=name,
            given=given,
            true=(jacobian @ dy.ravel()).reshape(value.shape),
            dy=dy,
            x=np.asarray(subject.x, float),
            y=np.asarray(subject.forward()),
            value=value,
            jacobian=jacobian,
        )

    def _factor_elsewhere(self, name: str) -> tuple[int, float | None]:
        """Another batch size, and the factor of the gradient there, if it is one."""
        count = 7 if len(self.subject.x) != 7 else 11
        try:
            other = self.check.settings.resized(count)
            dy = self.check.rng.normal(size=np.shape(other.forward()))
            result = self.check.compare(other, dy).elements(name)
            return count, factor(np.asarray(result.backward, float), result.true)
        except Exception:  # whatever is raised, there is no factor for that batch
            return count, None

    def _on_a_smaller_copy(self, name: str) -> Diagnosis | None:
        """The diagnosis for the same class and arguments on fewer features, if that can be built and has the same fault."""
        check = self.check
        shape = tuple(size if size <= 8 else 7 for size in check.x.shape[1:])
        try:
            smaller = check.layer.clone().initialize(shape, 0, np.float64)
            x = check.rng.normal(size=(5, *shape))
            report = type(check)(smaller, x, "all", check.method, check.rng).run(thorough=True)
        except (ValueError, TypeError, RuntimeError, FloatingPointError, IndexError):
            return None
        return next((d for d in report.diagnoses if d.tensor == name), None)


def _wrong_shape(name: str, given: tuple[int, ...], expected: tuple[int, ...], batch: int) -> Diagnosis:
    what = gradient_of(name)
    text = f"{what} has shape {given}, expected {expected}."
    if given == (batch, *expected) and batch != 1:
        return Diagnosis("not summed over the batch", name, text, f"Sum {what} over axis 0.")
    if given[::-1] == expected:
        return Diagnosis("transposed", name, text, "Swap the axes.")
    change = "A gradient has the shape of its value; keepdims=True leaves an extra axis."
    return Diagnosis("wrong shape", name, text, change)


def affordable(comparison: Comparison, name: str) -> bool:
    """Whether the Jacobian of the tensor is small enough to be computed."""
    size = comparison.values[name].size
    return size * max(1, comparison.y.size) <= _JACOBIAN and size <= _ELEMENTS

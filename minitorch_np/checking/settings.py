"""Settings: one layer in the situations in which it is checked: other parameters, batch sizes, modes, memory layouts, inputs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.adapting import Foreign
from minitorch_np.checking.inputs import other_inputs_of
from minitorch_np.checking.losses import LossLayer, ModelWithLoss
from minitorch_np.checking.subject import Subject, other_inputs, trainable
from minitorch_np.checking.truth import rms

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer

SIZE_1 = "for x and parameters of size 1"
_FOR_TRAINING = (
    "After a forward in inference mode, backward still belongs to the last forward in training mode, or finds nothing. "
    "That is right where it is never called then."
)


class Settings:
    """The subjects of one layer and its x, each with the description of its setting.

    Attributes:
        elsewhere: the settings so far whose inputs are others than x.
        sizes: the settings of ordinary size, with the size of x.
        remarks: why a setting was left out.
    """

    sizes: Mapping[str, float] = {SIZE_1: 1.0, "for x of size 0.001 and parameters of size 1": 1e-3}

    def __init__(self, layer: Layer, x: NDArray, rng: np.random.Generator) -> None:
        self.layer, self.x, self.rng = layer, x, rng
        self.elsewhere: set[str] = set()
        self.remarks: list[str] = []

    def all(self, *, elsewhere: bool) -> Iterator[tuple[str, Subject]]:
        """The same layer with other parameters, batch sizes, modes, memory layouts and, if elsewhere, inputs."""
        yield "", self._subject(self.x)
        if any(parameter.size and not np.ptp(parameter.value) for parameter in trainable(self.layer).values()):
            yield "with the parameters as they are", Subject(self.layer, self.x)
        yield from self._other_batches()
        if any(node.training for _, node in self.layer.walk()):
            subject = self._subject(self.x, training=False)
            if isinstance(self.layer, Foreign) and self._is_for_training_alone(subject):
                self.remarks.append(_FOR_TRAINING)
            else:
                yield "in inference mode", subject
        if self.x.ndim > 1:
            subject = self._subject(self.x)
            subject.x = np.asfortranarray(subject.x)
            yield "for x in another memory layout", subject
        if elsewhere:
            yield from self._other_inputs()

    def _other_batches(self) -> Iterator[tuple[str, Subject]]:
        if not self.x.ndim or not len(self.x):
            return
        square = self.x.ndim > 1 and len(self.x) == self.x.shape[1] and self._is_one_matrix()
        for count in (7 if len(self.x) != 7 else 11, 1):
            try:
                subject = self.resized(count, square=square)
                subject.forward()
            except Exception:
                continue  # whatever forward raises, it does not take that batch
            yield f"for a batch of {count}", subject

    def _is_for_training_alone(self, subject: Subject) -> bool:
        """Whether backward, after a forward in inference mode, still takes what the last forward in training kept."""
        layer, gradients, trains = copy.deepcopy(subject.layer), [], False
        dy = np.random.default_rng(3).normal(size=np.shape(subject.forward()))
        try:
            for seed in (1, 2):
                layer.training = True
                layer.forward(other_inputs(subject.x, np.random.default_rng(seed)))
                layer.backward(dy.copy())
                layer.forward(other_inputs(subject.x, np.random.default_rng(seed)))
                layer.training, trains = False, True
                layer.forward(subject.x.copy())
                found = [layer.backward(dy.copy()), *(p.grad for p in trainable(layer).values())]
                gradients.append([np.array(one) for one in found if isinstance(one, np.ndarray)])
        except Exception:  # it finds nothing kept then; what fails in training, the check itself reports
            return trains
        return any(
            a.shape == b.shape and not np.allclose(a, b, rtol=1e-6, atol=0) for a, b in zip(*gradients, strict=False)
        )

    def _is_one_matrix(self) -> bool:
        """Whether the rows of a square x are no examples of their own: in another order they give another result."""
        order = np.roll(np.arange(len(self.x)), 1)
        try:
            y = np.array(self._subject(self.x, training=False).forward())
            jitter = np.random.default_rng(7)
            turned = Subject(self._with_targets(order), self.x[order], training=False, jitter=jitter)
            rolled = np.array(turned.forward())
        except Exception:
            return False
        if y.shape != rolled.shape:
            return False
        if y.ndim and len(y) != len(order):  # such as a pool of one image
            return True
        return not np.allclose(y[order] if y.ndim else y, rolled, rtol=1e-9, atol=0)

    def _other_inputs(self) -> Iterator[tuple[str, Subject]]:
        for setting, x in other_inputs_of(self.x, self.rng):
            try:
                subject = self._subject(x)
                finite = np.isfinite(subject.forward()).all()
            except Exception:
                continue  # no layer has to take every input
            if finite:
                self.elsewhere.add(setting)
                yield setting, subject

    def ordinary(self, setting: str = SIZE_1) -> Subject | None:
        """The layer with x and parameters divided by their size if it is above 1, and x times the size of the setting.

        Saturated units are not saturated there. None if that is the layer as it is, or if forward refuses such inputs.
        """
        size = self.sizes[setting]
        subject = self._subject(self.x)
        x = self.x
        if x.dtype.kind == "f" and not (self.of_loss() and (np.abs(x) <= 1).all()):  # these may be probabilities
            x = _of_size_1(x)
            x = x if size == 1 else size * x
        ordinary = {name: _of_size_1(value) for name, value in subject.at.items()}
        if x is self.x and all(ordinary[name] is value for name, value in subject.at.items()):
            return None
        try:
            subject = self._subject(x)
            subject.set_parameters(ordinary)
            finite = np.isfinite(subject.forward()).all()
        except Exception:
            return None  # no layer has to take every input
        return subject if finite else None

    def _subject(self, x: NDArray, *, training: bool = True) -> Subject:
        return Subject(self.layer, x, training=training, jitter=np.random.default_rng(7))

    def resized(self, count: int, *, square: bool = False) -> Subject:
        """The layer on another number of examples; of a square matrix, on as many rows as columns."""
        chosen = np.arange(count) % len(self.x) if count > 1 else np.array([0])
        layer, x = self._with_targets(chosen, square=square), self.x[chosen]
        if square:
            x = x[:, chosen]
        if count > len(self.x) and x.dtype.kind == "f" and not self.of_loss():
            x = x * (1 - 0.1 * self.rng.uniform(size=x.shape))
        return Subject(layer, x, jitter=np.random.default_rng(7))

    def _with_targets(self, chosen: NDArray, *, square: bool = False) -> Layer:
        """A copy of the layer; of a loss, with these rows of its target."""
        layer = copy.deepcopy(self.layer)
        for holder in (layer, getattr(layer, "loss", None)):
            if isinstance(holder, LossLayer):
                target = np.asarray(holder.target)
                columns = square and target.ndim > 1 and target.shape[1] == len(self.x)
                holder.target = target[chosen][:, chosen] if columns else target[chosen]
        return layer

    def of_loss(self) -> bool:
        return isinstance(self.layer, (LossLayer, ModelWithLoss))


def _of_size_1(value: NDArray) -> NDArray:
    """The value divided by its root mean square, or, if that is at most 1, the value itself."""
    size = rms(value)
    return value / size if size > 1 else value

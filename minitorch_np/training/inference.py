"""Inference: what a model does with many examples, batch by batch, without learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.training.defaults import LARGE_BATCH_SIZE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.callbacks.callback import Callback
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model
    from minitorch_np.training.scores import Scores
else:
    Layer = object  # Model, which has these methods, is a Layer


class Inference(Layer):
    """The methods of Model that evaluate and predict."""

    @answers_foreign_arguments
    def evaluate(
        self,
        x: Any,
        y: ArrayLike | None = None,
        *,
        batch_size: int | None = LARGE_BATCH_SIZE,
        sample_weight: ArrayLike | None = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Scores:
        """Loss and metrics in inference mode, as a named tuple such as `Scores(loss=0.1, accuracy=0.9)`; x is as for fit.

        `sample_weight` weighs the loss, as in fit; metrics ignore it. `steps` is the number of batches to take from an iterable or generator, None for all; data that never end need a number.
        """
        from minitorch_np.training.evaluation import evaluate

        cast("Model", self)._require_compiled("evaluate")
        return evaluate(cast("Model", self), x, y, batch_size, steps, callbacks, sample_weight)

    @answers_foreign_arguments
    def predict(
        self,
        x: Any,
        *,
        batch_size: int | None = LARGE_BATCH_SIZE,
        steps: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> NDArray:
        """The outputs for x in inference mode, computed batch by batch; no activations are kept. x is as for fit, `steps` as for
        evaluate.
        """
        from minitorch_np.training.evaluation import predict

        return predict(cast("Model", self), x, batch_size, steps, callbacks)

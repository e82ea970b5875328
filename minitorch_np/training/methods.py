"""Methods of a model beside compile, fit, evaluate and predict: a step by hand, looking inside, and answers in place of scores."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NoReturn, cast

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.training.calls import Calls
from minitorch_np.training.defaults import LARGE_BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model
    from minitorch_np.training.class_weights import ClassWeight
    from minitorch_np.training.plan import Plan


class Methods(Calls):
    """Methods of Model. What they do is in by_hand.py, inside.py and answers.py, which are loaded when they are first needed."""

    # A step by hand

    _plan: Plan | None = None  # of train_on_batch

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: a copy makes its own plan, and has the optimiser's state of this network."""
        state: dict[str, Any] = super().__getstate__()
        state.pop("_plan", None)
        if (optimizer := state.get("optimizer")) is not None and optimizer._others and self.built:
            with optimizer.of(self.parameters()):
                state["optimizer"] = copy.copy(optimizer)
        return state

    @answers_foreign_arguments
    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> float:
        """One step of fit on this batch: forward in training mode, loss, backward, and one step of the optimiser.

        The arguments are those of fit; weights may also be negative, such as the advantages of a policy gradient. Metrics and callbacks
        have no part in it.

        Returns:
            The loss before the step, penalties included, as in the history of fit.

        Raises:
            ValueError: the data do not fit, or no parameter is trainable.
            FloatingPointError: the loss is not finite; the message names the layer. The step is not taken.
        """
        from minitorch_np.training.by_hand import train_on_batch

        return train_on_batch(cast("Model", self), x, y, sample_weight, class_weight)

    @answers_foreign_arguments
    def test_on_batch(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The loss of this batch in inference mode, penalties included, as evaluate gives it. Nothing changes."""
        from minitorch_np.training.by_hand import test_on_batch

        return test_on_batch(cast("Model", self), x, y, sample_weight)

    @answers_foreign_arguments
    def predict_on_batch(self, x: ArrayLike) -> NDArray:
        """The outputs for x in inference mode, computed as one batch."""
        return cast("Model", self).predict(x, batch_size=None)

    @answers_foreign_arguments
    def step(self, dy: Any) -> Any:
        """backward(dy) and one step of the optimiser, for a gradient of your own: write y = model(x, training=True) before it.

        The optimiser adds the gradients of penalties. A model needs an optimiser for this, and no loss: model.optimizer = mt.Adam().

        Args:
            dy: dL/dy for the y of that call.

        Returns:
            dL/dx, the dy of a model before this one.
        """
        from minitorch_np.training.by_hand import step

        return step(cast("Model", self), dy)

    # Looking inside

    @answers_foreign_arguments
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, as summary() and the names of parameters() show it, or at this index.

        A layer inside another one has a dotted name: `residual_1.dense_2`. The index counts the layers as model.layers does.

        Raises:
            ValueError: there is no such layer; the message lists the names.
        """
        from minitorch_np.training.inside import get_layer

        return get_layer(cast("Model", self), name, index)

    def names_of_uses(self) -> dict[str, list[str]]:
        """For a layer that has other names where it is used, as in a Graph: these names, by the name of the layer."""
        return {}

    @answers_foreign_arguments
    def outputs(
        self, x: ArrayLike, layer: str | int | Layer | None = None, *, batch_size: int | None = LARGE_BATCH_SIZE
    ) -> Any:
        """The output of every layer for x, in inference mode: a dictionary by the layers' names; or the output of one layer.

        Args:
            x: one row per example.
            layer: the name, the index or the layer itself, as for get_layer; None for all.
            batch_size: examples in one forward. What the layers put out is kept for all examples.

        In a Graph the names are those of the nodes. Elsewhere, a layer that one forward uses several times has entries `name`, `name#2`, ….
        """
        from minitorch_np.training.inside import outputs

        return outputs(cast("Model", self), x, layer, batch_size)

    @answers_foreign_arguments
    def gradient(
        self,
        x: ArrayLike,
        target: ArrayLike | None = None,
        *,
        output: int | Sequence[int] | NDArray | Mapping[str, Any] | None = None,
        dy: ArrayLike | None = None,
        layer: str | int | Layer | None = None,
        training: bool = False,
    ) -> Any:
        """The gradient with respect to x, of x's shape: of the loss, of one output, or of what dy says. Nothing in the model changes. Of
        several inputs it is a list.

        Modes, caches, gradients of parameters and running statistics stay as they are, so a callback may call this during fit.

        Args:
            x: one row per example, in one batch.
            target: dL/dx of the model's loss for these targets, without penalties: the mean over the batch, as in fit.
            output: d output[:, i] / dx, of each example by itself. An int i, (step, i) for outputs of several steps, or an array with
                one i for each example. Of several outputs a dictionary such as {"kind": i}.
            dy: dL/dy of a loss of your own. Of the three give one; a model with one output needs none.
            layer: the name, the index or the layer itself, as for get_layer: the gradient with respect to its output, not to x. Each use
                of a layer has a gradient, and a name as in `outputs`: that of a node of a Graph, or `name#2`, ….
            training: True for a forward in training mode.
        """
        from minitorch_np.training.inside import gradient

        return gradient(cast("Model", self), x, target, output, dy, layer, training=training)

    @answers_foreign_arguments
    def score(self, x: Any, y: Any) -> float:
        """One number, larger is better, as in scikit-learn: the accuracy if the loss is one of classes, else R2.

        evaluate gives the loss and all metrics.
        """
        from minitorch_np.training.answers import score

        return score(cast("Model", self), x, y)

    def __sklearn_tags__(self) -> NoReturn:
        """scikit-learn calls this to see what kind of estimator it was given."""
        from minitorch_np.training.estimators import line_for_scikit_learn

        raise TypeError(f"{type(self).__name__}: {line_for_scikit_learn()}")

    __sklearn_clone__ = __sklearn_tags__  # it calls this to copy one for its cross-validation and searches

    # Answers in place of scores

    @answers_foreign_arguments
    def predict_proba(self, x: Any, *, batch_size: int | None = LARGE_BATCH_SIZE) -> Any:
        """The probability of each class, (n, classes): two columns for a model with one output, as in scikit-learn.

        The loss tells what the outputs are: scores go through the sigmoid, or through softmax. If each output answers its own yes-or-no
        question, there is one column for each.

        Raises:
            ValueError: the loss is not one of probabilities, such as MSELoss; or the outputs are no probabilities.
        """
        from minitorch_np.training.answers import predict_proba

        return predict_proba(cast("Model", self), x, batch_size)

    @answers_foreign_arguments
    def predict_classes(self, x: Any, *, batch_size: int | None = LARGE_BATCH_SIZE) -> Any:
        """The most probable class of each example, (n,), as class numbers: 0 or 1 for a model with one output.

        If each output answers its own yes-or-no question, the answers are 0 or 1 for each output, (n, outputs).
        np.array(model.class_names)[model.predict_classes(x)] gives the names.

        Raises:
            ValueError: the loss is one of numbers, such as MSELoss.
        """
        from minitorch_np.training.answers import predict_classes

        return predict_classes(cast("Model", self), x, batch_size)

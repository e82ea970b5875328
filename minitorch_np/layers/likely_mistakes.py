"""Likely mistakes: layers and outputs that are allowed but probably wrong. fit, compile and evaluate warn of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.base.cache import Call
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.contract import calling
from minitorch_np.base.replica import Replicator
from minitorch_np.layer import Layer
from minitorch_np.layers.activations import Sigmoid, Softmax
from minitorch_np.layers.dense import Dense
from minitorch_np.layers.preprocessing import Normalization

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray, Shape
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model


def is_never_adapted(layer: Layer) -> bool:
    return isinstance(layer, Normalization) and layer.passes_on


def never_adapted(layer: Layer, x: NDArray | None) -> str:
    """The warning about a Normalization that was never adapted. x is its input, or None if that is not known."""
    like = "" if x is None else f" (mean {x.mean():.3g}, standard deviation {x.std():.3g})"
    return f"{layer!r} was never adapted, so it passes its inputs on as they are{like}. Call its adapt(x) before fit."


def wrong_for_loss(loss: Loss, last: Layer | None, output_shape: Shape | None) -> str:
    """Why the outputs of this last layer do not go with the loss, or ""."""
    text = _constant(last, output_shape)
    if not text and loss.from_logits and type(last) in (Sigmoid, Softmax):
        other = loss.instead.get(type(last).__name__, "")
        return f"the last layer is {last!r}, and {loss!r} takes scores before it: leave it out{other}"
    return text


def wrong_outputs(model: Model, outputs: NDArray, x: NDArray | None) -> str:
    """Why these outputs of a model do not go with its loss, or "".

    Args:
        x: an example to run forward on, if nothing was kept of the forward that gave these outputs.
    """
    last = model.last_layer() or _layer_that_gave(model, outputs, x)
    text = model.loss.wrong_outputs(outputs) or wrong_for_loss(model.loss, last, outputs.shape[1:])
    for _, layer in model.walk():
        text = text or _constant(layer, layer.output_shape)
    return text


def _constant(layer: Layer | None, output_shape: Shape | None) -> str:
    """Why the outputs of this layer are the same for every input, or ""."""
    if isinstance(layer, Softmax) and output_shape and output_shape[layer.axis - (layer.axis > 0)] == 1:
        return f"{layer!r} over one unit gives the same for every input: end the model with Dense(1) and Sigmoid(), or give it two units"
    return ""


def _layer_that_gave(model: Model, outputs: NDArray, x: NDArray | None) -> Layer | None:
    """The layer whose cache is the outputs, as that of Sigmoid and Softmax is, if it keeps one; else None."""
    replica: Layer = model
    if x is not None:
        if not any(type(layer) in (Sigmoid, Softmax) for _, layer in model.walk()):
            return None
        replica = Replicator(keep_cache=True).of(model)
        with calling(Call(replica)):
            outputs = replica.forward(x)
    return next((layer for _, layer in replica.walk() if vars(layer).get("_cache") is outputs), None)


def why_not_first(layer: Layer | None) -> str:
    """What to do about this layer before the first Dense."""
    if isinstance(layer, Dense):
        return "It may compute something else than Dense does: use Dense"
    if layer is not None and any(parameter.learnable for parameter in layer.parameters().values()):
        return "Its outputs change in every step, so they have no fixed span: begin with a Dense"
    return "fit computes it in every step, because such a layer may differ from step to step: remove it, or apply it to x before fit"


def beside_the_list(model: Layer) -> list[str]:
    """A warning for each layer in an attribute of a Sequential: it runs only the layers of its list."""
    names = (
        [name for name, value in vars(model).items() if isinstance(value, Layer)] if is_built_in(type(model)) else []
    )
    return [
        f"the layer in the attribute {name} does not run, as it is not in the list of layers. Write model.add(layer), or model[-1] = layer"
        " to replace the last one."
        for name in names
    ]

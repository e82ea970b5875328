"""The layers of keras.ops on symbolic tensors, which Keras writes as layers: x * 2, 1 - x, ops.relu(x), ops.mean(x, axis=1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minitorch_np.layer import Layer
from minitorch_np.layers import (
    ELU,
    GELU,
    SELU,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    LeakyReLU,
    LogSoftmax,
    Masking,
    Multiply,
    Permute,
    ReLU,
    Rescaling,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minitorch_np.saving.errors import NotHere
from minitorch_np.saving.keras_calls import WITH_OWN_LAYER

_FUNCTIONS: dict[str, type[Layer]] = {
    "Relu": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh, "Softplus": Softplus, "Silu": SiLU, "Selu": SELU, "Elu": ELU,
    "LeakyRelu": LeakyReLU, "Gelu": GELU, "Softmax": Softmax, "LogSoftmax": LogSoftmax,
}  # fmt: skip
# y = scale * x + offset of x and a number, as (scale, offset): with the number behind x, and before it.
_WITH_NUMBER: dict[str, tuple[Callable[..., tuple[float, float]] | None, Callable[..., tuple[float, float]] | None]] = {
    "Add": (lambda n: (1.0, n), lambda n: (1.0, n)),
    "Subtract": (lambda n: (1.0, -n), lambda n: (-1.0, n)),
    "Multiply": (lambda n: (n, 0.0), lambda n: (n, 0.0)),
    "TrueDivide": (lambda n: (1 / n, 0.0), None),
    "Divide": (lambda n: (1 / n, 0.0), None),
}
_POOLING = {
    ("Mean", 3, (1,)): GlobalAveragePooling1D,
    ("Sum", 3, (1,)): GlobalAveragePooling1D,
    ("Max", 3, (1,)): GlobalMaxPooling1D,
    ("Mean", 4, (1, 2)): GlobalAveragePooling2D,
    ("Sum", 4, (1, 2)): GlobalAveragePooling2D,
    ("Max", 4, (1, 2)): GlobalMaxPooling2D,
}


def is_operation(config: dict[str, Any]) -> bool:
    """Whether this describes a function, and not a layer or a model. Every layer of Keras has one of these arguments."""
    return not config.keys() & {"trainable", "dtype", "layers"}


def of_operation(
    kind: str, config: dict[str, Any], arguments: Sequence[Any], shape: Sequence[int | None]
) -> list[Layer]:
    """The layers of an operation on one tensor. A Multiply among them takes the tensor twice.

    Args:
        arguments: those of the use, with None in place of the tensor. shape: of the tensor, with the batch.

    Raises:
        NotHere: this package has no such layer.
    """
    own = {name: value for name, value in config.items() if name not in ("name", "dtype")}
    number = next((one for one in arguments if one is not None), None)
    if kind in _FUNCTIONS:
        return [_FUNCTIONS[kind](**own)]
    if kind in _WITH_NUMBER:
        scale_and_offset = _WITH_NUMBER[kind][len(arguments) > 1 and arguments[0] is not None]
        if not _is_number(number) or scale_and_offset is None or ("Divide" in kind and not number):
            raise NotHere(
                f"{kind} of a layer and {'a number before it' if arguments[0] is not None else 'an array'}",
                remedy=WITH_OWN_LAYER,
            )
        return [Rescaling(*scale_and_offset(number))]
    if kind == "ReLU" and own.get("max_value") is None and not own.get("threshold"):  # of keras.activations
        return [LeakyReLU(own["negative_slope"])] if own.get("negative_slope") else [ReLU()]
    if kind == "Negative":
        return [Rescaling(-1.0)]
    if kind == "Square" or (kind == "Power" and arguments[0] is None and _is_number(number) and number == 2):
        return [Multiply()]
    if kind == "Maximum" and _is_number(number) and number == 0:
        return [ReLU()]
    made = _pooled(kind, own, shape) if kind in ("Mean", "Sum", "Max") else _moved(kind, own, shape)
    if not made:
        given = ", ".join(f"{name}={value!r}" for name, value in own.items())
        raise NotHere(f"the operation {kind}{' with ' if own else ''}{given}", remedy=WITH_OWN_LAYER)
    return made


def without_mask(shape: Sequence[int | None]) -> Layer:
    """y = x without its mask, which operations do not pass on in Keras, while the layers here would."""
    if shape[1:].count(None) > 1:
        raise NotHere(f"an operation on a tensor of shape {tuple(shape)}")
    return Reshape(tuple(-1 if size is None else size for size in shape[1:]))


def may_pass_mask(layer: Any) -> bool:
    """Whether y of the layer may have the mask of x. Where this says True although it has none, no number changes."""
    ends = (Reshape, Permute, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D)
    return getattr(layer, "return_sequences", True) and not isinstance(layer, ends)


def makes_mask(layer: Any) -> bool:
    return any(isinstance(one, Masking) or getattr(one, "mask_zero", False) for _, one in layer.walk())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _pooled(kind: str, own: dict[str, Any], shape: Sequence[int | None]) -> list[Layer]:
    """The mean, sum or maximum over all steps or all pixels."""
    axes = own.get("axis")
    axes = axes if isinstance(axes, (list, tuple)) else (axes,)
    pooling = all(isinstance(axis, int) for axis in axes) and _POOLING.get(
        (kind, len(shape), tuple(sorted(axis % len(shape) for axis in axes)))
    )
    sizes = shape[1:-1]
    if not pooling or own.get("initial") is not None or (kind == "Sum" and None in sizes):
        return []
    times = [Rescaling(math.prod(sizes))] if kind == "Sum" else []  # type: ignore[arg-type]
    return [pooling(keepdims=bool(own.get("keepdims"))), *times]


def _moved(kind: str, own: dict[str, Any], shape: Sequence[int | None]) -> list[Layer]:
    """The same numbers in another shape or order; nothing if the batch takes part in it."""
    if kind == "Transpose":
        axes = list(own.get("axes") or ())
        return [Permute(tuple(axes[1:]))] if axes and axes[0] == 0 else []
    sizes: Any = list(shape)
    if kind == "Reshape":
        batch, *sizes = own["newshape"]
        keeps_batch = batch == -1 and None not in shape[1:] and math.prod(sizes) == math.prod(shape[1:])  # type: ignore[arg-type]
        return [Reshape(tuple(sizes))] if keeps_batch else []
    if kind == "ExpandDims":
        sizes.insert(own["axis"] % (len(shape) + 1), 1)
    elif kind == "Squeeze" and isinstance(own.get("axis"), int):
        del sizes[own["axis"] % len(shape)]
    else:
        return []
    return [without_mask(sizes)] if sizes[0] is None else []

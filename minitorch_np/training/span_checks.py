"""What fit(in_span=True) refuses, because the results would not be those of a plain fit, or because nothing is gained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.base.configurable import is_built_in, says_itself
from minitorch_np.training.data import Examples

if TYPE_CHECKING:
    from minitorch_np.layers import Dense
    from minitorch_np.optimizers import Optimizer
    from minitorch_np.regularizers import Regularizer
    from minitorch_np.sequential import Sequential
    from minitorch_np.training.data import Stream

_LEAVE_OUT = "or leave in_span out"


def checked(model: Sequential, data: Examples | Stream, who: str) -> tuple[Dense, Examples]:
    """The first Dense, and the data. Raises ValueError if there is no such Dense, if its kernel is frozen, or if the data come in batches."""
    if not hasattr(type(model), "first_dense"):
        raise ValueError(
            f"{who}: only a Sequential says which layer is the first, got a {type(model).__name__}. Write it as a Sequential, {_LEAVE_OUT}."
        )
    dense = model.first_dense(who)
    if not isinstance(data, Examples):
        raise ValueError(
            f"{who}: the basis needs all examples at once, got batches one by one. Give x and y as arrays, {_LEAVE_OUT}."
        )
    if not dense.kernel.trainable:
        raise ValueError(
            f"{who}: the kernel of {dense!r} is frozen, so no step changes it. Set layer.trainable = True, {_LEAVE_OUT}."
        )
    if dense.kernel.constraint is not None:
        raise ValueError(
            f"{who}: {dense.kernel.constraint!r} of {dense!r} changes the kernel outside the span. Leave it out, {_LEAVE_OUT}."
        )
    return dense, data


def check_settings(
    optimizer: Optimizer, clipvalue: float | None, penalty: Regularizer | None, dense: Dense, who: str
) -> None:
    """Raise ValueError for an optimiser, clipping or a penalty on the first kernel that depends on rotations."""
    if not says_itself(optimizer, "rotation_invariant"):
        raise ValueError(f"{who}: {optimizer!r} {_why(optimizer, 'element of a gradient')}. Use SGD, {_LEAVE_OUT}.")
    if clipvalue is not None:
        raise ValueError(
            f"{who}: clipvalue={clipvalue!r} cuts each element of a gradient by itself, so a rotation changes its effect. "
            f"Use clipnorm or global_clipnorm, {_LEAVE_OUT}."
        )
    if penalty is not None and not says_itself(penalty, "rotation_invariant"):
        raise ValueError(f"{who}: {penalty!r} of {dense!r} {_why(penalty, 'weight')}. Use L2, {_LEAVE_OUT}.")


def check_size(examples: int, dense: Dense, optimizer: Optimizer, name: str, who: str) -> None:
    """Raise ValueError unless the span has fewer dimensions than there are features."""
    features, units = dense.kernel.shape
    kept = {key: array.shape for key, array in optimizer.state.get(name, {}).items()}
    if any(shape != dense.kernel.shape for shape in kept.values()):
        raise ValueError(
            f"{who}: expected that {optimizer!r} keeps arrays of the kernel's shape {dense.kernel.shape}, got {kept}. Leave in_span out."
        )
    rank = examples + units * (1 + max(len(kept), bool(getattr(optimizer, "momentum", 0))))
    if rank >= features:
        raise ValueError(
            f"{who}: expected far more features than examples, got {examples} examples of {features} features. With the {units} units "
            f"of {dense!r} the span has up to {rank} dimensions, so it is not smaller. Leave in_span out."
        )


def _why(thing: Optimizer | Regularizer, element: str) -> str:
    if is_built_in(type(thing)):
        return f"treats each {element} by itself, so a rotation changes its results"
    return "may depend on rotations: if it does not, write rotation_invariant = True in its class"

"""Builder: independent models from a user's `build` function, trained and scored."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.model import Model
from minitorch_np.source.batches import as_source
from minitorch_np.training.entry_checks import check_single, checked_inputs, checked_targets

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.tuning.folds import Fold

# The arguments of Model.fit that all fits of a search may share; the others belong to one data set or one run.
OF_FIT = ("epochs", "batch_size", "validation_split", "class_weight", "shuffle", "callbacks")


class Builder:
    """`build`, a function that returns a compiled model, and the settings of `fit`.

    Args:
        who: named in errors.
        build: a function. Each setting goes to its argument of that name, else to fit's; a seed to its argument `rng`.
        fit: settings of Model.fit, by name.
        names: the settings that the space varies.

    Raises:
        ValueError: build does not take one of the settings, or requires an argument that is not one.
    """

    who: str
    build: Callable[..., Model]
    fit: dict[str, Any]
    names: list[str]
    takes_rng: bool
    for_build: list[str]

    def __init__(
        self, who: str, build: Callable[..., Model], fit: Mapping[str, Any], names: Iterable[str] = ()
    ) -> None:
        if not callable(build) or isinstance(build, Model):
            kind = type(build).__name__ if isinstance(build, Model) else repr(build)
            raise ValueError(
                f"{who}: build is a function that makes and returns a new, compiled model, got {kind}. Write def build(): return "
                "mt.Sequential([…]).compile('adam', 'mse')."
            )
        for name in fit:
            if name not in OF_FIT:
                raise ValueError(f"{who}: fit may hold {', '.join(OF_FIT)}, got {name!r}.")
        self.who, self.build, self.fit = who, build, dict(fit)
        self.names = list(names)
        signature = inspect.signature(build)
        arguments = signature.parameters.values()
        takes = {a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)}
        takes_any = any(a.kind == a.VAR_KEYWORD for a in arguments)
        self.takes_rng = "rng" in takes
        self.for_build = [name for name in self.names if name in takes or (takes_any and name not in OF_FIT)]
        self._check(signature)

    def _check(self, signature: inspect.Signature) -> None:
        called = f"build{signature}"
        for name in self.names:
            if name in ("rng", "epochs"):
                raise ValueError(f"{self.who}: {name} is given as {self.who}({name}=…), not in the space.")
            if name not in self.for_build and name not in OF_FIT:
                raise ValueError(
                    f"{self.who}: {called} takes no {name!r}. Give it that argument, or leave it out of the space."
                )
        try:
            signature.bind(**dict.fromkeys([*self.for_build, *["rng"] * self.takes_rng]))
        except TypeError as error:
            raise ValueError(
                f"{self.who}: {called}: {error}. It may take {', '.join(['rng', *self.names])}; give any other argument a default."
            ) from None

    def model(self, settings: Mapping[str, Any], seed: int) -> Model:
        """A new model with these settings, and with this seed, which it gets here if build takes no `rng`."""
        arguments = {name: settings[name] for name in self.for_build}
        model = self.build(**arguments, **({"rng": seed} if self.takes_rng else {}))
        if not isinstance(model, Model):
            raise ValueError(f"{self.who}: build returned {model!r}. End it with `return model`.")
        if model.loss is None:
            raise ValueError(
                f"{self.who}: build returned a model that is not compiled. Call model.compile(optimizer, loss, metrics) in it."
            )
        if model.history is not None:
            raise ValueError(
                f"{self.who}: build returned a model that is trained already. Make a new one in each call."
            )
        if model.rng is None:
            if model.built:
                raise ValueError(
                    f"{self.who}: build returned a model without a seed whose weights are initialised already. Let build take `rng` "
                    "and pass it to the model."
                )
            model.rng = seed
        return model

    def train(self, settings: Mapping[str, Any], x: NDArray, y: NDArray, epochs: int, seed: int) -> Model:
        """A new model, trained on x and y.

        Raises:
            FloatingPointError: training diverged. KeyboardInterrupt: Ctrl-C ended it early.
        """
        model = self.model(settings, seed)
        chosen = {name: value for name, value in settings.items() if name not in self.for_build}
        # Copies, so that a callback starts anew for each model.
        given = copy.deepcopy({**self.fit, **chosen, "epochs": epochs})
        history = model.fit(x, y, progress=False, **given)
        if history.epochs < epochs and not model.stop_training:
            raise KeyboardInterrupt
        return model

    def score(
        self, settings: Mapping[str, Any], x: NDArray, y: NDArray, fold: Fold, epochs: int, seed: int
    ) -> dict[str, float]:
        """Loss and metrics on the examples held out, of a model trained on the others. A metric may be NaN: the AUC of one class is."""
        train, held_out = fold
        model = self.train(settings, x[train], y[train], epochs, seed)
        with np.errstate(over="ignore", invalid="ignore"):
            scores = {name: float(value) for name, value in model.evaluate(x[held_out], y[held_out])._asdict().items()}
        if not math.isfinite(scores["loss"]):
            raise FloatingPointError(f"{self.who}: on the examples held out the model has {scores}.")
        return scores

    def dry_run(self, settings: Mapping[str, Any], x: NDArray, y: NDArray) -> tuple[Model, list[str]]:
        """An untrained model, and the names of its measures, after one evaluation, so that mistakes raise before any training."""
        first, second = self.model(settings, 0), self.model(settings, 0)
        self._check_apart(first, second)
        first.ensure_built(x.shape[1:])
        with np.errstate(all="ignore"):
            return first, list(first.evaluate(x, y)._asdict())

    def _check_apart(self, first: Model, second: Model) -> None:
        """Two models may share nothing that training changes: scores would depend on the order of training."""
        others = {id(node) for _, node in second.walk()}
        shared = [repr(node) for _, node in first.walk() if id(node) in others]
        if first.optimizer is second.optimizer:
            shared.append(repr(first.optimizer))
        if first.rng is second.rng and isinstance(first.rng, np.random.Generator):
            shared.append("rng")
        if shared:
            raise ValueError(
                f"{self.who}: build put the same {shared[0]} into two models. Create all of it inside build."
            )


def checked_data(x: Any, y: Any, model: Model, who: str) -> tuple[NDArray, NDArray]:
    """x and y as arrays, whose rows can be chosen; of several inputs or outputs of this model Several."""
    if as_source(x) is not None:
        raise ValueError(f"{who}: expected arrays, whose rows can be held out, got {type(x).__name__}.")
    x, y = model.as_inputs(x, who), model.as_targets(y, who)
    check_single(x, y, who)
    x = checked_inputs(x, who, None)
    return x, checked_targets(y, who, x)

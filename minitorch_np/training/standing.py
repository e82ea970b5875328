"""Where a run of fit stands, as plain data, and back to there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def of(run: Any) -> dict[str, Any]:
    """All that a run needs to go on, in dictionaries, lists and arrays."""
    optimizer = run.model.optimizer
    rate = optimizer.learning_rate
    return {
        "position": {name: getattr(run, name) for name in ("steps", "epoch", "batch", "seen", "total")},
        "stopped": run.model.stop_training,
        "data_seen": vars(run.model.seen),
        "weights": {name: parameter.value for name, parameter in run.parameters.items()},
        "trainable": {name: parameter.trainable for name, parameter in run.parameters.items()},
        "optimizer": {
            "iteration": optimizer.iteration,
            "learning_rate": None if callable(rate) else float(rate),
            "rate": optimizer.rate,
            "state": optimizer.state,
        },
        "history": dict(run.history),
        "metrics": [_gathered(metric) for metric in run.measures],
        "callbacks": [{name: getattr(w, name) for name in w.kept} for w in run.watchers if w.kept],
        "order": run.order,
        "generators": {name: generator.bit_generator.state for name, generator in generators(run.model)},
    }


def put_back(run: Any, state: dict[str, Any]) -> None:
    """Put everything back to where it stood."""
    for name, value in state["position"].items():
        setattr(run, name, value)
    run.model.stop_training = state["stopped"]
    vars(run.model.seen).update(state["data_seen"])
    for name, parameter in run.parameters.items():
        parameter.value[...] = state["weights"][name]
        parameter.trainable = state["trainable"][name]
    optimizer, kept = run.model.optimizer, state["optimizer"]
    optimizer.iteration, optimizer.state, optimizer.rate = kept["iteration"], kept["state"], kept["rate"]
    if kept["learning_rate"] is not None:
        optimizer.learning_rate = optimizer.checked_rate(kept["learning_rate"])
    run.history.update(state["history"])
    run.logs = {name: values[-1] for name, values in run.history.items()}
    for metric, gathered in zip(run.measures, state["metrics"], strict=True):
        vars(metric).update(gathered)
    watchers = [watcher for watcher in run.watchers if watcher.kept]
    for watcher, known in zip(watchers, state["callbacks"], strict=True):
        watcher.restore(known)
    # A layer that has drawn has a generator, which a fresh one makes when it is first asked for it.
    for name, layer in run.model.walk():
        if f"{name}._generator" in state["generators"]:
            layer.generator  # noqa: B018 the access makes it
    for name, generator in generators(run.model):
        if name in state["generators"]:
            generator.bit_generator.state = state["generators"][name]
    run.last_good.keep(run.steps)
    run.order = state["order"]
    if run.shuffling is not None:
        run.shuffling.bit_generator.state = run.order


def generators(model: Any) -> Iterator[tuple[str, np.random.Generator]]:
    """Every generator that a layer of the model holds in an attribute, by place and name."""
    for place, layer in model.walk():
        for name, value in vars(layer).items():
            if isinstance(value, np.random.Generator):
                yield f"{place}.{name}", value


def of_generator(generator: np.random.Generator | None) -> Any:
    return None if generator is None else generator.bit_generator.state


def _gathered(metric: Any) -> dict[str, Any]:
    """What a metric has gathered: all that its constructor was not given."""
    return {name: value for name, value in vars(metric).items() if name not in metric.config() and name != "name"}

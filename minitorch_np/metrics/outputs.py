"""Metrics of models with several outputs: a metric of one output, and the loss of one output as a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitorch_np.base.several import of_each
from minitorch_np.metrics.finding import check, find
from minitorch_np.metrics.metric import Metric


class MetricOfOutput(Metric):
    """A metric of one of several outputs, under the name `output_metric`. Graph.compile makes it.

    Args:
        output: the name of the output. place: its number.
        metric: a name, a Metric or a function.
        from_logits, binary: of the loss of this output; see Loss.
    """

    def __init__(
        self,
        output: str,
        place: int,
        metric: str | Metric | Callable[..., Any],
        from_logits: bool = False,
        binary: bool = False,
    ) -> None:
        self.output, self.place, self.metric = output, place, metric
        self.from_logits, self.binary = from_logits, binary

    def prepare(self, output_shape: Any, from_logits: bool, binary: bool) -> None:
        self.found = find(self.metric, output_shape[self.place], self.from_logits, self.binary)
        self.name, self.mode = f"{self.output}_{self.found.name}", self.found.mode

    def reset(self) -> None:
        self.found.reset()

    def update(self, prediction: Any, target: Any) -> None:
        self.found.update(prediction.arrays[self.place], target.arrays[self.place])

    def result(self) -> float:
        return self.found.checked_result()

    def get_state(self) -> dict[str, Any]:
        return self.found.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self.found.set_state(state)


class LossOfOutput(Metric):
    """The loss of one of several outputs, as the loss of the model has computed it, without its factor in `loss_weights`.

    Args:
        output: the name of the output. place: its number.
    """

    mode = "min"

    def __init__(self, output: str, place: int) -> None:
        self.output, self.place = output, place
        self.name = f"{output}_loss"

    def update(self, prediction: Any, target: Any) -> None:
        size = prediction.sizes[self.place]
        if size:
            self.total += prediction.loss.values[self.place] * size
            self.count += size

    def get_state(self) -> dict[str, Any]:
        return {"total": self.total, "count": self.count}

    def set_state(self, state: dict[str, Any]) -> None:
        self.total, self.count = float(state["total"]), int(state["count"])


def of_outputs(metrics: Any, loss: Any, who: str) -> list[Metric]:
    """The metrics of a model with several outputs, from what compile was given, and the loss of each output.

    Args:
        metrics: a list with the metric, the list of metrics, or None, of each output, or a dictionary by name.
        loss: the LossOfOutputs.
    """
    if isinstance(metrics, (list, tuple)) and any(isinstance(one, (MetricOfOutput, LossOfOutput)) for one in metrics):
        return list(metrics)  # as a file gives them
    given = of_each(metrics, loss.names, "metrics", who, ()) if len(metrics) else [()] * len(loss.names)
    found: list[Metric] = []
    for place, (name, own, listed) in enumerate(zip(loss.names, loss.losses, given, strict=True)):
        found.append(LossOfOutput(name, place))
        for metric in listed if isinstance(listed, (list, tuple)) else [] if listed is None else [listed]:
            check(metric, f"{who}, output {name!r}")
            found.append(MetricOfOutput(name, place, metric, own.from_logits, own.binary))
    return found

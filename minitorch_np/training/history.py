"""History: what was measured while a model learnt."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from typing import Any

from minitorch_np.base.answers import AnswersForeignNames
from minitorch_np.base.callers import caller
from minitorch_np.base.files import AnyPath, write_csv, write_whole
from minitorch_np.callbacks.callback import as_number, cell, numbers_in

__all__ = ["History"]


class History(AnswersForeignNames, dict[str, list[float]]):
    """One list for each thing measured ("loss", "accuracy", "val_loss", …), with one value per epoch.

    The loss and the metrics of the training data are computed in the steps, each before its update of the weights. Those of the
    validation data (`val_…`) are computed after the last update of the epoch. The numbers that callbacks write into the logs are
    here too. All lists have the same length: if something was not measured in an epoch, its value is NaN.
    """

    initial_epoch: int = 0  # epochs before the first one in the lists

    def record(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Append the values of an epoch, the first of this history being 0, or replace those that it already has.

        Warns once of each name whose value is not a number, and leaves it out.
        """
        if len(logs) == len(self):  # the usual case, done fast: one more float for each list
            for name, value in logs.items():
                if type(value) is not float or len(self.get(name, ())) != epoch or not epoch:
                    break
            else:
                for name, value in logs.items():
                    self[name].append(value)
                return
        numbers = numbers_in(logs)
        for name, value in numbers.items():
            values = self.setdefault(name, [])
            values[epoch:] = [math.nan] * (epoch - len(values)) + [value]
        for values in self.values():
            values.extend([math.nan] * (epoch + 1 - len(values)))
        for name in logs.keys() - numbers.keys() - self._left_out:
            self._left_out.add(name)
            warnings.warn(
                f"fit: {name} in the logs is {logs[name]!r:.80}, which is no number, so it is left out of the history. Write a number "
                "into the logs, or keep it in an attribute of the callback.",
                stacklevel=caller(),
            )

    @functools.cached_property
    def _left_out(self) -> set[str]:
        """The names that were warned of."""
        return set()

    def __missing__(self, name: str) -> list[float]:
        remedy = ". Give fit validation_data or validation_split" if str(name).startswith("val_") else ""
        raise KeyError(f"{name!r} was not measured; there is {', '.join(map(str, self)) or 'nothing yet'}{remedy}")

    @property
    def epochs(self) -> int:
        return len(self.get("loss", []))

    @property
    def history(self) -> History:
        """The lists as Keras has them: without the NaN of the epochs in which a name was not measured, so they may be shorter."""
        return History({name: [value for value in values if not math.isnan(value)] for name, values in self.items()})

    def to_csv(self, path: AnyPath) -> None:
        """Write a line of names, then one line per epoch. NA is a value that was not measured or is NaN."""
        rows = (
            [epoch, *map(cell, values)]
            for epoch, values in enumerate(zip(*self.values(), strict=True), self.initial_epoch)
        )
        write_csv(path, [["epoch", *self], *rows], "History.to_csv")

    def to_json(self, path: AnyPath) -> None:
        """Write the lists by name. JSON has neither NaN nor infinity (RFC 8259): both become null.

        Raises:
            ValueError: an item of a list is not a number; the message names the list.
        """
        import json

        lists = {name: [_for_json(value, name) for value in values] for name, values in self.items()}
        write_whole(path, (json.dumps(lists, indent=1, allow_nan=False) + "\n").encode(), "History.to_json")

    def plot(self, measure: str = "loss", ax: Any = None) -> Any:
        """Draw one measure over the epochs; returns the matplotlib axes."""
        from minitorch_np.plotting import plot_history

        return plot_history(self, measure, ax)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"History({self.epochs} epochs{', last: ' + last if last else ''})"


def _for_json(value: Any, name: str) -> float | None:
    number = as_number(value)
    if number is None and value is not None:
        raise ValueError(
            f"History.to_json: {name} holds {value!r:.80}, which is no number. Leave it out: del history[{name!r}]."
        )
    return number if number is not None and math.isfinite(number) else None

"""History: what was measured while a model learnt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class History(dict[str, list[float]]):
    """One list for each thing measured ("loss", "accuracy", "val_loss", …), with one value per epoch.

    The loss and the metrics of the training data are those of the steps themselves, each taken before its
    update; values of the validation data (`val_…`) are taken after the epoch's last update.
    """

    def record(self, values: dict[str, float]) -> None:
        """Add the values of one epoch."""
        for name, value in values.items():
            self.setdefault(name, []).append(value)

    @property
    def epochs(self) -> int:
        return len(self.get("loss", []))

    @property
    def history(self) -> dict[str, Any]:
        """The same lists, under the name that Keras gives them."""
        return self

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line per epoch, under a line of names."""
        import csv

        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["epoch", *self])
            writer.writerows([epoch, *values] for epoch, values in enumerate(zip(*self.values(), strict=True)))

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the lists by name."""
        import json

        Path(path).write_text(json.dumps(dict(self), indent=1) + "\n")

    def plot(self, measure: str = "loss", ax: Any = None) -> Any:
        """Draw one measure over the epochs; returns the matplotlib axes."""
        from minitorch_np.plotting import plot_history

        return plot_history(self, measure, ax)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"History({self.epochs} epochs{', last: ' + last if last else ''})"

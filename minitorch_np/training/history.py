"""History: what was measured while a model learnt."""

from __future__ import annotations

from typing import Any

from minitorch_np.base.files import AnyPath, as_path, write_csv, write_whole


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

    def to_csv(self, path: AnyPath) -> None:
        """Write one line per epoch, under a line of names."""
        rows = ([epoch, *values] for epoch, values in enumerate(zip(*self.values(), strict=True)))
        write_csv(as_path(path, "History.to_csv"), [["epoch", *self], *rows])

    def to_json(self, path: AnyPath) -> None:
        """Write the lists by name."""
        import json

        write_whole(as_path(path, "History.to_json"), (json.dumps(dict(self), indent=1) + "\n").encode())

    def plot(self, measure: str = "loss", ax: Any = None) -> Any:
        """Draw one measure over the epochs; returns the matplotlib axes."""
        from minitorch_np.plotting import plot_history

        return plot_history(self, measure, ax)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"History({self.epochs} epochs{', last: ' + last if last else ''})"

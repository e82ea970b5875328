"""Epochs: which epochs fit runs, after which of them it validates, and how many batches make one step."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from minitorch_np.base.validation import check_whole, is_whole


class Epochs:
    """The options of fit about epochs and steps.

    Args:
        who: the caller, for messages.
        last: the number of the last epoch, counted from 1.
        first: the number of epochs before the first one.
        validation_freq: 2 validates after every second epoch; a list names the epochs, counted from 1.
        accumulate: the number of batches whose gradients are averaged into one step.
    """

    def __init__(
        self, who: str, last: int, first: int = 0, validation_freq: int | Collection[int] = 1, accumulate: int = 1
    ) -> None:
        check_whole(who, "epochs", last, 1)
        check_whole(who, "initial_epoch", first)
        check_whole(who, "accumulate", accumulate, 1)
        if first >= last:
            raise ValueError(
                f"{who}: epochs={last!r} is the number of the last epoch, and initial_epoch={first!r} are over, so none is left. "
                f"For {last} more epochs write epochs={first + last}."
            )
        _check_freq(who, validation_freq)
        self.who, self.first, self.last, self.accumulate = who, first, last, accumulate
        self.validation_freq = validation_freq if isinstance(validation_freq, Collection) else int(validation_freq)

    def settings(self) -> dict[str, Any]:
        """What a resumed run must have alike. Raises ValueError for initial_epoch, since the file knows the epoch."""
        if self.first:
            raise ValueError(
                f"{self.who}: a run with resume=… continues with the epoch that its file names. Leave initial_epoch={self.first} out."
            )
        given = {"accumulate": self.accumulate, "validation_freq": self.validation_freq}
        return {name: value for name, value in given.items() if value != 1}

    def are_validated_after(self, epoch: int) -> bool:
        """Whether validation follows the epoch, which is counted from 0."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


def _check_freq(who: str, freq: Any) -> None:
    good = freq >= 1 if is_whole(freq) else isinstance(freq, (list, tuple, set)) and freq and all(map(is_whole, freq))
    if not good:
        raise ValueError(
            f"{who}: validation_freq is an int of at least 1, or a list of the numbers of epochs, counted from 1, got {freq!r}."
        )

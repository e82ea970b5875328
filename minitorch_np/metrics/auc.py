"""AUC: the area under the ROC curve."""

from __future__ import annotations

import warnings

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.metrics.classes import OfClasses, is_single


class AUC(OfClasses):
    """The area under the ROC curve: the share of pairs (positive, negative) in which the positive one has the higher score.

    It is exact, and ties count one half (Mann & Whitney 1947). All scores are kept until result(). If one class is missing there
    are no pairs, and it is NaN, with a warning, as in scikit-learn. It is NaN too if a prediction is NaN. Several outputs that
    answer questions of their own count together ("micro").
    """

    name = "auc"
    scores: list[NDArray] | None = None
    targets: list[NDArray]

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        if not binary and not is_single(output_shape):
            raise ValueError(
                f"metrics: 'auc' needs a model with one output, and this one has outputs of shape {batch_of(output_shape)}."
            )

    def reset(self) -> None:
        self.scores, self.targets = [], []

    def update(self, prediction: NDArray, target: NDArray) -> None:
        if self.scores is None:
            self.reset()
        prediction, target = self.arrays(prediction, target)
        _, true, _ = self.yes_or_no(prediction, target)
        self.scores.append(prediction.ravel().astype(float))  # type: ignore[union-attr]
        self.targets.append(true.ravel())

    def result(self) -> float:
        self.measured(sum(map(len, self.scores or [])))
        scores, positive = np.concatenate(self.scores or []), np.concatenate(self.targets)
        if np.isnan(scores).any():
            return float("nan")
        _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
        rank = (np.cumsum(ties) - (ties - 1) / 2)[place]  # the mean rank of equal scores, from 1
        above, below = int(positive.sum()), int((~positive).sum())
        if not above or not below:
            one = "positive" if above else "negative"
            warnings.warn(
                f"metrics: {self.name!r} compares positive examples with negative ones, and all {len(positive)} are {one}: it is NaN. "
                "Measure it on examples of both classes.",
                stacklevel=caller(),
            )
            return float("nan")
        return float((rank[positive].sum() - above * (above + 1) / 2) / (above * below))

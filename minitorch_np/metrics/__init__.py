"""Metrics: numbers that tell how good a model is, accumulated exactly over batches of any size."""

from minitorch_np.base.answers import answering
from minitorch_np.metrics import significance as significance
from minitorch_np.metrics.auc import AUC as AUC
from minitorch_np.metrics.classes import BinaryAccuracy as BinaryAccuracy
from minitorch_np.metrics.classes import CategoricalAccuracy as CategoricalAccuracy
from minitorch_np.metrics.confusion import confusion_matrix as confusion_matrix
from minitorch_np.metrics.counts import BalancedAccuracy as BalancedAccuracy
from minitorch_np.metrics.counts import F1Score as F1Score
from minitorch_np.metrics.counts import FromCounts as FromCounts
from minitorch_np.metrics.counts import Precision as Precision
from minitorch_np.metrics.counts import Recall as Recall
from minitorch_np.metrics.finding import check as check
from minitorch_np.metrics.finding import find as find
from minitorch_np.metrics.finding import of_model as of_model
from minitorch_np.metrics.finding import rises as rises
from minitorch_np.metrics.metric import Metric as Metric
from minitorch_np.metrics.metric import OfFunction as OfFunction
from minitorch_np.metrics.numbers import MeanAbsoluteError as MeanAbsoluteError
from minitorch_np.metrics.numbers import MeanSquaredError as MeanSquaredError
from minitorch_np.metrics.numbers import R2Score as R2Score
from minitorch_np.metrics.numbers import RootMeanSquaredError as RootMeanSquaredError

globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

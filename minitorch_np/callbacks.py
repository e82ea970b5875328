"""Callbacks with Keras's names: stopping early, keeping the best weights, changing the learning rate, writing a log."""

from __future__ import annotations

import csv
import inspect
import io
import re
import secrets
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

from minitorch_np.base.answers import answering
from minitorch_np.base.callers import caller
from minitorch_np.base.files import AnyPath, as_path, check_writable, write_whole
from minitorch_np.base.validation import flag, number, whole
from minitorch_np.saving.model_file import save_model
from minitorch_np.training.callbacks import Callback as Callback
from minitorch_np.training.callbacks import Logs
from minitorch_np.training.callbacks import ProgressBar as ProgressBar
from minitorch_np.training.history import cell, numbers_in
from minitorch_np.training.monitor import Monitor as Monitor

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EarlyStopping(Monitor):
    """End training when a measured value has not become better for some epochs.

    Args:
        monitor, min_delta, mode: see Monitor.
        patience: epochs to wait for something better.
        restore_best_weights: put back the weights of the best epoch at the end.

    Attributes:
        best_epoch: the epoch of the best value, counted from 0. stopped_epoch: the one after which training ended, or None.
    """

    kept = ("best", "best_epoch", "stopped_epoch", "best_weights")
    compared = (*Monitor.compared, "patience", "restore_best_weights")
    checks = MappingProxyType({"patience": whole(), "restore_best_weights": flag})

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.patience, self.restore_best_weights = patience, restore_best_weights

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin()
        self.best_epoch = 0
        self.stopped_epoch: int | None = None
        self.best_weights: list[NDArray] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.improved(logs):
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
        elif epoch - self.best_epoch >= max(1, self.patience):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class _AnyMeasure(dict[str, Any]):
    """A number for every name, in the place of what will be measured."""

    def __missing__(self, name: str) -> float:
        return 0.5


def _filled(filepath: AnyPath, known: Mapping[str, Any]) -> Path:
    """The path with its fields filled in."""
    place = as_path(filepath, "ModelCheckpoint", "filepath")
    try:
        return Path(str(place).format_map(known))
    except KeyError as error:
        raise ValueError(
            f"ModelCheckpoint: filepath names {error}, which is not measured; there is {', '.join(known)}."
        ) from None
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"ModelCheckpoint: the fields of filepath {str(place)!r} cannot be filled in ({error}). They are written as "
            "{epoch:02d} or {loss:.3f}; a brace that belongs to the name is written twice, {{ or }}."
        ) from None


def _check_filepath(who: str, name: str, value: Any) -> None:
    path = str(as_path(value, who, name))
    if not path.endswith((".weights.h5", ".keras")):
        raise ValueError(f"{who}: {name} ends in .keras or .weights.h5, got {path!r}.")
    _filled(value, _AnyMeasure(epoch=1))


def _check_path(who: str, name: str, value: Any) -> None:
    as_path(value, who, name)


def _check_separator(who: str, name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise ValueError(f"{who}: {name} is one character such as ',' or ';', got {value!r}.")


def _arguments(schedule: Any) -> int:
    """How many of (epoch, rate) a schedule is called with; 0 if it is none."""
    if isinstance(schedule, type):
        return 0
    try:
        arguments = list(inspect.signature(schedule).parameters.values())
    except TypeError:  # it is no function
        return 0
    except ValueError:  # a built-in function that does not say
        return 2
    named = [p for p in arguments if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in arguments if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in arguments)
    if any(p not in named[:2] for p in required) or not (named or any_number):
        return 0
    takes_rate = len(named) > 1 and (named[1] in required or named[1].name in ("rate", "lr", "learning_rate"))
    return 2 if takes_rate or (any_number and len(named) < 2) else 1


def _check_schedule(who: str, name: str, value: Any) -> None:
    if not _arguments(value):
        raise ValueError(
            f"{who}: {name} is a function (epoch) -> rate or (epoch, rate) -> rate, got {value!r}. "
            f"Write {who}(lambda epoch, rate: 0.9 * rate)."
        )


class ModelCheckpoint(Monitor):
    """Save the model, or its weights, after every epoch, or after those that were the best so far.

    Args:
        filepath: ends in .keras for the whole model, in .weights.h5 for the weights; may name {epoch} (counted from 1) and
            what is measured, such as {val_loss:.3f}.
        monitor, mode: see Monitor; used with save_best_only.
        save_best_only: keep only the best.

    Raises:
        ValueError, FileNotFoundError, PermissionError: before training, if the path cannot be written to.
    """

    compared = (*Monitor.compared, "save_best_only")
    checks = MappingProxyType({"filepath": _check_filepath, "save_best_only": flag})

    def __init__(
        self,
        filepath: AnyPath,
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, 0.0, mode)
        self.filepath, self.save_best_only = filepath, save_best_only
        self._told: set[str] = set()  # warnings about the model, which would come with every epoch

    def set_model(self, model: Any) -> None:
        if self.save_best_only and self.best is not None and model is not self.model:
            warnings.warn(
                f"ModelCheckpoint: it goes on from the best {self.monitor} of another model, {self.best:.4g}, and saves only what is "
                "better. Make a new ModelCheckpoint for each model.",
                stacklevel=caller(),
            )
        super().set_model(model)

    def on_train_begin(self, logs: Logs = None) -> None:
        # The best so far stays: a second fit must not put a worse model in its place.
        place = as_path(self.filepath, "ModelCheckpoint", "filepath")
        while "{" in str(place.parent):  # such a folder is made when it is needed
            place = place.parent
        check_writable(place, "ModelCheckpoint")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not self.save_best_only or self.improved(logs):
            path = _filled(self.filepath, {"epoch": epoch + 1, **(logs or {})})
            if "{" in str(as_path(self.filepath, "ModelCheckpoint").parent):
                path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".keras":
                save_model(self.model, path, told=self._told)
            else:
                self.model.save_weights(path)

    def check_measured(self, names: Collection[str]) -> None:
        if self.save_best_only:
            super().check_measured(names)
        _filled(self.filepath, {"epoch": 1, **dict.fromkeys(names, 0.0)})


class LearningRateScheduler(Callback):
    """Set the learning rate before every epoch.

    Args:
        schedule: a function `(epoch) -> rate` or `(epoch, rate) -> rate` of the epoch, counted from 0, and the rate so far. A second
            argument with a default is the rate only if it is called rate, lr or learning_rate. The rate may be 0.
    """

    compared = ("schedule",)

    checks = MappingProxyType({"schedule": _check_schedule})

    def __init__(self, schedule: Callable[..., float]) -> None:
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        optimizer = self.model.optimizer
        known = (epoch, optimizer.current_rate())[: _arguments(self.schedule)]
        optimizer.learning_rate = optimizer.checked_rate(self.schedule(*known))


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by a factor when a measured value has not become better for some epochs.

    Args:
        monitor, min_delta, mode: see Monitor.
        factor: in (0, 1).
        patience: epochs to wait. cooldown: epochs after a reduction in which none is counted.
        min_lr: the rate never falls below it.
    """

    kept = ("best", "waited", "resting")
    compared = (*Monitor.compared, "factor", "patience", "cooldown", "min_lr")
    checks = MappingProxyType(
        {"factor": number("(0, 1)"), "patience": whole(), "cooldown": whole(), "min_lr": number()}
    )

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.factor, self.patience, self.cooldown, self.min_lr = factor, patience, cooldown, min_lr

    def on_train_begin(self, logs: Logs = None) -> None:
        if callable(self.model.optimizer.learning_rate):
            raise ValueError("ReduceLROnPlateau: the optimizer's learning_rate is a schedule. Give it a number.")
        super().on_train_begin()
        self.waited, self.resting = 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        improved = self.improved(logs)
        if self.resting:
            self.resting -= 1
            self.waited = 0
        self.waited = 0 if improved or self.resting else self.waited + 1
        if self.waited >= max(1, self.patience):
            optimizer = self.model.optimizer
            rate = max(optimizer.learning_rate * self.factor, self.min_lr)
            if rate > 0:
                optimizer.learning_rate = min(rate, optimizer.learning_rate)
            self.waited, self.resting = 0, self.cooldown


class CSVLogger(Callback):
    """Write one line per epoch, at once, with a line of names on top. A name that comes later becomes one more column; where a
    line has no value for a name, or NaN, it has NA.

    Args:
        filename: the file. separator: between the values. append: go on in a file that is there.

    Raises:
        ValueError: before training, if the file that is there is no such table.
    """

    kept = ("start", "width", "names")

    checks = MappingProxyType({"filename": _check_path, "separator": _check_separator, "append": flag})

    def __init__(self, filename: AnyPath, separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = filename, separator, append

    def on_train_begin(self, logs: Logs = None) -> None:
        self._path = as_path(self.filename, "CSVLogger", "filename")
        check_writable(self._path, "CSVLogger")
        header, rows = self._read() if self.append else ([], [])
        # What was there before the run: its lines and columns. What this run has written: its names.
        self.start, self.width = len(rows), len(header)
        self.names: list[str] = []
        self._header: list[str] | None = header if header else None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        numbers = {"epoch": epoch} | {name: cell(value) for name, value in numbers_in(logs or {}).items()}
        numbers["epoch"] = epoch
        self.names += [name for name in numbers if name not in self.names]
        if self._header is None or not self._path.exists():
            self._rewrite([], [], numbers)
        elif not numbers.keys() <= set(self._header):
            self._rewrite(*self._read(), numbers)
        else:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                self._writer(file).writerow([numbers.get(name, "NA") for name in self._header])

    def set_state(self, state: dict[str, Any]) -> None:
        """Write what was measured until the run was kept after what the file held before the run began."""
        super().set_state(state)
        header, rows = self._read() if self.width else ([], [])
        history = {name: self.model.history[name] for name in self.names if name in self.model.history}
        again = [
            {"epoch": epoch} | {name: cell(values[epoch]) for name, values in history.items()}
            for epoch in range(self.model.history.epochs)
        ]
        self._header = None
        if self.width or again:
            self._rewrite(header[: self.width], [row[: self.width] for row in rows[: self.start]], *again)

    def _read(self) -> tuple[list[str], list[list[str]]]:
        """The names and the lines of the file; none if there is no file or nothing in it."""
        if not self._path.is_file():
            return [], []
        with self._path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows = [row for row in csv.reader(file, delimiter=self.separator) if row] or [[]]
        wrong = next((number for number, row in enumerate(rows, 2) if len(row) > len(header)), None)
        if header and ("epoch" not in header or len(set(header)) < len(header) or wrong):
            problem = (
                f"line {wrong} has more values than there are names" if wrong else f"its first line is {header!r:.80}"
            )
            raise ValueError(
                f"CSVLogger: {self._path} is no log with the separator {self.separator!r}: {problem}. Give another filename, or "
                "append=False to write it anew."
            )
        return header, rows

    def _rewrite(self, header: list[str], rows: list[list[str]], *new: dict[str, Any]) -> None:
        """Write the file whole, with the old lines and the new ones under all names that there are now."""
        self._header = list(dict.fromkeys([*header, *(name for line in new for name in line)]))
        lines = io.StringIO()
        writer = self._writer(lines)
        writer.writerow(self._header)
        writer.writerows([*row, *["NA"] * (len(self._header) - len(row))] for row in rows)
        writer.writerows([line.get(name, "NA") for name in self._header] for line in new)
        write_whole(self._path, lines.getvalue().encode("utf-8", "surrogateescape"))

    def _writer(self, file: TextIO) -> Any:
        return csv.writer(file, delimiter=self.separator, lineterminator="\n")


class TensorBoard(Callback):
    """Write what is measured after every epoch into event files, for `tensorboard --logdir`. Every run writes files of its own, and a
    resumed run takes out of them what came after the moment from which it goes on.

    Args:
        log_dir: the folder, made if it is not there.

    Raises:
        ImportError: tensorboardX is missing; the message says how to get it.
        NotADirectoryError, PermissionError: log_dir is a file, or may not be written to.
    """

    kept = ("run", "epochs")

    checks = MappingProxyType({"log_dir": _check_path})

    def __init__(self, log_dir: AnyPath) -> None:
        self.log_dir = log_dir
        self.writer: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ImportError:
            raise ImportError(
                "log_dir and TensorBoard need tensorboardX: pip install 'minitorch-np[tensorboard]'"
            ) from None
        self._folder = as_path(self.log_dir, "TensorBoard", "log_dir")
        if self._folder.exists() and not self._folder.is_dir():
            raise NotADirectoryError(f"TensorBoard: {self._folder} is a file. Give the path of a folder.")
        self._folder.mkdir(parents=True, exist_ok=True)
        check_writable(self._folder / "events", "TensorBoard")
        self.run, self.epochs = (
            secrets.token_hex(4),
            0,
        )  # what the files of this run are named by; epochs that are in them

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        if self.writer is None:
            # SummaryWriter would write in another thread, and some seconds later: a killed run lost what it had logged.
            self.writer = EventsWriter(str(self._folder / "events"), f".{self.run}.{secrets.token_hex(4)}")
        for name, value in {**numbers_in(logs or {}), "learning_rate": self.model.optimizer.rate}.items():
            self.writer.write_event(Event(wall_time=time.time(), step=epoch, summary=scalar(name, value)))
        self.writer.flush()
        self.epochs = epoch + 1

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with the run that was kept, whose files lose the epochs that it will go through again."""
        if not re.fullmatch("[0-9a-f]{8}", str(state.get("run"))):
            raise ValueError(f"it names the run of TensorBoard {state.get('run')!r}")
        super().set_state(state)
        for path in self._folder.glob(f"events.out.tfevents.*.{self.run}.*"):
            content = path.read_bytes()
            kept = b"".join(record for record, event in _events(content) if event.step < self.epochs)
            if kept != content:
                write_whole(path, kept)

    def on_train_end(self, logs: Logs = None) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def _events(content: bytes) -> Iterator[tuple[bytes, Any]]:
    """Each record of an event file, and the event in it; the last one may have been cut off.

    A record is the length of the event (8 bytes), its check sum (4), the event, and its check sum (4).
    """
    from tensorboardX.proto.event_pb2 import Event

    start = 0
    while len(content) >= start + 12:
        stop = start + 16 + int.from_bytes(content[start : start + 8], "little")
        if len(content) < stop:
            return
        yield content[start:stop], Event.FromString(content[start + 12 : stop - 4])
        start = stop


class TerminateOnNaN(Callback):
    """Nothing: fit always ends at a loss that is not finite, names the first layer whose output is not, and keeps the last
    good weights. The class is here for code that lists it."""


globals()["__getattr__"] = answering(__name__)  # not as a function: to type checkers every name would then exist

"""Callbacks that write what is measured into files: CSV and TensorBoard."""

from __future__ import annotations

import csv
import io
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any, TextIO

from minitorch_np.base.files import AnyPath, as_path, check_writable, write_whole
from minitorch_np.base.validation import Checks, flag
from minitorch_np.callbacks.callback import Callback, Logs, cell, numbers_in


def _check_path(who: str, name: str, value: Any) -> None:
    as_path(value, who, name)


def _check_separator(who: str, name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise ValueError(f"{who}: {name} is one character such as ',' or ';', got {value!r}.")


class CSVLogger(Callback):
    """Write one line per epoch, as soon as it ends, below a line of names. A name that comes later becomes a new column. NA stands
    for a missing value and for NaN.

    Args:
        filename: the file. separator: between the values. append: add to an existing file.

    Raises:
        ValueError: before training, if the existing file is no such table.
    """

    kept: tuple[str, ...] = ("start", "width", "names")

    checks: Checks = {"filename": _check_path, "separator": _check_separator, "append": flag}
    filename: AnyPath
    separator: str
    append: bool
    start: int
    width: int

    def __init__(self, filename: AnyPath, separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = filename, separator, append

    def on_train_begin(self, logs: Logs = None) -> None:
        self._path = as_path(self.filename, "CSVLogger", "filename")
        check_writable(self._path, "CSVLogger")
        header, rows = self._read() if self.append else ([], [])
        # The lines and columns of the file before the run, and the names that this run has written.
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
        """Write the epochs before the checkpoint again, below what the file held before the run."""
        super().set_state(state)
        header, rows = self._read() if self.width else ([], [])
        measured: dict[str, list[float]] = self.model.history or {}
        history = {name: measured[name] for name in self.names if name in measured}
        again = [
            {"epoch": epoch} | {name: cell(values[epoch]) for name, values in history.items()}
            for epoch in range(len(measured.get("loss", ())))
        ]
        self._header = None
        if self.width or again:
            self._rewrite(header[: self.width], [row[: self.width] for row in rows[: self.start]], *again)

    def _read(self) -> tuple[list[str], list[list[str]]]:
        """The names and the lines of the file; empty if it does not exist or is empty."""
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
        """Write the whole file, with old and new lines under all names."""
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
    """Write what is measured after every epoch into event files, for `tensorboard --logdir`. Every run writes its own files. A
    resumed run removes the epochs that it will repeat.

    Args:
        log_dir: the folder, created if it does not exist.

    Raises:
        ImportError: tensorboardX is missing; the message says how to install it.
        NotADirectoryError, PermissionError: log_dir is a file, or may not be written to.
    """

    kept: tuple[str, ...] = ("run", "epochs")

    checks: Checks = {"log_dir": _check_path}
    run: str
    epochs: int

    def __init__(self, log_dir: AnyPath = "logs") -> None:
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
            # SummaryWriter writes in another thread, some seconds later: a killed run would lose what it has logged.
            self.writer = EventsWriter(str(self._folder / "events"), f".{self.run}.{secrets.token_hex(4)}")
        for name, value in {**numbers_in(logs or {}), "learning_rate": self.model.optimizer.rate}.items():
            self.writer.write_event(Event(wall_time=time.time(), step=epoch, summary=scalar(name, value)))
        self.writer.flush()
        self.epochs = epoch + 1

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue the run of the checkpoint; remove the epochs that it will repeat from its files."""
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
    """Each whole record of an event file, and the event in it; the last record may be cut off.

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

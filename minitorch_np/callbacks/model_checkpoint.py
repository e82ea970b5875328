"""ModelCheckpoint: save the model, or its weights, during training."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minitorch_np.base.callers import caller
from minitorch_np.base.files import AnyPath, as_path, check_writable
from minitorch_np.base.validation import Checks, flag
from minitorch_np.callbacks.callback import Logs
from minitorch_np.callbacks.monitor import Monitor

if TYPE_CHECKING:
    from minitorch_np.model import Model


class _AnyMeasure(dict[str, Any]):
    """A number for every name, in place of what will be measured."""

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


class ModelCheckpoint(Monitor):
    """Save the model, or its weights, after every epoch, or after each epoch that is the best so far.

    Args:
        filepath: ends in .keras for the whole model, in .weights.h5 for the weights; may name {epoch} (counted from 1) and
            what is measured, such as {val_loss:.3f}.
        monitor, mode: see Monitor; used with save_best_only.
        save_best_only: save only after epochs that are the best so far.

    Raises:
        ValueError, FileNotFoundError, PermissionError: before training, if the path cannot be written to.
    """

    compared: tuple[str, ...] = (*Monitor.compared, "save_best_only")
    checks: Checks = {"filepath": _check_filepath, "save_best_only": flag}
    filepath: AnyPath
    save_best_only: bool

    def __init__(
        self,
        filepath: AnyPath,
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, 0.0, mode)
        self.filepath, self.save_best_only = filepath, save_best_only
        self._warned: set[str] = set()  # warnings about the model, to be given once

    def set_model(self, model: Model) -> None:
        if self.save_best_only and self.best is not None and model is not self.model:
            warnings.warn(
                f"ModelCheckpoint: it keeps the best {self.monitor} of another model, {self.best:.4g}, and saves only what is better. "
                " Make a new ModelCheckpoint for each model.",
                stacklevel=caller(),
            )
        super().set_model(model)

    def on_train_begin(self, logs: Logs = None) -> None:
        # `best` is kept: a second fit must not replace the file by a worse model.
        place = as_path(self.filepath, "ModelCheckpoint", "filepath")
        while "{" in str(place.parent):  # such a folder is created when it is needed
            place = place.parent
        check_writable(place, "ModelCheckpoint")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._lacks_validation(logs):
            return
        if not self.save_best_only or self.improved(logs):
            path = _filled(self.filepath, {"epoch": epoch + 1, **(logs or {})})
            if "{" in str(as_path(self.filepath, "ModelCheckpoint").parent):
                path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".keras":
                self.model.save(path, warned=self._warned)
            else:
                self.model.save_weights(path)

    def _lacks_validation(self, logs: Logs) -> bool:
        """Whether this epoch is not validated, and the choice or the name of the file depends on validation."""
        if self.save_best_only:
            return self.skips(logs)
        unvalidated = self.params.get("validation_freq", 1) != 1 and "val_loss" not in (logs or {})
        return unvalidated and "{val_" in str(self.filepath)

    def check_measured(self, names: Collection[str]) -> None:
        if self.save_best_only:
            super().check_measured(names)
        _filled(self.filepath, {"epoch": 1, **dict.fromkeys(names, 0.0)})

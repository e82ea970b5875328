"""ModelFileError: anything that is wrong with a model file."""

from __future__ import annotations

import os


class ModelFileError(ValueError):
    """A file that is no model, or not one that can be trusted. Nothing was changed by reading it.

    Attributes:
        path: the file. what: what is wrong with it. remedy: what to do.
    """

    def __init__(self, path: str | os.PathLike[str], what: str, remedy: str) -> None:
        super().__init__(f"{os.fspath(path)}: {what}. {remedy}")
        self.path, self.what, self.remedy = path, what, remedy

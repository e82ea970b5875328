"""Names of the package and its modules: the error for an unknown one, with the line to write instead."""

from __future__ import annotations

import opcode
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from minitorch_np.base.answers import table

_IMPORT_FROM = opcode.opmap["IMPORT_FROM"]


def in_module(module: str, name: str) -> AttributeError | ImportError:
    """The error for an unknown name of a module, for the module's __getattr__.

    `from module import name` would replace an AttributeError by its own error, so it gets an ImportError.
    """
    line = line_for_name(name) or table().get(f"mt{module.removeprefix('minitorch_np')}.{name}", "")
    if not line and name[0] != "_":  # imports ask for __path__ and the like
        from minitorch_np.base.alike import line_for_alike

        line = line_for_alike(module, name)
    asking = sys._getframe(2)  # the frame of the line that runs the module's __getattr__
    if line and asking.f_code.co_code[asking.f_lasti] == _IMPORT_FROM:
        return ImportError(f"cannot import name {name!r} from {module!r}. {line}", name=module)
    if name != "__path__" and not asking.f_code.co_filename.startswith("<frozen"):  # imports ask for both
        line = _line_for_path(_names_after(asking)) or line
    return AttributeError(
        f"module {module!r} has no attribute {name!r}. {line}".rstrip(), name=""
    )  # Python adds no guess of its own


def line_for_name(name: str) -> str:
    """What to write for mt.name, if it has an answer or is a name of NumPy, or ""."""
    numpys = f"Arrays are NumPy's: write np.{name}." if name in sys.modules["numpy"].__all__ else ""
    return table().get(f"mt.{name}", numpys)


def _names_after(frame: FrameType) -> list[str]:
    """The names that the line of this frame reads next: ["functional", "relu"] where it fails at the `nn` of mt.nn.functional.relu."""
    import dis

    names = []
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset > frame.f_lasti:
            if instruction.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            names.append(instruction.argval)
    return names


def _line_for_path(names: Sequence[str]) -> str:
    """What to write for mt.names[0].names[1]…: the answer to the last name that has one, or the public name that it is here, or ""."""
    for start in range(len(names)):
        if is_public(names[start:]):
            return f"Write mt.{'.'.join(names[start:])}."
    return next(filter(None, map(line_for_name, reversed(names))), "")


def is_public(names: Sequence[str]) -> bool:
    """Whether mt.names[0].names[1]… is public."""
    found: Any = sys.modules["minitorch_np"]
    for name in names:
        if name not in getattr(found, "__all__", ()):
            return False
        found = getattr(found, name)
    return True


class AnswersForeignModules:
    """A finder of modules, after all others: `import minitorch_np.nn` raises an error with the line to write."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        package, _, last = name.rpartition(".")
        line = table().get(f"mt.{last}") if package == __name__.partition(".")[0] else None
        if line:
            raise ModuleNotFoundError(f"No module named {name!r}. {line}", name=name)


sys.meta_path.append(AnswersForeignModules)  # now, because the next line of a program may be such an import


def public_module(name: str) -> None:
    """Give a module a __getattr__ that answers foreign names, and a __dir__ that lists only the public names.

    They are set here and not defined in the module, because type checkers accept every name of a module with a __getattr__.
    """

    def refuse(missing: str) -> NoReturn:
        raise in_module(name, missing)

    module = sys.modules[name]
    vars(module).update(__getattr__=refuse, __dir__=lambda: sorted(module.__all__))

"""The command minitorch-np.

    minitorch-np summary FILE
    minitorch-np predict FILE IMAGE...
    minitorch-np evaluate FILE DATA.h5
    minitorch-np gradcheck path/to/file.py:MyLayer --shape 5,3

Exit status: 0 all is well, 1 something is wrong with what was asked about, 2 it could not be asked.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from minitorch_np.cli import gradcheck, models
from minitorch_np.cli.error import CommandError, complain, said


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="minitorch-np", description="Tools of minitorch_np.")
    commands = parser.add_subparsers(required=True, metavar="command")
    models.add_to(commands)
    gradcheck.add_to(commands)
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal's encoding does not have is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = options.run(options)
        if sys.stdout is not None:  # None where the program was started without one
            sys.stdout.flush()
        return status
    except CommandError as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has left, as `head` does
        _give_up_stdout()
        return 0
    except Exception as error:  # of files, pictures, memory, a full disk: one line, like all the others
        if isinstance(error, OSError):
            _give_up_stdout()
        complain(said(error))
        return 2


def _give_up_stdout() -> None:
    """Let what is left in the buffer of stdout go nowhere, so that Python's end does not fail on it again."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no stdout, it is closed, or no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

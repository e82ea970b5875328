"""The command minitorch-np.

    minitorch-np summary FILE
    minitorch-np predict FILE IMAGE...
    minitorch-np evaluate FILE DATA.h5
    minitorch-np gradcheck path/to/file.py:MyLayer --shape 5,3

Exit status: 0 success, 1 the command found something wrong, 2 it could not run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from minitorch_np.cli import gradcheck, models
from minitorch_np.cli.error import CommandError, complain, one_line


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="minitorch-np", description="Tools of minitorch_np.")
    commands = parser.add_subparsers(required=True, metavar="command")
    models.add_to(commands)
    gradcheck.add_to(commands)
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):  # escape what the terminal's encoding does not have
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
    except Exception as error:  # of files, images, memory, a full disk: one line, like all other errors
        if isinstance(error, OSError):
            _give_up_stdout()
        complain(one_line(error))
        return 2


def _give_up_stdout() -> None:
    """Discard what is left in the buffer of stdout, so that Python does not fail on it again when it ends."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # stdout does not exist, is closed, or is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

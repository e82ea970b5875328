"""The command minitorch-np.

    minitorch-np summary FILE
    minitorch-np predict FILE IMAGE...
    minitorch-np evaluate FILE DATA.h5
    minitorch-np gradcheck path/to/file.py:MyLayer --shape 5,3

Exit status: 0 all is well, 1 something is wrong with what was asked about, 2 it could not be asked.
"""

from __future__ import annotations

import argparse
import os
import sys

from minitorch_np.cli import gradcheck, models
from minitorch_np.cli.error import CommandError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="minitorch-np", description="Tools of minitorch_np.")
    commands = parser.add_subparsers(required=True, metavar="command")
    models.add_to(commands)
    gradcheck.add_to(commands)
    options = parser.parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except CommandError as error:
        print(f"minitorch-np: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0

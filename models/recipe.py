"""What the recipes have in common beside their networks: options, a folder of their own, metrics, and messages of one line."""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path


def options(text, recipe, epochs):
    """A parser with the options of every recipe; each writes to its own folder, so that none overwrites another's files."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument(
        "--epochs", type=number(int, 1), default=epochs, help=f"passes over the training data ({epochs})"
    )
    parser.add_argument("--seed", type=number(int, 0), default=1, help="of everything that is random (1)")
    parser.add_argument(
        "--output", type=Path, default=Path("output", recipe), help=f"folder for all files (output/{recipe})"
    )
    return parser


def number(kind, least, below=math.inf):
    """A type for an option: an int or a float from `least` up to, but without, `below`."""
    noun = "a whole number" if kind is int else "a number"
    limit = f"at least {least}" + ("" if below == math.inf else f" and below {below}")

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value < below:
            raise argparse.ArgumentTypeError(f"expected {noun} of {limit}, got {text!r}.")
        return value

    return convert


def make_folder(path):
    """Make the folder, and try to write into it: before training, not after."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OSError(f"cannot write into {path} ({error.strerror}). Choose another folder: --output FOLDER.") from None


def stop_if_interrupted(history, epochs):
    """Ctrl-C ends `fit` after a whole step. A model with fewer whole epochs than these is not worth reporting: end the recipe."""
    if history.epochs < epochs:
        raise KeyboardInterrupt


def write_metrics(args, **metrics):
    """The options, and what was measured with them, as metrics.json."""
    settings = {name: str(value) for name, value in vars(args).items()}
    (args.output / "metrics.json").write_text(json.dumps({"settings": settings, **metrics}, indent=2) + "\n")


def run(recipe, main):
    """Call main. What a user can mend ends the program with one line in place of a traceback."""
    try:
        main()
    except (ValueError, OSError, ImportError, FloatingPointError, argparse.ArgumentError) as error:
        sys.exit(f"{recipe}: {error}")
    except KeyboardInterrupt:
        print(f"\n{recipe}: stopped.", file=sys.stderr)
        sys.exit(130)  # as a shell reports Ctrl-C

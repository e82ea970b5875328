"""minitorch-np gradcheck: check the gradients of a layer, loss or model that a file defines.

    minitorch-np gradcheck path/to/file.py:MyLayer --shape 5,3 [--hint 1] [--json] [--plot errors.png]

Exit status: 0 pass, 1 fail, 2 inconclusive or impossible to check.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.cli.error import CommandError, one_line

_TOLD = ("parameters", "examples", "forward", "backward", "output", "dx", "learning_rate", "averaged")  # to adapt
_STATUS = {"pass": 0, "fail": 1, "inconclusive": 2}


def add_to(commands: Any) -> None:
    """Add the command."""
    check = commands.add_parser("gradcheck", help="check the gradients of a layer, loss or model in a file")
    check.add_argument("target", help="file.py:Name, or file.py:Name(arguments)")
    given = check.add_mutually_exclusive_group(required=True)
    given.add_argument("--shape", type=_shape, help="shape of random inputs, the batch first, such as 5,3")
    given.add_argument("--x", metavar="FILE", help="the inputs, a .npy file")
    check.add_argument("--y", metavar="FILE", help="the targets, a .npy file")
    check.add_argument("--loss", help="for a model: the name of a loss behind it, such as mse; needs --y")
    check.add_argument("--seed", type=int, default=0)
    check.add_argument(
        "--hint", type=int, choices=range(4), default=3, help="0 right or wrong, 1 where, 2 which bug, 3 the remedy"
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--plot", metavar="FILE", help="draw the errors of the worst tensor")
    check.set_defaults(run=_gradcheck)
    elsewhere = check.add_argument_group("code from elsewhere", "what cannot be found in it (gradcheck.adapt)")
    elsewhere.add_argument("--parameters", type=_pairs, metavar="W=dW,b=db", help="parameters and their gradients")
    elsewhere.add_argument("--examples", choices=("rows", "columns", "one"), help="how x arranges examples")
    elsewhere.add_argument("--forward", metavar="NAME", help="the method, if it is not a usual one")
    elsewhere.add_argument("--backward", metavar="NAME", help="the method, if it is not a usual one")
    elsewhere.add_argument("--output", metavar="NAME", help="the attribute that holds y, if forward returns nothing")
    elsewhere.add_argument(
        "--dx", metavar="NAME", help="the attribute, or the key of what backward returns, with dL/dx"
    )
    elsewhere.add_argument(
        "--learning-rate", type=float, metavar="RATE", help="of a backward that changes the parameters"
    )
    elsewhere.add_argument(
        "--averaged", action="store_true", help="backward divides gradients of parameters by the batch"
    )


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in text.replace("x", ",").strip("()").split(",") if size.strip())
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"expected positive numbers such as 5,3, got {text!r}")
    return shape


def _pairs(text: str) -> dict[str, str]:
    pairs = {name.strip(): gradient.strip() for name, _, gradient in (pair.partition("=") for pair in text.split(","))}
    if not all(pairs) or not all(pairs.values()):
        raise argparse.ArgumentTypeError(f"expected parameters with their gradients, such as W=dW,b=db, got {text!r}")
    return pairs


def _array(path: str) -> Any:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise CommandError(f"{path}: there is no such file") from error
    except (OSError, ValueError, EOFError) as error:
        raise CommandError(f"{path}: not a .npy file that can be read: {one_line(error)}") from error
    if not isinstance(array, np.ndarray):
        raise CommandError(f"{path}: a file of several arrays ({', '.join(array)}). Save one with np.save.")
    return array


def _gradcheck(options: argparse.Namespace) -> int:
    from minitorch_np.checking import gradcheck
    from minitorch_np.checking.adapting import adapt
    from minitorch_np.layer import Layer
    from minitorch_np.losses import Loss

    target = _load(options.target)
    rng = np.random.default_rng(options.seed)
    x: Any = options.shape if options.x is None else _array(options.x)
    y = None if options.y is None else _array(options.y)
    if y is None and (options.loss or (isinstance(target, Loss) and options.x)):
        raise CommandError(f"{options.loss or options.target}: a loss compares with targets: give them too, --y y.npy")
    if isinstance(target, Layer) and y is not None and not options.loss:
        raise CommandError("--y holds the targets of a loss: give the loss too, such as --loss mse, or leave --y out")
    if isinstance(target, Loss) and options.x is None:
        x, y = rng.uniform(0.05, 0.95, options.shape), rng.uniform(0.05, 0.95, options.shape)
    try:
        told = {name: getattr(options, name) for name in _TOLD if getattr(options, name)}
        if told and isinstance(target, (Layer, Loss)):
            raise ValueError(
                f"{', '.join('--' + name.replace('_', '-') for name in told)}: only for code from elsewhere, and this is a "
                f"{'Layer' if isinstance(target, Layer) else 'Loss'}. Leave it out."
            )
        target = adapt(target, **told) if told else target
        report = gradcheck(target, x, y, loss=options.loss, rng=options.seed, hint=options.hint, raise_exception=False)
    except Exception as error:
        raise CommandError(f"{options.target}: {_reason(error)}") from error
    print(report.to_json() if options.json else report)
    if options.plot:
        try:
            report.plot().figure.savefig(options.plot, dpi=150)
        except (ValueError, ImportError, OSError) as error:
            raise CommandError(str(error)) from error
    return _STATUS[report.verdict]


def _reason(error: Exception) -> str:
    """The message of an error of this package; for one that the checked code raises, also its line and the shapes there."""
    from minitorch_np.checking.crash import describe

    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    if isinstance(error, ValueError) and Path(last.f_code.co_filename).is_relative_to(Path(__file__).parents[1]):
        return str(error).removeprefix("gradcheck: ")
    return describe(error, "forward")


def _load(text: str) -> Any:
    """The object that file.py:expression names; a class is called without arguments."""
    place, colon, expression = text.partition(".py:")
    path = Path(place + ".py")
    if not colon or not expression:
        raise CommandError(f"expected file.py:Name, got {text!r}")
    if not path.is_file():
        raise CommandError(f"{path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CommandError(f"{path}: the file does not import: {one_line(error)}") from error
    if expression.isidentifier() and not hasattr(module, expression):
        classes = [value for value in vars(module).values() if isinstance(value, type)]
        names = [value.__name__ for value in classes if value.__module__ == path.stem]
        raise CommandError(f"{path}: there is no {expression}; classes there: {', '.join(names) or 'none'}")
    try:
        target = eval(expression, vars(module))  # the user's own file and expression
        return target() if isinstance(target, type) else target
    except Exception as error:
        raise CommandError(
            f"{text}: it cannot be built: {one_line(error)}. Give arguments as file.py:Name(3)"
        ) from error

"""minitorch-np gradcheck: check the gradients of a layer, loss or model that a file defines.

    minitorch-np gradcheck path/to/file.py:MyLayer --shape 5,3 [--hint 1] [--json] [--plot errors.png]

Exit status: 0 pass, 1 fail, 2 inconclusive or impossible to check.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.cli.error import CommandError, one_line

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
    check.add_argument(
        "--parameters", metavar="W=dW,b=db", help="where parameters and their gradients are (gradcheck.adapt)"
    )
    check.add_argument(
        "--examples", choices=("rows", "columns", "one"), help="how x arranges examples (gradcheck.adapt)"
    )
    check.add_argument("--seed", type=int, default=0)
    check.add_argument(
        "--hint", type=int, choices=range(4), default=3, help="0 right or wrong, 1 where, 2 which bug, 3 the remedy"
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--plot", metavar="FILE", help="draw the errors of the worst tensor")
    check.set_defaults(run=_gradcheck)


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in text.replace("x", ",").strip("()").split(",") if size.strip())
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"expected positive numbers such as 5,3, got {text!r}")
    return shape


def _array(path: str) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CommandError(f"{path}: not a .npy file that can be read: {one_line(error)}") from error


def _gradcheck(options: argparse.Namespace) -> int:
    from minitorch_np.checking import gradcheck
    from minitorch_np.checking.adapting import adapt
    from minitorch_np.losses import Loss

    target = _load(options.target)
    rng = np.random.default_rng(options.seed)
    x: Any = options.shape if options.x is None else _array(options.x)
    y = None if options.y is None else _array(options.y)
    if isinstance(target, Loss) and options.x is None:
        x, y = rng.uniform(0.05, 0.95, options.shape), rng.uniform(0.05, 0.95, options.shape)
    try:
        if options.parameters or options.examples:
            pairs = dict(pair.split("=", 1) for pair in options.parameters.split(",")) if options.parameters else None
            target = adapt(target, parameters=pairs, examples=options.examples)
        report = gradcheck(target, x, y, loss=options.loss, rng=options.seed, hint=options.hint, raise_exception=False)
    except Exception as error:
        raise CommandError(f"{options.target}: forward failed with {one_line(error)}") from error
    print(report.to_json() if options.json else report)
    if options.plot:
        try:
            report.plot().figure.savefig(options.plot, dpi=150)
        except (ValueError, ImportError, OSError) as error:
            raise CommandError(str(error)) from error
    return _STATUS[report.verdict]


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

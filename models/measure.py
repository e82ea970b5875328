"""Run a recipe with several seeds, and print a row of the table in models/README.md.

python models/measure.py cat_classifier                  seeds 0 to 9
python models/measure.py spirals --seeds 3 --epochs 50   fewer seeds, and options of the recipe
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from recipe import number, run

FOLDER = Path(__file__).parent
RECIPES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("measure", "recipe"))


def recipe_name(text):
    """The name of a recipe, from its name, its file's name or its path."""
    name = Path(text).name.removesuffix(".py")
    if name not in RECIPES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(RECIPES)}, got {text!r}.")
    return name


def measure(recipe, seed, options):
    """The metrics that the recipe writes for one seed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(FOLDER / f"{recipe}.py"), *options, "--seed", str(seed), "--output", folder]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise OSError(f"{recipe} failed with seed {seed} (exit code {done.returncode}); its message is above.")
        return json.loads(Path(folder, "metrics.json").read_text())


def accuracy(metrics):
    return list(metrics["test"].values())[-1]["accuracy"]  # the network comes after the baselines


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="--seed and --output of the recipe are set here.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("recipe", type=recipe_name, help=f"one of {', '.join(RECIPES)}")
    parser.add_argument("--seeds", type=number(int, 1), default=10, help="how many, from 0 on (10)")
    args, options = parser.parse_known_args()
    runs = []
    for seed in range(args.seeds):
        print(f"{args.recipe}, seed {seed}, run {seed + 1} of {args.seeds} ...", file=sys.stderr, flush=True)
        runs.append(measure(args.recipe, seed, options))
        print(f"  {accuracy(runs[-1]):.1%} right, trained in {runs[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    scores = [accuracy(metrics) for metrics in runs]
    spread = f" ± {statistics.stdev(scores):.1%}" if len(scores) > 1 else ""
    seconds = statistics.median(metrics["seconds"] for metrics in runs)
    print(
        f"| `{args.recipe}.py` | {statistics.mean(scores):.1%}{spread} | {min(scores):.1%} to {max(scores):.1%} "
        f"| {seconds:.1f} s |"
    )


if __name__ == "__main__":
    run("measure", main)

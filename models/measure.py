"""A recipe over several seeds, as a row of the table in models/README.md.

python models/measure.py cat_classifier [--seeds 10] [options of the recipe]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def run(recipe, seed, options):
    """The metrics that the recipe writes for one seed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(Path(__file__).with_name(f"{recipe}.py")),
            "--seed",
            str(seed),
            "--output",
            folder,
        ]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
        (written,) = Path(folder).glob("*metrics.json")
        return json.loads(written.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--seeds", type=int, default=10)
    args, options = parser.parse_known_args()
    runs = [run(args.recipe, seed, options) for seed in range(args.seeds)]
    scores = [list(metrics["test"].values())[-1]["accuracy"] for metrics in runs]
    seconds = statistics.median(metrics["seconds"] for metrics in runs)
    spread = statistics.stdev(scores) if len(scores) > 1 else 0
    print(
        f"| `{args.recipe}.py` | {statistics.mean(scores):.1%} ± {spread:.1%} | {min(scores):.1%} to {max(scores):.1%} "
        f"| {seconds:.1f} s |"
    )


if __name__ == "__main__":
    main()

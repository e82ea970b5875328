"""What each gradient checker sees of the catalogue: `python -m tests.gradcheck_benchmark [--only TEXT] [--json FILE]`.

Every wrong layer and loss at gradient scales 1 and 1e-5, and every right one, of batches of 5 and of 1. Killed: the
checker says that the wrong one is wrong. Of those, named: the first diagnosis is one of the names that are true of the
bug; named later: another diagnosis is. False alarms: right ones that it calls wrong; undecided: neither right nor wrong.
The other checkers name no bug.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from minitorch_np import gradcheck

from . import rivals
from .catalogue import RIGHT, WRONG, Case
from .layers import scaled

SCALES = (1.0, 1e-5)
OURS = "minitorch_np"


@dataclass
class Result:
    """One verdict on one case; `names` are the diagnoses that were given, `expected` those that are true."""

    checker: str
    case: str
    scale: float
    batch: int
    verdict: str
    names: list[str]
    expected: tuple[str, ...]
    seconds: float

    @property
    def naming(self) -> str:
        if not self.names:
            return "unnamed"
        if self.names[0] in self.expected:
            return "named"
        return "named later" if set(self.names) & set(self.expected) else "misnamed"

    def __str__(self) -> str:
        given = ", ".join(self.names) or self.verdict
        return f"{self.case} (scale {self.scale:g}, batch {self.batch}): {', '.join(self.expected)}; given: {given}"


def ours(target: object, x: np.ndarray, y: np.ndarray | None) -> tuple[str, list[str]]:
    try:
        report = gradcheck(target, x, y, raise_exception=False, rng=0, strict_dtype=True)
    except Exception as error:  # a wrong layer may not bring the checker down
        return f"{type(error).__name__}: {error}", []
    return report.verdict, [diagnosis.name for diagnosis in report.diagnoses]


def checkers() -> dict[str, Callable[..., tuple[str, list[str]]]]:
    others = {name: lambda *given, judge=judge: (judge(*given), []) for name, judge in rivals.installed().items()}
    return {OURS: ours} | others


def results(cases: list[Case], batches: tuple[int, ...]) -> Iterator[Result]:
    for name, check in checkers().items():
        for case in cases:
            for scale in SCALES:
                for batch in batches:
                    x, y = case.draw(batch)
                    start = time.perf_counter()
                    verdict, names = check(scaled(case.make(), scale), x, y)
                    seconds = time.perf_counter() - start
                    yield Result(name, str(case), scale, batch, verdict, names, case.names, seconds)


def table(wrong: list[Result], right: list[Result]) -> str:
    columns = [f"killed at {scale:g}" for scale in SCALES] + ["false alarms", "undecided"]
    namings = ["named", "named later", "misnamed", "unnamed"]
    lines = ["".join([f"{'':16}", *(f"{column:>16}" for column in [*columns, *namings, "seconds"])])]
    for name in dict.fromkeys(result.checker for result in [*wrong, *right]):
        mine = [result for result in wrong if result.checker == name]
        controls = [result for result in right if result.checker == name]
        cells = []
        for scale in SCALES:
            verdicts = [result.verdict for result in mine if result.scale == scale]
            cells.append(f"{verdicts.count('fail')} / {len(verdicts)}")
        verdicts = [result.verdict for result in controls]
        cells += [
            f"{verdicts.count('fail')} / {len(verdicts)}",
            str(len(verdicts) - sum(map(verdicts.count, ("fail", "pass")))),
        ]
        counts = Counter(result.naming for result in mine if result.verdict == "fail")
        cells += [str(counts[naming]) if name == OURS else "-" for naming in namings]
        cells.append(f"{sum(result.seconds for result in [*mine, *controls]):.1f}")
        lines.append("".join([f"{name:16}", *(f"{cell:>16}" for cell in cells)]))
    return "\n".join(lines)


def listing(title: str, found: list[Result]) -> str:
    return "\n".join([f"\n{title}: {len(found)}", *(f"  {result}" for result in found)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only cases whose kind, shape or bug holds this text")
    parser.add_argument("--json", help="a file for every single result")
    args = parser.parse_args()
    wrong = list(results([case for case in WRONG if args.only in str(case)], (5,)))
    right = list(results([case for case in RIGHT if args.only in str(case)], (5, 1)))
    print(table(wrong, right))
    mine = [result for result in wrong if result.checker == OURS]
    killed = [result for result in mine if result.verdict == "fail"]
    print(listing("Missed", [result for result in mine if result.verdict != "fail"]))
    for naming in ("unnamed", "misnamed", "named later"):
        print(listing(naming.capitalize(), [result for result in killed if result.naming == naming]))
    print(listing("Right, but not passed", [one for one in right if one.checker == OURS and one.verdict != "pass"]))
    if args.json:
        with open(args.json, "w") as file:
            json.dump([asdict(result) for result in [*wrong, *right]], file, indent=1)


if __name__ == "__main__":
    main()

"""Memory of one contender: `python -m tests.benchmarks.memory CASE NAME` prints MB before the first step, and the peak (Linux)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.benchmarks.cases import CASES
from tests.benchmarks.networks import CONTENDERS, ours


def status(field: str) -> float:
    """A field of this process's status in MB; unlike getrusage's maximum, it does not begin with the parent's."""
    (kilobytes,) = re.findall(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) / 1000


def main(number: int, title: str) -> None:
    make = ours if title == "minitorch_np" else CONTENDERS[title][1]
    run = make(CASES[number])
    before = status("VmRSS")
    run(max(CASES[number].steps_per_epoch, 30))
    print(before, status("VmHWM"))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

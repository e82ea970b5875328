"""Memory of one contender: `python -m tests.benchmarks.memory NAME` prints MB before the first step, and the peak (Linux)."""

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


def main(title: str) -> None:
    make = ours if title == "minitorch_np" else CONTENDERS[title][1]
    run = make(CASES[0])
    before = status("VmRSS")
    run(30)
    print(before, status("VmHWM"))


if __name__ == "__main__":
    main(sys.argv[1])

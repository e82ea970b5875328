"""Damaged files: refused, or the same weights; never a crash, a hang or other numbers.

Keras's `.weights.h5` and older `.h5` keep no sum of their numbers, so a flipped bit of one cannot be detected: of them it is held
that they never crash, hang or take more than is stored, and it is counted how many are taken with other numbers.
"""

from collections import Counter

import numpy as np
import pytest
import sandbox

UNGUARDED = ("theirs.weights.h5", "theirs.h5")


def damaged(whole, rng):
    """The content with a bit flipped, cut off, a stretch overwritten, two blocks swapped, or bytes put in."""
    content = bytearray(whole)
    how, place = int(rng.integers(5)), int(rng.integers(len(content)))
    length = int(rng.integers(1, 60))
    if how == 0:
        content[place] ^= 1 << int(rng.integers(8))
    elif how == 1:
        del content[place:]
    elif how == 2:
        content[place : place + length] = rng.bytes(len(content[place : place + length]))
    elif how == 3:
        other, length = int(rng.integers(len(content))), 10 * length
        length = min(length, len(content) - max(place, other))
        one, two = content[place : place + length], content[other : other + length]
        content[place : place + length], content[other : other + length] = two, one
    else:
        content[place:place] = rng.bytes(length)
    return bytes(content)


def results(folder, bad, kind, count, seed=0):
    """How many of so many damaged files of a kind came out in which way."""
    rng, whole = np.random.default_rng(seed), (folder / kind).read_bytes()
    (due,) = sandbox.outcomes([(kind, folder / kind)])
    jobs = []
    for number in range(count):
        jobs.append((kind, bad / f"{number}.{kind}"))
        jobs[-1][1].write_bytes(damaged(whole, rng))
    found = Counter()
    for outcome in sandbox.outcomes(jobs):
        other = outcome["result"] == "taken" and outcome["detail"] != due["detail"]
        slow = outcome["seconds"] > 2 or outcome["memory"] > 200
        found["slow or large" if slow else "other numbers" if other else outcome["result"]] += 1
    return found


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    sandbox.make(folder)
    return folder


@pytest.mark.parametrize("kind", sandbox.KINDS)
def test_damage_is_refused_or_changes_nothing(good, tmp_path, kind):
    found = results(good, tmp_path, kind, 100)
    allowed = {"refused", "taken", "other numbers"} if kind in UNGUARDED else {"refused", "taken"}
    assert set(found) <= allowed, found
    assert found["refused"] > 40


if __name__ == "__main__":
    import sys
    from pathlib import Path
    from tempfile import TemporaryDirectory

    count = int(sys.argv[1])
    for kind in sandbox.KINDS:
        with TemporaryDirectory() as folder:
            good, bad = Path(folder) / "good", Path(folder) / "bad"
            good.mkdir()
            bad.mkdir()
            sandbox.make(good)
            print(kind, dict(results(good, bad, kind, count, seed=1)), flush=True)

"""Bad files of every kind: each is refused with ModelFileError, within 2 seconds and 200 megabytes."""

import re

import pytest
import sandbox
from hazards import CASES
from hazards.plain import LOCKED


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    model = sandbox.make(folder)
    return folder, sandbox.digest(model.get_weights())


def refusals(good, bad):
    """What becomes of every case, made from the files in one folder in another."""
    jobs = {}
    for number, ((name, kind), (write, _)) in enumerate(CASES.items()):
        jobs[name, kind] = bad / f"{number}.{kind}"
        write(good / kind, jobs[name, kind])
    found = sandbox.outcomes([(kind, path) for (_, kind), path in jobs.items()])
    while LOCKED:
        LOCKED.pop().close()
    return dict(zip(jobs, found, strict=True))


@pytest.fixture(scope="module")
def refused(good, tmp_path_factory):
    return refusals(good[0], tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_bad_file_is_refused(refused, name, kind):
    outcome = refused[name, kind]
    assert outcome["result"] == "refused", outcome
    assert not outcome["warned"]
    assert outcome["seconds"] < 2  # of computing; whole processes are ended after 10
    assert outcome["memory"] < 200
    assert len(outcome["detail"]) < 700
    assert re.search(CASES[name, kind][1], outcome["detail"]), outcome["detail"]


def test_good_files_are_taken_and_those_without_sums_with_a_warning(good):
    folder, due = good
    found = sandbox.outcomes([(kind, folder / kind) for kind in sandbox.KINDS])
    for kind, outcome in zip(sandbox.KINDS, found, strict=True):
        assert (outcome["result"], outcome["detail"]) == ("taken", due), kind
        assert [("has no SHA-256" in text) for text in outcome["warned"]] == ([True] if "theirs" in kind else []), kind


if __name__ == "__main__":
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        good, bad = Path(folder) / "good", Path(folder) / "bad"
        good.mkdir()
        bad.mkdir()
        sandbox.make(good)
        found = refusals(good, bad)
    print("| what | kind | result | seconds | megabytes |\n|---|---|---|---|---|")
    for (name, kind), outcome in found.items():
        print(f"| {name} | {kind} | {outcome['result']} | {outcome['seconds']:.2f} | {outcome['memory']:.0f} |")

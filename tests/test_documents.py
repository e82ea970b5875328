"""README and docs: every block of Python runs, every link leads somewhere, every file that is named exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "models" / "README.md"]
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


HOW_DO_I = ROOT / "docs" / "how_do_i.md"
BEGINNING, *SECTIONS = re.split(r"^(?=## )", HOW_DO_I.read_text(), flags=re.MULTILINE)


def run(text, document, names, lines_before=0):
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = lines_before + text[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block.group(1), str(document), "exec"), names)


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path != HOW_DO_I], ids=lambda path: path.name)
def test_every_block_of_python_runs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(document.read_text(), document, {"__name__": "document"})


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0].removeprefix("## "))
def test_every_answer_runs_after_the_first_block(section, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "document"}
    run(BEGINNING, HOW_DO_I, names)
    before = HOW_DO_I.read_text().partition(section)[0]
    run(section, HOW_DO_I, names, before.count("\n"))


@every_document
def test_every_link_leads_somewhere(document):
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text()):
        linked = document.parent / target if target else document
        assert linked.exists(), target
        assert not heading or heading in headings(linked), heading


@every_document
def test_every_file_that_is_named_exists(document):
    folders = [ROOT, ROOT / "minitorch_np", ROOT / "models", ROOT / "tests"]
    inside = {path.name for path in (ROOT / "minitorch_np").rglob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)\b", document.read_text()):
        assert any((folder / name).exists() for folder in folders) or name in inside, name


def test_the_path_of_a_batch_names_what_is_in_the_files():
    rows = re.findall(
        r"^\| \d+ \| `([\w/]+\.py)`.*? \| (.*) \|$", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 10
    for name, text in rows:
        code = (ROOT / "minitorch_np" / name).read_text()
        for word in re.findall(r"`([\w.]+)`", text):
            assert word.endswith(".py") or word.rpartition(".")[2] in code, (name, word)


# One word for one thing: images, callbacks, state, penalty, preprocessing, user-defined, allocation limit, validation.
OTHER_WORDS = r"\b(pictures|watchers?|standing|price of a|stem|strangers?|somebody|whom|rooms?|doors?|goes on)\b"


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "docs" / "mini.py"], ids=lambda path: path.name
)
def test_documents_use_the_words_of_the_field(path):
    assert not re.findall(OTHER_WORDS, path.read_text(), re.IGNORECASE)


def headings(document):
    """The anchors of a page, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines]

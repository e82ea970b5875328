"""The text of a report, at four levels of telling, so that a teacher decides how much a student is told.

hint 0: right or wrong
hint 1: which tensor is wrong, and its worst element with backward's value and the true one
hint 2: the kind of bug
hint 3: what to change
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of

if TYPE_CHECKING:
    from minitorch_np.checking.report import GradcheckReport, TensorResult

_ROWS = 6  # of the table
_MORE = 3  # findings and kinks
_LEGEND = " error: |backward - true|; allowed: the largest error that rounding can explain"
_LEGEND_OF_NAN = " nan: gradients are set to nan before backward, and stay nan where it writes nothing, or adds with +="
_SUMS = "weighted sums"
_LEGEND_OF_SUMS = f" {_SUMS}: the gradient was multiplied by random weights and added up, instead of element by element"


def describe(report: GradcheckReport) -> str:
    """The report as text, as far as its hint allows."""
    lines = [headline(report) + (f"; {report.looked_at}" if report.looked_at else "")]
    if report.hint >= 1:
        lines += _table(report)
        lines += [f" {finding}" for finding in report.findings if finding not in report.remarks][:_MORE]
    if report.hint >= 2:
        lines += [_in_their_words(line, report.names) for line in _diagnoses(report)]
    if report.hint >= 1:
        lines += [f" {kink}" for kink in report.kinks[:_MORE]]
        lines += (
            [f" true values: from forward alone, by {report.method}"]
            if report.method not in ("", "none") and report.tensors
            else []
        )
        lines += [f" Remark: {remark}" for remark in report.remarks[:_MORE]]
    lines += [f" to repeat this check: rng={report.seed!r}"] if report.seed is not None else []
    return "\n".join(_with_their_names(line, report.names) for line in lines)


def _with_their_names(line: str, names: Mapping[str, str]) -> str:
    """Gradients by the names that somebody else's code gives them, such as dW for W.grad."""
    for name, theirs in names.items():
        if name != "dy":
            line = re.sub(rf"(?<![\w.])(self\.)?{re.escape(name)}(?![\w.])", rf"\g<1>{theirs}", line)
    return line


def _in_their_words(line: str, names: Mapping[str, str]) -> str:
    """dy by the name that backward gives it, but for dy/dx."""
    return re.sub(r"(?<![\w./])dy(?![\w/])", names.get("dy", "dy"), line)


def headline(report: GradcheckReport) -> str:
    """What was checked, and whether it is right."""
    start = f"gradcheck: {report.target}"
    if report.verdict == "pass":
        return f"{start} is right"
    if report.verdict == "inconclusive":
        return f"{start} is INCONCLUSIVE{f' in {report.where}' if report.where else ''}"
    if report.hint == 0:
        return f"{start} is WRONG"
    text = f"{start} is WRONG{f' in {report.where}' if report.where else ''}"
    wrong = [name for name, result in report.tensors.items() if result.verdict == "fail"]
    if wrong:
        text += f" for {_gradients(wrong)}"
        right = [name for name, result in report.tensors.items() if result.verdict == "pass"]
        text += f" ({_gradients(right)} {'is' if len(right) == 1 else 'are'} right)" if right else ""
    elif faults := [finding for finding in report.findings if finding not in report.remarks]:
        text += f": {faults[0].partition(':')[0].rstrip('.')}"
    elif report.diagnoses:
        text += f": {report.diagnoses[0].name if report.hint >= 2 else 'backward breaks a rule of the contract'}"
    return f"{text}, {report.setting}" if report.setting else text


def _gradients(names: list[str]) -> str:
    shown = [gradient_of(name) for name in names[:4]]
    if len(names) > len(shown):
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _table(report: GradcheckReport) -> list[str]:
    """One line for each tensor, the worst one first."""
    results = sorted(report.tensors.items(), key=lambda item: -item[1].excess)
    if not results:
        return []
    rows = [_row(_with_their_names(gradient_of(name), report.names), result) for name, result in results[:_ROWS]]
    any_values = any(any(row[4:]) for row in rows)
    head = ("gradient", "shape", "verdict", "compared", "worst element", "backward", "true", "error", "allowed")
    table = [head, *rows] if any_values else [row[:4] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        " " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    lines += [f" … and {len(results) - _ROWS} more"] if len(results) > _ROWS else []
    lines += [_LEGEND] if any_values else []
    lines += [_LEGEND_OF_NAN] if any(row[5] == "nan" for row in rows) else []
    lines += [_LEGEND_OF_SUMS] if any(row[3] == _SUMS for row in rows) else []
    return lines + [text for name, result in results[:_ROWS] if (text := _shapes(name, result))]


def _shapes(name: str, result: TensorResult) -> str:
    """The two shapes, if they differ."""
    given = np.shape(result.backward)
    if result.verdict != "fail" or result.backward is None or given == result.shape:
        return ""
    return f" {gradient_of(name)} has shape {given}, expected {result.shape}."


def _row(gradient: str, result: TensorResult) -> tuple[str, ...]:
    verdict = {"fail": "WRONG", "pass": "right"}.get(result.verdict, result.verdict)
    size = int(np.prod(result.shape))
    compared = "all elements" if result.checked >= size else f"{result.checked} of {size} elements"
    if not result.checked:
        compared = _SUMS if result.worst is None and np.isfinite(result.excess) else ""
    values = ("",) * 5
    if result.verdict == "fail" and result.worst is not None:
        index, given, true = result.worst
        error = abs(given - true)
        allowed = f"{error / result.excess:.1e}" if 0 < result.excess < np.inf else ""
        values = (str(list(index)) if index else "", f"{given:.7g}", f"{true:.7g}", f"{error:.2g}", allowed)
    return gradient, str(result.shape).replace(" ", ""), verdict, compared, *values


def _diagnoses(report: GradcheckReport) -> list[str]:
    """The likeliest bugs; what only describes the numbers is not called a bug."""
    lines = []
    for diagnosis in report.diagnoses[:2]:
        label = "Seen" if diagnosis.vague else "LIKELY BUG"
        lines.append(f" {label}: {diagnosis.sentence}")
        lines += [f"   {diagnosis.change}"] if report.hint >= 3 and diagnosis.change else []
    compared = any(result.worst is not None for result in report.tensors.values())
    if report.verdict == "fail" and not report.diagnoses and compared:
        lines.append(" No known kind of bug explains these numbers: derive the gradient again, term by term.")
    return lines


def shown_diagnoses(report: GradcheckReport) -> list[dict[str, object]]:
    """The diagnoses for JSON, as far as the hint allows."""

    def shown(diagnosis: Diagnosis) -> dict[str, object]:
        return {key: value for key, value in vars(diagnosis).items() if report.hint >= 3 or key != "change"}

    return [shown(diagnosis) for diagnosis in report.diagnoses] if report.hint >= 2 else []

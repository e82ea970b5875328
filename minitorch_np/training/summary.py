"""Summary: a model as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.base.shapes import batch_of

if TYPE_CHECKING:
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model

Row = tuple[str, str, str]


def summarize(model: Model) -> str:
    """Layer, output shape and parameters of a built model, line by line, and the total."""
    rows: list[Row] = [("layer", "output shape", "parameters"), *_rows(model, "")]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f" {row[0]:<{widths[0]}}   {row[1]:<{widths[1]}}   {row[2]:>{widths[2]}}" for row in rows]
    rule = " " + "-" * (sum(widths) + 6)
    parameters = list(model.parameters().values())
    total = sum(parameter.size for parameter in parameters)
    trainable = sum(parameter.size for parameter in parameters if parameter.trainable)
    kept = "all trainable" if trainable == total else f"{trainable:,} trainable, {total - trainable:,} not"
    size = sum(parameter.value.nbytes for parameter in parameters)
    last = f" total {total:,} parameters, {kept}; {_bytes(size)} as {model.compute_dtype}"
    return "\n".join([type(model).__name__, lines[0], rule, *lines[1:], rule, last])


def _rows(layer: Layer, indent: str) -> list[Row]:
    rows: list[Row] = []
    for name, child in layer.sublayers().items():
        count = sum(parameter.size for parameter in child.parameters().values())
        shape = batch_of(child.output_shape) if child.output_shape is not None else "not used yet"
        rows.append((f"{indent}{name} ({type(child).__name__})", shape, f"{count:,}"))
        rows += _rows(child, indent + "  ")
    return rows


def _bytes(size: float) -> str:
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"

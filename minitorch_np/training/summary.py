"""Summary: a model as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.base.shapes import batch_of

if TYPE_CHECKING:
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model

Row = tuple[str, str, str, str]


def summarize(model: Model) -> str:
    """Layer, output shape and parameters of a built model, line by line, and the total; of a Graph also what each node takes."""
    found = _rows(model, "")
    rows: list[Row] = [("layer", "output shape", "parameters", "takes" if any(row[3] for row in found) else ""), *found]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f" {row[0]:<{widths[0]}}   {row[1]:<{widths[1]}}   {row[2]:>{widths[2]}}   {row[3]}".rstrip() for row in rows
    ]
    rule = " " + "-" * (sum(widths) + (9 if widths[3] else 6))
    parameters = list(model.parameters().values())
    total = sum(parameter.size for parameter in parameters)
    trainable = sum(parameter.size for parameter in parameters if parameter.trainable)
    kept = "all trainable" if trainable == total else f"{trainable:,} trainable, {total - trainable:,} not"
    size = sum(parameter.value.nbytes for parameter in parameters)
    last = f" total {total:,} parameters, {kept}; {_bytes(size)} as {model.compute_dtype}"
    return "\n".join([type(model).__name__, lines[0], rule, *lines[1:], rule, last])


def _rows(layer: Layer, indent: str) -> list[Row]:
    rows: list[Row] = []
    first: dict[int, str] = {}
    # The nodes of a Graph in order, or the layers inside another layer.
    steps = layer.each_node() if hasattr(layer, "each_node") else [(*item, ()) for item in layer.sublayers().items()]
    for name, child, sources in steps:
        shape = batch_of(child.output_shape) if child.output_shape is not None else "not used yet"
        known = first.setdefault(id(child), name)
        if known != name:
            rows.append((f"{indent}{name} ({known} again)", shape, "0", ", ".join(sources)))
            continue
        count = sum(parameter.size for parameter in child.parameters().values())
        names = ", ".join(getattr(layer, "parts", {}).get(name, [name]))
        rows.append((f"{indent}{names} ({type(child).__name__})", shape, f"{count:,}", ", ".join(sources)))
        rows += _rows(child, indent + "  ")
    return rows


def _bytes(size: float) -> str:
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"

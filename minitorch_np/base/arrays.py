"""Arrays: the user's data become an array of numbers, or an error that says what to write instead."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
# NumPy computes slowly in these, or with too few digits.
_INSTEAD = {
    "float16": np.float32,
    "longdouble": np.float64,
    "float128": np.float64,
    "float96": np.float64,
    "clongdouble": np.complex128,
    "complex256": np.complex128,
    "complex192": np.complex128,
}


def as_array(values: Any, name: str, who: Any, kinds: str = "biuf") -> NDArray:
    """values as a plain array of numbers, in their own precision.

    Args:
        values: an array, nested lists, a table with numeric columns, or a tensor of another framework.
        name: the argument's name, such as "x", for messages.
        who: the caller, as text or as the object itself, for messages.
        kinds: the accepted kinds of dtype; "c" is for complex numbers.

    Raises:
        ValueError: masked or missing values, sparse matrices, dictionaries, sets, generators, text, dates, complex numbers, rows
            of unequal length. The message says what was given and what to write.

    >>> as_array({"a": [1, 2]}, "x", "Model.fit")
    Traceback (most recent call last):
    ValueError: Model.fit: x is a dictionary with 'a'. Give one array, such as np.column_stack(list(x.values())).
    """
    reason = _why_no_array(values, name)
    if reason:
        raise ValueError(f"{_text(who)}: {name} {reason}")
    array = _table(values, name, who) if is_table(values) else _read(values, name, who)
    if array.dtype.kind == "O":
        if isinstance(values, (list, tuple)) and (reason := _why_no_list(values, name)):
            raise ValueError(f"{_text(who)}: {name} {reason}")
        array = _from_objects(array, values, name, who)
    if array.dtype.kind not in kinds:
        raise ValueError(f"{_text(who)}: {_wrong_kind(array, name)}")
    return array


def as_numbers(values: Any, name: str, who: Any, kinds: str = "biuf") -> NDArray:
    """as_array, with a dtype to compute in: bool, whole numbers, float32 or float64, in the machine's byte order.

    float16 becomes float32, longdouble becomes float64. The array is copied only if its dtype changes.

    >>> as_numbers([[1, 2], [3, 4]], "x", "Dense").dtype.name
    'int64'
    """
    if type(values) is np.ndarray:
        dtype = values.dtype
        if dtype is _FLOAT32 or dtype is _FLOAT64 or (dtype is _INT64 and "i" in kinds):
            return values  # the usual case
    array = as_array(values, name, who, kinds)
    return array.astype(_INSTEAD.get(array.dtype.name, array.dtype.newbyteorder("=")), copy=False)


def as_floats(values: Any, name: str, who: Any, kinds: str = "biuf") -> NDArray:
    """as_numbers, with bool and whole numbers as float64, so that differences and sums do not overflow."""
    array = as_numbers(values, name, who, kinds)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def in_dtype(array: NDArray, dtype: np.dtype, what: str) -> NDArray:
    """The array in this dtype; it is copied only if its dtype is another.

    Raises:
        ValueError: a finite number would become infinite; the message calls the array `what`.
    """
    if array.dtype == dtype:
        return array
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype)
    except FloatingPointError:
        raise ValueError(
            f"{what} has numbers up to {np.abs(array[np.isfinite(array)]).max():.3g}, too large for {dtype}. Scale them, or make the model "
            'with dtype="float64".'
        ) from None


def is_one_array(values: Any) -> bool:
    """Whether values is meant as one array, even an unfit one, and not as batches."""
    return (
        values is None
        or isinstance(values, (list, tuple, range, str, bytes, Mapping, Set))
        or _is_sparse(values)
        or _has_array_protocol(values)
    )


def _has_array_protocol(values: Any) -> bool:
    # NumPy's protocols, DLPack's, and the typecode of array.array.
    marks = ("__array__", "__array_interface__", "__array_struct__", "__dlpack__", "typecode")
    return isinstance(values, (bytearray, memoryview)) or any(hasattr(values, mark) for mark in marks)


def _text(who: Any) -> str:
    text = who if isinstance(who, str) else repr(who)
    return text if len(text) <= 100 else f"{type(who).__name__}(…)"


def _why_no_array(values: Any, name: str) -> str:
    """Why these values are not one array of numbers, with the remedy, or ""."""
    kind = type(values).__name__
    if values is None:
        return "is None. Give an array with one entry per example."
    if isinstance(values, np.ma.MaskedArray):
        masked = int(np.ma.getmaskarray(values).sum())
        if not masked:
            return ""
        return (
            f"is a masked array, with {masked} of {values.size} values masked. Fill them, {name}.filled(0), or leave their rows "
            f"out, np.ma.compress_rows({name}) where it has two axes."
        )
    if _is_sparse(values):
        dense = "todense" if not hasattr(values, "toarray") else "toarray"
        return f"is a sparse matrix ({kind}). Make it dense: {name}.{dense}()."
    if isinstance(values, Mapping):
        keys = ", ".join(map(repr, list(values)[:6])) + (", …" if len(values) > 6 else "")
        if "data" in values and "target" in values:
            return f"is a {kind} with {keys}. Give its arrays one by one: {name}['data'] and {name}['target']."
        return f"is a dictionary with {keys}. Give one array, such as np.column_stack(list({name}.values()))."
    if isinstance(values, Set):
        return f"is a {kind}, which has no order. Give a list or an array."
    if isinstance(values, Iterator):
        return f"is a {kind}, which can be read once. Give an array, such as np.array(list({name}))."
    if isinstance(values, type):
        return f"is the class {kind and values.__name__}. Give an array."
    if isinstance(values, (str, bytes)):
        return f"is text, {values[:40]!r}. Give an array; np.loadtxt, np.load and h5py read files."
    if isinstance(values, (list, tuple)):
        # np.asarray would drop the masks; it finds other faults itself.
        return _why_no_list(values, name) if _has_masked_arrays(values) else ""
    if hasattr(values, "__getitem__") and not isinstance(values, Sequence) and not _has_array_protocol(values):
        # np.asarray would read it item by item.
        if not hasattr(values, "__len__"):
            return f"is a {kind}. Write its __len__, the number of examples or of batches."
        return f"is a {kind}. Give arrays, or its batches; those of a PyTorch Dataset are DataLoader({name}, batch_size=32)."
    return ""


def _has_masked_arrays(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list, or a list inside it, has masked arrays. Rows of plain numbers are skipped."""
    if any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, values))):
        return True
    first = values[0] if values else None
    nested = isinstance(first, (list, tuple)) and first and not isinstance(first[0], (int, float))
    return bool(nested) and any(_has_masked_arrays(row) for row in values if isinstance(row, (list, tuple)))


def _why_no_list(values: list[Any] | tuple[Any, ...], name: str) -> str:
    """Why the items of a list are not one array of numbers, with the remedy, or ""."""
    for kind in set(map(type, values)) - {int, float, bool}:
        if issubclass(kind, (list, tuple)):
            inner = next(
                (reason for row in values if isinstance(row, kind) and (reason := _why_no_list(row, name))), ""
            )
        elif issubclass(kind, np.ndarray) and not issubclass(kind, np.ma.MaskedArray):
            continue
        else:
            found = next(item for item in values if type(item) is kind)
            if found is np.ma.masked:
                return "has a masked value in it. Fill it, or leave its row out."
            if issubclass(kind, (str, bytes)) or found is None:
                continue  # reported later, with the position
            if issubclass(kind, Mapping):
                return f"is a list of dictionaries. Give a list of rows: [list(row.values()) for row in {name}]."
            inner = _why_no_array(found, f"{name}[{_place(values, found)}]")
            inner = inner and f"is a {type(values).__name__}, whose member {_place(values, found)} {inner}"
        if inner:
            return inner
    return ""


def _place(values: Any, found: Any) -> int:
    return next(place for place, item in enumerate(values) if item is found)


def _is_sparse(values: Any) -> bool:
    """A sparse matrix or array of SciPy, PyData or CuPy."""
    return hasattr(values, "nnz") and (hasattr(values, "toarray") or hasattr(values, "todense"))


def is_table(values: Any) -> bool:
    """A DataFrame of pandas or polars."""
    return hasattr(values, "columns") and hasattr(values, "dtypes") and hasattr(values, "__array__")


def _read(values: Any, name: str, who: Any) -> NDArray:
    try:
        return np.asarray(values)
    except (
        Exception
    ) as error:  # other packages raise any exception; their message has the remedy, such as .detach() or .cpu()
        if isinstance(values, tuple) and name == "x" and len(values) == 2 and all(hasattr(v, "shape") for v in values):
            reason = "x is a tuple of two arrays. Give them as two arguments, as in fit(x, y)."
        elif "inhomogeneous" in str(error):
            reason = f"{name} is not an array: its rows differ in length{_lengths(values)}. Make them of one length. For sequences: mt.datasets.pad_sequences(sequences), and mt.Masking() as the first layer."
        else:
            reason = f"{name}, a {type(values).__name__}, does not become an array: {error}"
        raise ValueError(f"{_text(who)}: {reason}") from None


def _lengths(values: Any) -> str:
    """Two rows whose lengths differ, for a message, or ""."""
    shapes = [
        np.shape(row) if hasattr(row, "shape") else (len(row),) if hasattr(row, "__len__") else () for row in values
    ]
    other = next((place for place, shape in enumerate(shapes) if shape != shapes[0]), None)
    return "" if other is None else f" (row 0 has shape {shapes[0]}, row {other} {shapes[other]})"


def _table(table: Any, name: str, who: Any) -> NDArray:
    """A table's columns side by side; a column that holds no numbers is named."""
    whole = _read(table, name, who)
    if whole.dtype.kind in "biuf":
        return whole
    columns = []
    for place, label in enumerate(table.columns):
        column = table.iloc[:, place] if hasattr(table, "iloc") else table[:, place]
        if str(getattr(column, "dtype", "")).startswith(("category", "Categorical", "Enum")):
            raise ValueError(
                f"{_text(who)}: {name}[{label!r}] has categories, which have no order that a network could use. Make a column of each: "
                f"pd.get_dummies({name}, columns=[{label!r}]), or {name}.to_dummies({label!r}) in polars."
            )
        columns.append(as_numbers(column, f"{name}[{label!r}]", who))
    return np.column_stack(columns)


def _from_objects(array: NDArray, values: Any, name: str, who: Any) -> NDArray:
    """Python's numbers, such as an object column of a table has them, as float64."""
    if array.ndim == 0:
        remedy = ""
        if hasattr(values, "forward") and hasattr(values, "backward"):
            remedy = " Layers are not called on each other. Write Sequential([Input((8,)), Dense(3)]), or Graph({'a': (8,), 'b': (8,)}, [('y', Add(), ['a', 'b'])], 'y')."
        text = f"{values!r}"
        shown = text if len(text) <= 80 else f"{text[:80]}…"
        raise ValueError(f"{_text(who)}: expected numbers in {name}, got {shown} ({type(values).__name__}).{remedy}")
    from decimal import Decimal

    for place, item in zip(np.ndindex(array.shape), array.flat, strict=True):
        if isinstance(item, (numbers.Real, np.bool_, Decimal)):
            continue
        at = f"{name}[{', '.join(map(str, place))}]"
        if item is None or type(item).__name__ in ("NAType", "NaTType"):
            problem = f"{at} is {item!r}, a missing value. Remove or replace it first."
        elif isinstance(item, (str, bytes)):
            problem = f"expected numbers in {name}, got text, {item[:40]!r} at {at}. {_hint_for_text(name)}"
        elif isinstance(item, (np.ndarray, list, tuple)):
            problem = f"expected numbers in {name}, got an array of objects, {at} being of shape {np.shape(item)}. Use np.stack({name})."
        else:
            problem = f"expected numbers in {name}, got {type(item).__name__} ({item!r:.60}) at {at}. Convert it to numbers first."
        raise ValueError(f"{_text(who)}: {problem}")
    return array.astype(np.float64)


def _wrong_kind(array: NDArray, name: str) -> str:
    got = f"expected numbers in {name}, got {array.dtype}"
    kind = array.dtype.kind
    if kind in "US":
        return f"{got}. {_hint_for_text(name)}"
    if kind == "c":
        return f"{got}. Take {name}.real, or give both parts as features: np.concatenate([{name}.real, {name}.imag], axis=-1)."
    if kind == "M":
        return f"{got}. Make them numbers: ({name} - {name}.min()) / np.timedelta64(1, 's') counts seconds."
    if kind == "m":
        return f"{got}. Make them numbers: {name} / np.timedelta64(1, 's') counts seconds."
    if array.dtype.names:
        return f"{got}, a structured array. Use numpy.lib.recfunctions.structured_to_unstructured({name})."
    return f"{got}. Convert it first: {name}.astype('float32')."


def _hint_for_text(name: str) -> str:
    if name in ("y", "target", "y_true"):
        return f"np.unique({name}, return_inverse=True)[1] numbers the classes."
    if name.endswith("']"):
        table, _, column = name.partition("[")
        return f"pd.get_dummies({table}, columns=[{column}) makes a column of each word; {name}.astype(float) reads numbers in text."
    return (
        f"Convert it to numbers first: np.asarray({name}).astype(float) reads numbers that are written as text, "
        f"np.unique({name}, return_inverse=True)[1] numbers categories."
    )

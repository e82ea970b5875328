"""HDF5 files of every kind: what comes out is what h5py reads, or the file and what is wrong with it are named."""

import os

import h5py
import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.datasets import HDF5Dataset, load_hdf5
from minitorch_np.datasets.stored import Rows

ROWS = np.arange(120, dtype="f4").reshape(40, 3)
LABELS = np.arange(40) % 2


def bfloat16():
    """A sign, 8 bits of exponent and 7 of mantissa: the upper half of a float32."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_precision(16)
    kind.set_size(2)
    kind.set_ebias(127)
    return kind


def twelve_bits():
    kind = h5py.h5t.STD_I16LE.copy()
    kind.set_precision(12)
    kind.set_offset(2)
    return kind


def stored_as(file, kind):
    """The rows as a type that NumPy may not have; HDF5 converts."""
    space = h5py.h5s.create_simple(ROWS.shape)
    h5py.h5d.create(file.id, b"train_set_x", kind, space).write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(ROWS))


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["pad"] = np.full(99, 7.0)
        other["x"] = ROWS
    file["pad"] = np.full(5000, 99, "f4")
    file["train_set_x"] = h5py.ExternalLink("other.h5", "/x")


def soft_link(file, folder):
    file["rows"] = ROWS
    file["train_set_x"] = h5py.SoftLink("/rows")


def external_files(file, folder):
    raw = ROWS.tobytes()
    (folder / "a.raw").write_bytes(b"head" + raw[:100])
    (folder / "b.raw").write_bytes(raw[100:])
    places = [(str(folder / "a.raw"), 4, 100), (str(folder / "b.raw"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("train_set_x", ROWS.shape, "f4", external=places)


def virtual(file, folder):
    layout = h5py.VirtualLayout(ROWS.shape, "f4")
    for part in range(2):
        with h5py.File(folder / f"part{part}.h5", "w") as source:
            source["x"] = ROWS[20 * part : 20 * part + 20]
        layout[20 * part : 20 * part + 20] = h5py.VirtualSource(f"part{part}.h5", "x", (20, 3))
    file.create_virtual_dataset("train_set_x", layout)


def of_type(dtype, **settings):
    return lambda file, folder: file.create_dataset("train_set_x", data=ROWS.astype(dtype), **settings)


WRITERS = {
    **{dtype: of_type(dtype) for dtype in ("<f4", ">f4", ">f8", "<f2", ">i2", "u1", "<u8", "g", "?")},
    "gzip": of_type("<f4", chunks=(7, 3), compression="gzip"),
    "scaled": of_type("<i4", chunks=(7, 3), scaleoffset=0),
    "checksum": of_type("<f4", chunks=(1, 3), fletcher32=True),
    "enumeration": lambda file, _: file.create_dataset(
        "train_set_x", data=ROWS.astype("i2"), dtype=h5py.enum_dtype({"a": 1}, basetype="i2")
    ),
    "bfloat16": lambda file, _: stored_as(file, bfloat16()),
    "12 bits": lambda file, _: stored_as(file, twelve_bits()),
    "bit field": lambda file, _: stored_as(file, h5py.h5t.STD_U16LE),
    "external link": external_link,
    "soft link": soft_link,
    "external files": external_files,
    "virtual": virtual,
}


def write(folder, writer=None, **more):
    with h5py.File(folder / "data.h5", "w", userblock_size=1024) as file:
        (writer or of_type("<f4"))(file, folder)
        for name, value in {"train_set_y": LABELS, **more}.items():
            file[name] = value
    return folder / "data.h5"


@pytest.mark.filterwarnings("ignore:.* is stored in chunks of 7 examples")
@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("shuffled", [False, True])
def test_rows_are_what_h5py_reads(tmp_path, kind, shuffled):
    path = write(tmp_path, WRITERS[kind])
    with h5py.File(path) as file:
        due = file["train_set_x"][()]
    data = HDF5Dataset(path, block_bytes=64)
    batches = list(data.batches(7, np.random.default_rng(0) if shuffled else None))
    x = np.concatenate([x for x, _ in batches])
    if shuffled and kind != "?":
        x = x[np.argsort(x[:, 0].astype("f8"), kind="stable")]
    assert x.dtype.kind == due.dtype.kind
    if kind != "?" or not shuffled:
        np.testing.assert_array_equal(x, due)
    np.testing.assert_array_equal(load_hdf5(path).x_train, due)


def test_only_what_numpy_reads_is_read_past_hdf5(tmp_path):
    for kind, straight in {"<f4": True, ">i2": True, "bfloat16": False, "12 bits": False, "virtual": False}.items():
        with h5py.File(write(tmp_path, WRITERS[kind])) as file:
            assert (Rows(file["train_set_x"], tmp_path).offset is not None) == straight


@pytest.mark.parametrize("read", [HDF5Dataset, load_hdf5])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_set_x", 3.0, "one row per example in train_set_x, which has a single value"),
        ("train_set_x", h5py.Empty("f4"), r"train_set_x(, which has nothing|. 0 of 1 parts)"),
        ("train_set_y", 1, "train_set_y, which has a single value"),
        ("list_classes", np.float32(1), "list_classes, which has a single value"),
        ("list_classes", np.array([[b"a", b"b"]]), r"one name per class in list_classes, got shape \(1, 2\)"),
        (
            "train_set_x",
            h5py.ExternalLink("none.h5", "/x"),
            r"train_set_x is a link to /x in none\.h5, which cannot be",
        ),
        (
            "train_set_x",
            h5py.ExternalLink("page.h5", "/x"),
            r"train_set_x is a link to /x in page\.h5, which cannot be",
        ),
        ("train_set_y", h5py.SoftLink("/nowhere"), "train_set_y is a link to /nowhere, which cannot be opened"),
        ("train_set_x", h5py.SoftLink("/train_set_x"), "train_set_x is a link to /train_set_x, which cannot be opened"),
        ("train_set_x", h5py.SoftLink("/"), "expected a dataset as train_set_x, got a group"),
    ],
)
def test_what_is_no_set_of_rows_is_named_with_its_file(tmp_path, read, name, value, message):
    path = write(tmp_path)
    (tmp_path / "page.h5").write_text("<html>")
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        file[name] = value
    with pytest.raises(ValueError, match=rf"data\.h5: .*{message}"):
        read(path)


@pytest.mark.parametrize("names", [np.array([b"caf\xe9", b"th\xe9"]), np.array([b"caf\xe9", b"th\xe9"], object)])
def test_class_names_that_are_no_utf8_are_read(tmp_path, names):
    if names.dtype == object:
        path = write(tmp_path)
        with h5py.File(path, "a") as file:
            file.create_dataset("list_classes", data=names, dtype=h5py.string_dtype("ascii"))
    else:
        path = write(tmp_path, list_classes=names)
    assert HDF5Dataset(path).class_names == load_hdf5(path).class_names == ["caf\ufffd", "th\ufffd"]


def test_targets_that_are_no_numbers_are_named(tmp_path):
    path = write(tmp_path, train_set_y=np.array([b"cat", b"dog"] * 20))
    with pytest.raises(ValueError, match=r"data\.h5: expected numbers in train_set_y, got \|S3\. Write the numbers"):
        HDF5Dataset(path)


@pytest.mark.parametrize("read", [HDF5Dataset, load_hdf5])
def test_a_missing_part_is_named(tmp_path, read):
    path = write(tmp_path, virtual)
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["x"] = ROWS[:5]
    with pytest.raises(ValueError, match=r"not complete: its part in part1\.h5 has shape \(5, 3\), which is too small"):
        read(path)
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(ValueError, match=r"train_set_x is not complete: its part in part1\.h5 is missing"):
        read(path)
    path = write(tmp_path, external_files)
    (tmp_path / "b.raw").write_bytes(b"1234")
    with pytest.raises(ValueError, match=r"its file .*b\.raw has 4 bytes, expected 380"):
        read(path)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(ValueError, match=r"its file .*a\.raw is missing"):
        read(path)


def test_rows_that_no_file_holds_are_named(tmp_path):
    def gap(file, folder):
        with h5py.File(folder / "part.h5", "w") as source:
            source["x"] = ROWS[:20]
        layout = h5py.VirtualLayout(ROWS.shape, "f4")
        layout[:20] = h5py.VirtualSource("part.h5", "x", (20, 3))
        file.create_virtual_dataset("train_set_x", layout)

    with pytest.raises(ValueError, match="60 of its 120 numbers are in no file"):
        HDF5Dataset(write(tmp_path, gap))


def gzip_twice(file):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((40, 10**5))
    plist.set_deflate(9)
    plist.set_deflate(9)
    space = h5py.h5s.create_simple((40, 10**5))
    h5py.Dataset(h5py.h5d.create(file.id, b"train_set_x", h5py.h5t.NATIVE_UINT8, space, plist))[:] = 0


@pytest.mark.parametrize("read", [HDF5Dataset, load_hdf5])
def test_a_small_file_does_not_fill_the_memory(tmp_path, read):
    with h5py.File(tmp_path / "twice.h5", "w") as file:
        gzip_twice(file)
        file["train_set_y"] = LABELS
    with pytest.raises(ValueError, match=r"twice\.h5: train_set_x would grow from \d\d stored bytes to 4000000"):
        read(tmp_path / "twice.h5")
    with h5py.File(tmp_path / "once.h5", "w") as file:
        file.create_dataset("train_set_x", data=np.zeros((40, 10**5), "u1"), compression="gzip", compression_opts=9)
        file["train_set_y"] = LABELS
    read(tmp_path / "once.h5")


@pytest.mark.parametrize("read", [HDF5Dataset, load_hdf5])
def test_one_long_text_is_not_read_for_every_class(tmp_path, read):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = ROWS, LABELS
        file["list_classes"] = np.array(["x" * 5000, *map(str, range(99))], h5py.string_dtype())
        place = file["list_classes"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 1600] = 100 * content[place : place + 16]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="the texts are longer than"):
        read(path)


def test_a_file_that_was_changed_or_replaced_is_named(tmp_path):
    path = write(tmp_path)
    data = HDF5Dataset(path)
    (tmp_path / "new").mkdir()
    os.replace(write(tmp_path / "new", lambda file, _: file.create_dataset("train_set_x", data=ROWS[::-1])), path)
    with pytest.raises(
        ValueError, match=r"data\.h5: the file was changed since it was opened.* Create the HDF5Dataset"
    ):
        list(data.batches(8))
    data = HDF5Dataset(path, block_bytes=60)
    batches = data.batches(4)
    next(batches)
    with open(path, "ab") as file:
        file.write(bytes(1000))
    with pytest.raises(ValueError, match="the file was changed since it was opened"):
        list(batches)
    os.truncate(path, 2000)
    with pytest.raises(ValueError, match=r"the file was changed|truncated|too small"):
        list(data.batches(4))


def test_a_file_that_is_replaced_while_it_is_read_is_read_to_its_end(tmp_path):
    path = write(tmp_path)
    batches = HDF5Dataset(path, block_bytes=60).batches(5)
    first = next(batches)
    (tmp_path / "new").mkdir()
    os.replace(write(tmp_path / "new", lambda file, _: file.create_dataset("train_set_x", data=-ROWS)), path)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in (first, *batches)]), ROWS)


def test_a_model_learns_from_linked_rows_as_from_arrays(tmp_path):
    def fitted(*data):
        model = mt.Sequential([mt.Input((3,)), mt.Rescaling(0.01), mt.Dense(1), mt.Sigmoid()], rng=0)
        return model.compile(mt.SGD(0.01), mt.BCELoss()).fit(*data, shuffle=False)

    assert fitted(HDF5Dataset(write(tmp_path, external_link))) == fitted(ROWS, LABELS)

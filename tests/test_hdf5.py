"""HDF5 files walked before HDF5 opens them: every form that h5py writes passes, circles and overlaps do not."""

import struct
import time

import h5py
import numpy as np
import pytest

from minitorch_np.base.hdf5 import check_structure, walk
from minitorch_np.base.hdf5.storage import Storage
from minitorch_np.datasets import HDF5Dataset, load_hdf5

FORMS = [None, "earliest", "latest", ("earliest", "v110"), ("v108", "v108"), ("v110", "v112")]
LAYOUTS = {
    "in one piece": {},
    "one chunk": {"chunks": (60, 7)},
    "one chunk, compressed": {"chunks": (60, 7), "compression": "gzip"},
    "many": {"chunks": (1, 2)},
    "many, compressed": {"chunks": (1, 2), "compression": "gzip", "shuffle": True},
    "growth of one axis": {"chunks": (1, 2), "maxshape": (None, 10)},
    "growth of the other": {"chunks": (3, 2), "maxshape": (99, None), "fletcher32": True},
    "growth of both": {"chunks": (3, 2), "maxshape": (None, None)},
    "growth up to a limit": {"chunks": (2, 2), "maxshape": (80, 9), "compression": "gzip"},
}


@pytest.fixture(params=FORMS, ids=str)
def everything(request, tmp_path, rng):
    """A file with all there may be in one, in one form of HDF5, and its number of chunks."""
    path = tmp_path / "all.h5"
    with h5py.File(path, "w", libver=request.param) as file:
        for name, settings in LAYOUTS.items():
            file.create_dataset(name, data=rng.integers(0, 9, (60, 7)), **settings)
        file.create_dataset("never written", shape=(6, 4), dtype="f4", chunks=(3, 4))
        file.create_dataset("shrunk", data=rng.normal(size=(100, 3)), chunks=(7, 3), maxshape=(None, 3)).resize((31, 3))
        file["texts"], file["one number"], file["no rows"] = ["cat", "", "dog" * 50], 3.0, np.zeros((0, 3))
        file["nothing"] = h5py.Empty("f4")
        file["pairs"] = np.zeros(3, [("a", "i4"), ("b", "f8")])
        for number in range(300):
            file[f"many groups/{number}/inner"] = np.arange(number)
        ordered = file.create_group("in order", track_order=True)
        for number in range(60):
            ordered[f"member {number}"], ordered.attrs[f"about {number}"] = number, "text" * number
        del file["many groups/17"], ordered["member 50"]
        file["another name"], file["soft"] = file["many"], h5py.SoftLink("/many")
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    with h5py.File(path) as file:
        counts = []
        file.visititems(lambda _, one: counts.append(one.id.get_num_chunks() if getattr(one, "chunks", None) else 0))
    return path, sum(counts)


def test_every_form_passes_and_every_chunk_is_seen(everything):
    path, chunks = everything
    with open(path, "rb") as file:
        check_structure(file)
        storage = Storage(file)
        walk._Walk(storage, None).run()
    assert sum(len(starts) for starts, _ in storage.chunks) == chunks


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("growth", [{}, {"maxshape": (None, 4)}])
def test_the_pages_of_long_arrays_of_chunks_are_read_in_their_places(tmp_path, growth, compression):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        data = file.create_dataset("train_set_x", (140_000, 4), "u1", chunks=(1, 4), compression=compression, **growth)
        data[:1500], data[138_000:] = 1, 2  # pages between were never begun
    with h5py.File(tmp_path / "a.h5") as file:
        due = file["train_set_x"].id.get_num_chunks()
    with open(tmp_path / "a.h5", "rb") as file:
        storage = Storage(file)
        walk._Walk(storage, None).run()
    assert sum(len(starts) for starts, _ in storage.chunks) == due


@pytest.mark.parametrize("settings", [{}, {"chunks": (1, 8)}])
def test_a_hundred_thousand_chunks_take_about_a_second(tmp_path, settings):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((100_000, 8), "u1"), **settings)
    with open(tmp_path / "a.h5", "rb") as file:
        before = time.process_time()
        check_structure(file, ["x"])
        assert time.process_time() - before < 2


def data_file(path):
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = np.zeros((4, 3)), np.arange(4) % 2


def test_datasets_of_strings_may_share_a_heap(tmp_path):
    data_file(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for name in ("list_classes", "notes"):
            file.create_dataset(name, data=["cat", "dog"], dtype=h5py.string_dtype())
    assert HDF5Dataset(tmp_path / "a.h5").class_names == ["cat", "dog"]
    with open(tmp_path / "a.h5", "rb") as file:
        check_structure(file)


@pytest.mark.parametrize("load", [HDF5Dataset, load_hdf5])
@pytest.mark.parametrize("field", ["child", "left", "right"])
def test_a_node_of_a_tree_that_leads_to_itself_is_refused(tmp_path, load, field):
    data_file(tmp_path / "a.h5")
    content = bytearray((tmp_path / "a.h5").read_bytes())
    place = content.find(b"TREE")
    if field == "child":
        content[place + 5] = 1
    struct.pack_into("<Q", content, place + {"child": 32, "left": 8, "right": 16}[field], place)
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.h5: its structure is damaged or forged"):
        load(tmp_path / "a.h5")


def test_two_datasets_in_the_same_place_are_refused(tmp_path):
    data_file(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["test_set_x"] = np.ones((4, 3))
        x, other = (file[name].id.get_offset() for name in ("train_set_x", "test_set_x"))
    content = (tmp_path / "a.h5").read_bytes()
    for target in (x, x + 8):
        (tmp_path / "b.h5").write_bytes(content.replace(struct.pack("<Q", other), struct.pack("<Q", target)))
        with pytest.raises(ValueError, match="same place"):
            HDF5Dataset(tmp_path / "b.h5")


@pytest.mark.parametrize("settings", [{}, {"chunks": (2, 3)}])
def test_parts_that_were_never_written_are_named(tmp_path, settings):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        x = file.create_dataset("train_set_x", (8, 3), "f4", **settings)
        file["train_set_y"] = np.arange(8) % 2
        if settings:
            x[:4] = 1
    count = "2 of 4" if settings else "0 of 1"
    with pytest.raises(ValueError, match=f"of 'train_set_x' {count} parts are stored"):
        HDF5Dataset(tmp_path / "a.h5")


def test_data_that_are_not_read_may_be_in_any_form(tmp_path):
    data_file(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["kind"] = np.dtype("f4")
        file.create_dataset("of a named kind", data=np.zeros(3), dtype=file["kind"])
        file.create_dataset("texts", data=["a", "b"], chunks=(1,), compression="gzip")
    assert len(HDF5Dataset(tmp_path / "a.h5")) == 4
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["list_classes"] = file["texts"]
    with pytest.raises(ValueError, match="a form of HDF5 that is not read here"):
        HDF5Dataset(tmp_path / "a.h5")

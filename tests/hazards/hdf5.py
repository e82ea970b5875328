"""What may be wrong inside HDF5: the places of numbers, the numbers, and the optimiser's state."""

import h5py
import numpy as np

from hazards.forging import HDF5, case, hdf5


@case(*HDF5, message="is not stored in the file itself", **hdf5)
def external_storage(file, first):
    shape = file[first].shape
    del file[first]
    file.create_dataset(first, shape, "f4", external=[("/etc/passwd", 0, 48)])


@case(*HDF5, message="is a link to elsewhere", **hdf5)
def external_link(file, first):
    del file[first]
    file[first] = h5py.ExternalLink("other.h5", "/x")


@case(*HDF5, message="is a link to elsewhere", **hdf5)
def external_link_as_middle_group(file, first):
    middle = first.rsplit("/", 2)[0]
    del file[middle]
    file[middle] = h5py.ExternalLink("other.h5", "/")


@case(*HDF5, message="is a link to elsewhere", **hdf5)
def soft_link(file, first):
    file.move(first, "elsewhere")
    file[first] = h5py.SoftLink("/elsewhere")


@case(*HDF5, message="is a link to elsewhere", **hdf5)
def soft_link_to_itself(file, first):
    del file[first]
    file[first] = h5py.SoftLink(f"/{first}")


@case(*HDF5, message="is not stored in the file itself", **hdf5)
def virtual_dataset(file, first):
    shape = file[first].shape
    del file[first]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape)
    file.create_virtual_dataset(first, layout)


@case(*HDF5, message="declares more than is stored", **hdf5)
def four_tebibytes_declared(file, first):
    del file[first]
    file.create_dataset(first, (1 << 20, 1 << 20), "f4")


@case(*HDF5, message="declares more than is stored", **hdf5)
def the_right_shape_without_data(file, first):
    shape = file[first].shape
    del file[first]
    space, kind = h5py.h5s.create_simple(shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    kind.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    h5py.h5d.create(
        file[first.rsplit("/", 1)[0]].id, first.rsplit("/", 1)[1].encode(), h5py.h5t.IEEE_F32LE, space, kind
    )


@case(*HDF5, message="is stored in chunks or compressed", **hdf5)
def gzip_bomb(file, first):
    del file[first]
    file.create_dataset(first, (100_000_000,), "f4", chunks=(10_000_000,), compression="gzip", compression_opts=9)
    file[first][:10_000_000] = 0


@case(*HDF5, message="is stored in chunks or compressed", **hdf5)
def one_chunk_of_a_gigabyte_for_twelve_numbers(file, first):
    value = file[first][()]
    del file[first]
    file.create_dataset(first, value.shape, "f4", maxshape=(None, None), chunks=(1 << 14, 1 << 14))


@case(*HDF5, message="is not stored in the file itself", **hdf5)
def objects(file, first):
    shape = file[first].shape
    del file[first]
    file.create_dataset(first, shape, h5py.string_dtype())


@case(*HDF5, message="of int64 in the file", **hdf5)
def whole_numbers(file, first):
    put(file, first, np.zeros(file[first].shape, np.int64))


@case(*HDF5, message="of complex64 in the file", **hdf5)
def complex_numbers(file, first):
    put(file, first, np.zeros(file[first].shape, np.complex64))


@case(*HDF5, **hdf5)
def records(file, first):
    put(file, first, np.zeros(file[first].shape, [("a", "f4"), ("b", "f4")]))


@case(*HDF5, message=r"dense_1\.kernel is missing", **hdf5)
def a_missing_weight(file, first):
    del file[first]


@case(*HDF5, message=r"dense_1\.kernel is missing", **hdf5)
def a_group_for_a_dataset(file, first):
    del file[first]
    file.create_group(first)


@case(*HDF5, message="missing", **hdf5)
def a_dataset_for_a_group(file, first):
    put(file, first.rsplit("/", 1)[0], np.zeros(3))


@case(*HDF5, message=r"has shape \(4, 3\) here, \(3, 4\)", **hdf5)
def a_wrong_shape(file, first):
    put(file, first, file[first][()].T)


@case(*HDF5, message="not finite", **hdf5)
def not_a_number(file, first):
    put(file, first, np.full(file[first].shape, np.nan, np.float32))


@case(*HDF5, message="not finite", **hdf5)
def finite_only_in_float64(file, first):
    put(file, first, np.full(file[first].shape, 1e300))


@case(
    "ours.keras",
    "theirs.keras",
    "ours.weights.h5",
    "theirs.weights.h5",
    message="the model has no parameter for",
    **hdf5,
)
def an_extra_weight(file, first):
    file["layers/dense_2/vars/0"] = np.zeros(3, np.float32)


@case("theirs.h5", message="it holds 5 weights, and its layers have 4", **hdf5)
def an_extra_weight_of_old(file, first):
    names = file["model_weights/dense_0"].attrs["weight_names"]
    file["model_weights/dense_0"].attrs["weight_names"] = [*names, names[0]]


@case("ours.keras", "theirs.keras", "ours.weights.h5", "theirs.weights.h5", message="more than a model has", **hdf5)
def three_thousand_groups(file, first):
    for number in range(3000):
        file.create_group(f"layers/more/{number // 200}/{number}")


def put(file, place, value):
    del file[place]
    file[place] = value


@case("ours.keras", message="velocity of dense_1.kernel has shape", **hdf5)
def a_velocity_of_another_shape(file, first):
    put(file, "minitorch_np/dense_1.kernel/velocity", np.zeros((3, 4), np.float32))


@case("ours.keras", message="complex64", **hdf5)
def a_complex_velocity(file, first):
    put(file, "minitorch_np/dense_1.kernel/velocity", np.zeros((4, 3), np.complex64))


@case("ours.keras", message="not stored in the file itself", **hdf5)
def a_velocity_of_objects(file, first):
    del file["minitorch_np/dense_1.kernel/velocity"]
    file.create_dataset("minitorch_np/dense_1.kernel/velocity", (4, 3), h5py.string_dtype())


@case("ours.keras", message="not finite", **hdf5)
def a_velocity_that_is_not_finite(file, first):
    put(file, "minitorch_np/dense_1.kernel/velocity", np.full((4, 3), np.inf, np.float32))


@case("ours.keras", message="is a link to elsewhere", **hdf5)
def a_velocity_elsewhere(file, first):
    put(file, "minitorch_np", h5py.ExternalLink("other.h5", "/"))


@case("theirs.keras", message="velocity of dense_1.kernel has shape", **hdf5)
def a_momentum_of_another_shape(file, first):
    put(file, "optimizer/vars/2", np.zeros((3, 4), np.float32))


@case("theirs.keras", message="not finite", **hdf5)
def a_momentum_that_is_not_finite(file, first):
    put(file, "optimizer/vars/2", np.full((4, 3), np.nan, np.float32))


@case("theirs.keras", message="velocity of dense_1.kernel is missing", **hdf5)
def a_missing_momentum(file, first):
    del file["optimizer/vars/2"]


@case("theirs.keras", message="iteration is not a whole number", **hdf5)
def a_negative_iteration(file, first):
    put(file, "optimizer/vars/0", np.int64(-1))


@case("theirs.keras", message="iteration is not a whole number", **hdf5)
def a_broken_iteration(file, first):
    put(file, "optimizer/vars/0", np.float32(np.nan))

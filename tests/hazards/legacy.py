"""What may be wrong with Keras's older files: their strings."""

import struct

import numpy as np

from hazards.forging import case, hdf5


@case("theirs.h5")
def a_heap_without_end(good, bad):
    content = bytearray(good.read_bytes())
    place = content.find(b"GCOL")
    content[place + 24 : place + 32] = b"\0" * 8
    bad.write_bytes(content)


@case("theirs.h5")
def a_string_of_four_gigabytes(good, bad):
    content = good.read_bytes()
    heap = content.find(b"GCOL")
    at = next(i for i in range(len(content)) if content[i + 4 : i + 12] == struct.pack("<Q", heap))
    bad.write_bytes(content[:at] + b"\xff" * 4 + content[at + 4 :])


@case("theirs.h5", message="the texts are longer than", **hdf5)
def a_description_of_100_megabytes(file, first):
    file.attrs["model_config"] = '{"x": "' + "x" * 100_000_000 + '"}'


@case("theirs.h5", message="the texts are longer than|more than a model has|damaged", **hdf5)
def one_name_for_thousands(file, first):
    group = file["model_weights"]
    group.attrs["layer_names0"] = ["dense_0" + "x" * 4000] * 1000
    group.attrs["layer_names1"] = ["dense_0" + "x" * 4000] * 1000


@case("theirs.h5", message="it holds 4000", **hdf5)
def one_weight_read_over_and_over(file, first):
    del file["model_weights"].attrs["layer_names"]
    for part in range(10):
        file["model_weights"].attrs[f"layer_names{part}"] = [b"dense_0"] * 200


@case("theirs.h5", message="does not hold strings", **hdf5)
def numbers_for_names(file, first):
    file["model_weights"].attrs["layer_names"] = np.arange(4)


@case("theirs.h5", **hdf5)
def a_huge_attribute(file, first):
    file["model_weights"].attrs["layer_names"] = np.full(60, b"x" * 1000)


@case("theirs.h5", message="it holds no model", **hdf5)
def no_description(file, first):
    del file.attrs["model_config"]


@case("theirs.h5", message="it holds no model_weights", **hdf5)
def no_weights(file, first):
    del file["model_weights"]

"""What may be wrong in a file's description of its model."""

import json

from hazards.forging import CASES, case, description, through_description, through_files

TEXTS = {
    "of_100_megabytes": b'{"x": "' + b"x" * 100_000_000 + b'"}',
    "deep": b'{"a":' * 500_000,
    "deep_lists": b'{"a":' + b"[" * 900_000 + b"]" * 900_000 + b"}",
    "of_many_dictionaries": b'{"config": [' + b'{"":0},' * 550_000 + b"0]}",
    "of_many_lists": b'{"config": [' + b"[]," * 1_300_000 + b"0]}",
    "no_json": b"\xff\xfe\0",
    "of_another_kind": b"[1, 2]",
    "of_many_digits": b'{"format": ' + b"9" * 3_000_000 + b"}",
}
for label, text in TEXTS.items():
    for kind, place in (
        ("ours.keras", "minitorch_np.json"),
        ("theirs.keras", "config.json"),
        ("checkpoint", "state.json"),
    ):
        write = through_files(kind, lambda files, place=place, text=text: {**files, place: text})
        CASES[f"a_description_{label}", kind] = (write, "")


def own_layers(described):
    return described["model"]["config"]["layers"]


def layers(described):
    return described["config"]["layers"] if "config" in described else own_layers(described)


DESCRIBED = ("ours.keras", "theirs.keras", "theirs.h5")
UNITS = {
    "negative": -1, "zero": 0, "a_bool": True, "nan": float("nan"), "infinite": float("inf"), "a_billion": 10**9, "1e9": 1e9, "1e308": 1e308,
    "of_a_thousand_digits": 10**1000, "text": "3", "a_list": [3], "none": None, "a_dictionary": {"class_name": "Dense", "config": {}},
    "one_too_few": 2,
}  # fmt: skip
for label, units in UNITS.items():
    for kind in DESCRIBED:

        def change(described, units=units):
            layers(described)[1]["config"]["units"] = units

        CASES[f"units_{label}", kind] = (through_description(kind, change), "")


def class_key(described):
    return "class_name" if "config" in described else "class"


CLASSES = {
    "os.system": "os.system", "a_module_path": "minitorch_np.layers.Dense", "Lambda": "Lambda", "megabytes": "x" * 3_000_000,
    "a_list": ["Dense"], "none": None, "surrogates": "\ud800", "a_builtin": "eval",
    "an_optimizer": "SGD", "a_base_class": "Layer", "a_dunder": "__import__",
}  # fmt: skip
for label, name in CLASSES.items():
    for kind in DESCRIBED:

        def change(described, name=name):
            layers(described)[1][class_key(described)] = name

        CASES[f"the_class_{label}", kind] = (through_description(kind, change), "")


def dense(described, units):
    one = json.loads(json.dumps(layers(described)[1]))
    one["config"]["units"] = units
    return one


@case(*DESCRIBED, message="more than the file can fill", **description)
def a_kernel_of_terabytes(described):
    layers(described)[1:2] = [dense(described, 900_000), dense(described, 900_000), dense(described, 3)]


@case(*DESCRIBED, message="more than the file can fill", **description)
def a_kernel_of_gigabytes(described):
    layers(described)[1:2] = [dense(described, 20_000), dense(described, 20_000), dense(described, 3)]


@case(*DESCRIBED, message="more than the file can fill", **description)
def a_thousand_kernels_of_a_megabyte(described):
    layers(described)[1:2] = [dense(described, 500)] * 1000


@case(*DESCRIBED, message=r"it contains \d+ layers", **description)
def thousands_of_layers(described):
    layers(described)[2:2] = [layers(described)[2]] * 9_000


@case(*DESCRIBED, **description)
def models_three_hundred_deep(described):
    key = class_key(described)
    inner = layers(described)[2]
    for _ in range(300):
        inner = {
            key: "Sequential",
            "config": {"layers": [inner], "name": "s"} if key == "class_name" else {"layers": [inner]},
        }
    layers(described)[2] = inner


@case(*DESCRIBED, message="which is too large|cannot fill", **description)
def an_input_of_gigabytes(described):
    config = layers(described)[0]["config"]
    config.update(batch_shape=[None, 90_000, 90_000]) if "batch_shape" in config else config.update(
        shape={"tuple": [90_000, 90_000]}
    )


@case(*DESCRIBED, **description)
def a_shape_of_a_hundred_thousand_sizes(described):
    config = layers(described)[0]["config"]
    config.update(batch_shape=[None] + [999_999] * 100_000) if "batch_shape" in config else config.update(
        shape={"tuple": [999_999] * 100_000}
    )


@case(*DESCRIBED, **description)
def a_shape_that_is_negative(described):
    config = layers(described)[0]["config"]
    config.update(batch_shape=[None, -4]) if "batch_shape" in config else config.update(shape={"tuple": [-4]})


@case(*DESCRIBED, **description)
def layers_that_are_none(described):
    layers(described)[1] = 5


@case(*DESCRIBED, **description)
def an_unknown_argument_or_none(described):
    layers(described)[1]["config"] = {"evil": 1}


@case("ours.keras", message="which is not a model", **description)
def an_optimizer_for_a_model(described):
    described["model"] = {"class": "SGD", "config": {}}


OWN = {
    "class_names_text": ("class_names", "cat"), "class_names_numbers": ("class_names", [1, 2]), "class_names_none": ("class_names", None),
    "seen_text": ("seen", "abc"), "seen_of_another_shape": ("seen", [[0, 1]]), "seen_of_text": ("seen", [["a", "b"]] * 3),
    "seen_not_finite": ("seen", [[0.0, float("nan")]] * 3), "seen_ragged": ("seen", [[0], [0, 1], []]),
    "iteration_text": ("iteration", "6"), "iteration_negative": ("iteration", -1), "iteration_bool": ("iteration", True),
    "iteration_float": ("iteration", 2.5), "iteration_none": ("iteration", None), "input_shape_text": ("input_shape", "four"),
    "compile_text": ("compile", "sgd"), "compile_empty": ("compile", {}), "model_none": ("model", None), "format_none": ("format", None),
}  # fmt: skip
for label, (key, value) in OWN.items():
    if label != "input_shape_text":  # read only if the model does not define it itself
        change = lambda described, key=key, value=value: described.update({key: value})  # noqa: E731
        CASES[label, "ours.keras"] = (through_description("ours.keras", change), "")

COMPILED = {
    "a_rate_nan": ("optimizer", "learning_rate", float("nan")), "a_rate_negative": ("optimizer", "learning_rate", -1.0),
    "a_rate_text": ("optimizer", "learning_rate", "fast"), "a_momentum_of_two": ("optimizer", "momentum", 2), "a_momentum_nan": ("optimizer", "momentum", float("nan")),
}  # fmt: skip
for label, (part, key, value) in COMPILED.items():

    def change(described, part=part, key=key, value=value):
        described["compile"][part]["config"][key] = value

    CASES[label, "ours.keras"] = (through_description("ours.keras", change), "")


@case("ours.keras", message="optimizer or loss is something else", **description)
def a_loss_for_an_optimizer(described):
    described["compile"]["optimizer"] = described["compile"]["loss"]


@case("ours.keras", **description)
def metrics_that_are_none(described):
    described["compile"]["metrics"] = ["no such metric"]


@case("theirs.keras", **description)
def a_rate_of_theirs_nan(described):
    described["compile_config"]["optimizer"]["config"]["learning_rate"] = float("nan")


@case("theirs.keras", **description)
def a_compile_config_that_is_none(described):
    described["compile_config"] = ["sgd"]

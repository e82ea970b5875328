"""What may be wrong with a checkpoint, under sums that are right."""

from hazards.forging import CASES, case, description, files, through_description


def state(described):
    return dict(described["state"]["dict"])


def part(value, *names):
    for name in names:
        value = dict(value["dict"])[name]
    return value


def place(value, *names):
    """Where an array is, of which type and shape."""
    return part(value, *names)["array"]


def set_part(value, name, new):
    value["dict"] = [[key, new if key == name else old] for key, old in value["dict"]]


CHECKPOINT = {
    "another_dtype": lambda s: place(s, "weights", "dense_1.kernel").update(dtype="<f8", shape=[2, 3]),
    "another_shape": lambda s: place(s, "weights", "dense_1.kernel").update(shape=[3, 4]),
    "an_exabyte": lambda s: place(s, "weights", "dense_1.kernel").update(shape=[1 << 30, 1 << 30]),
    "objects_as_weights": lambda s: place(s, "weights", "dense_1.kernel").update(dtype="|O"),
    "no_such_array": lambda s: place(s, "weights", "dense_1.kernel").update(at=1 << 40),
    "no_weights_kept": lambda s: set_part(s, "weights", {"dict": []}),
    "frozen_text": lambda s: set_part(part(s, "trainable"), "dense_1.kernel", "no"),
    "nothing_frozen_kept": lambda s: set_part(s, "trainable", {"dict": []}),
    "weights_text": lambda s: set_part(s, "weights", "abc"),
    "a_velocity_twice_as_long": lambda s: place(s, "optimizer", "state", "dense_1.kernel", "velocity").update(shape=[2, 6]),
    "a_velocity_complex": lambda s: place(s, "optimizer", "state", "dense_1.kernel", "velocity").update(dtype="<c8", shape=[3, 2]),
    "a_velocity_of_no_parameter": lambda s: set_part(part(s, "optimizer"), "state", {"dict": [["nothing", {"dict": [["v", 1]]}]]}),
    "a_negative_epoch": lambda s: set_part(part(s, "position"), "epoch", -1),
    "an_epoch_text": lambda s: set_part(part(s, "position"), "epoch", "1"),
    "an_iteration_without_end": lambda s: set_part(part(s, "optimizer"), "iteration", 10**400),
    "an_iteration_none": lambda s: set_part(part(s, "optimizer"), "iteration", None),
    "a_rate_text": lambda s: set_part(part(s, "optimizer"), "learning_rate", "x"),
    "a_rate_negative": lambda s: set_part(part(s, "optimizer"), "learning_rate", -1.0),
    "a_history_of_text": lambda s: set_part(part(s, "history"), "loss", "x"),
    "a_total_text": lambda s: set_part(part(s, "position"), "total", "x"),
    "data_seen_text": lambda s: set_part(s, "data_seen", "x"),
    "a_history_text": lambda s: set_part(s, "history", "x"),
    "an_order_text": lambda s: set_part(s, "order", "x"),
    "an_order_of_another_generator": lambda s: set_part(part(s, "order"), "bit_generator", "MT19937"),
    "metrics_too_many": lambda s: set_part(s, "metrics", [1, 2, 3]),
    "metrics_text": lambda s: set_part(s, "metrics", ["x"]),
    "callbacks_too_many": lambda s: set_part(s, "callbacks", [1]),
    "no_state": lambda s: s.clear(),
}  # fmt: skip
for label, change in CHECKPOINT.items():
    whole = lambda described, change=change: change(described["state"])  # noqa: E731
    CASES[f"kept_{label}", "checkpoint"] = (through_description("checkpoint", whole), "")


@case("checkpoint", message="not finite", **files)
def kept_weights_that_are_not_finite(files):
    return {
        name: (b"\0\0\xc0\x7f" * (len(content) // 4) if name == "arrays" else content)
        for name, content in files.items()
    }


@case("checkpoint", **description)
def about_nothing(described):
    described["about"] = "x"

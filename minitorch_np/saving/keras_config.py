"""Keras's descriptions of layers, out of ours and into ours; classes come from the registry."""

from __future__ import annotations

import itertools
import re
from typing import Any

from minitorch_np import initializers
from minitorch_np.base.configurable import Configurable, is_built_in, signature_defaults
from minitorch_np.base.node import snake_case
from minitorch_np.layer import Layer
from minitorch_np.saving.errors import NotHere
from minitorch_np.saving.functions import for_file
from minitorch_np.saving.objects import registered_name

# Ours -> Keras


# Layers made of layers that Keras writes as a graph of these.
_GRAPHS = ("Sequential", "Residual", "Add", "Concatenate")


def without_twin(model: Any) -> list[str]:
    """The classes in a model that Keras does not have, with their arguments where these are what it does not have; a model that
    is no Sequential is one itself.
    """
    if registered_name(type(model)) != "Sequential":
        return [type(model).__name__]
    kinds = [(registered_name(type(layer)), layer) for _, layer in model.walk()]
    return [
        repr(layer) if type(layer).in_keras or type(layer).keras_activation else kind
        for kind, layer in kinds
        if kind not in _GRAPHS and twin(layer) is None
    ]


def to_keras(model: Any, name: str = "sequential") -> dict[str, Any]:
    """A Sequential as Keras's `config.json` describes it."""
    layers = [
        to_keras(layer, own_name)
        if registered_name(type(layer)) == "Sequential"
        else described(layer, own_name, model.dtype)
        for own_name, layer in model.sublayers().items()
    ]
    whole = as_object("keras", "Sequential", {"name": name, "layers": layers})
    if model.input_shape is not None:
        whole["build_config"] = {"input_shape": [None, *model.input_shape]}
    return whole


def as_object(module: str, class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def twin(layer: Layer) -> tuple[str, dict[str, Any]] | None:
    """Class and arguments of the same layer in Keras, or None."""
    if not is_built_in(type(layer)):
        return None
    if registered_name(type(layer)) == "Input":
        return "InputLayer", {"batch_shape": [None, *layer.config()["shape"]]}
    if layer.keras_activation:
        return "Activation", {"activation": layer.keras_activation}
    arguments = {name: value for name, value in layer.config().items() if name != "causal"}  # of the call in Keras
    return (type(layer).__name__, arguments) if layer.in_keras else None


def described(layer: Layer, name: str, dtype: str) -> dict[str, Any]:
    class_name, arguments = twin(layer) or ("", {})
    config = {argument: _value(for_file(layer, argument, value), name, dtype) for argument, value in arguments.items()}
    frozen = {"trainable": False} if is_frozen(layer) else {}
    return as_object("keras.layers", class_name, {"name": name, "dtype": dtype, **frozen, **config})


def is_frozen(layer: Layer) -> bool:
    """Whether nothing that the layer could learn is learnt; in Keras a layer is frozen as a whole."""
    learnable = [parameter for parameter in layer.parameters().values() if parameter.learnable]
    return bool(learnable) and all(parameter.frozen for parameter in learnable)


def frozen_in_part(model: Any) -> list[str]:
    """The names of the layers of which Keras could freeze only the whole."""
    return [
        name
        for name, layer in model.walk()
        if registered_name(type(layer)) not in _GRAPHS
        and not is_frozen(layer)
        and any(parameter.frozen for parameter in layer.parameters().values())
    ]


def _value(value: Any, name: str, dtype: str) -> Any:
    """An argument as JSON holds it; the name goes to a layer inside the layer."""
    if isinstance(value, Layer):
        return described(value, name, dtype)
    if isinstance(value, Configurable):  # initialisers and regularisers
        module = f"keras.{type(value).__module__.rpartition('.')[2]}"
        return as_object(module, type(value).__name__, value.config())
    if isinstance(value, (list, tuple)):
        return [_value(item, name, dtype) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value  # NumPy's numbers and arrays


def keras_name(name: str) -> str:
    """Keras's own way from a class to a group.

    >>> keras_name("ReLU"), keras_name("MaxPooling2D"), keras_name("Dense")
    ('re_lu', 'max_pooling2d', 'dense')
    """
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


# Keras -> ours

# Keras's functions for its Activation, or for `activation=` of other layers, that no class here names as its own.
_ACTIVATIONS: dict[str, tuple[str, tuple[Any, ...]] | None] = {
    "linear": None,
    "relu": ("ReLU", ()),
    "softmax": ("Softmax", ()),
    "elu": ("ELU", ()),
    "leaky_relu": ("LeakyReLU", (0.2,)),
    "swish": ("SiLU", ()),
}
# Arguments that change nothing here, or are looked at by themselves, and those of which one value is what the layer here does,
# beside None, False and 0.
_IGNORED = (
    "name", "dtype", "seed", "trainable", "batch_input_shape", "unroll", "implementation", "renorm_momentum",
    "zero_output_for_mask", "backward_layer",
)  # fmt: skip
_SAME = {
    "data_format": ("channels_last",),
    "activation": ("tanh",),
    "recurrent_activation": ("sigmoid",),
    "dilation_rate": (1, [1, 1]),
    "groups": (1,),
    "batch_shape": (),
}
_DTYPES = ("float32", "float64")
_MARK = "frozen in Keras"


def from_keras(given: Any, dtype: str | None = None) -> Any:
    """Our Sequential of a Keras Sequential; fused activations become layers of their own.

    Raises:
        NotHere: something that this package does not have; it names it.
    """
    if class_name(given) != "Sequential":
        raise NotHere(f"a Keras {class_name(given)} model; only Sequential models can be opened")
    config = given["config"]
    dtype = dtype or _dtype(config)
    built = list(itertools.chain.from_iterable(_layers(item, dtype) for item in config["layers"]))
    shape = (given.get("build_config") or {}).get("input_shape")
    if built and registered_name(type(built[0])) != "Input" and isinstance(shape, list):
        built.insert(0, _make("Input", tuple(shape[1:])))
    return _marked(_class("Sequential")(built, dtype=dtype), config)


def _layers(given: Any, dtype: str) -> list[Layer]:
    name = class_name(given)
    if name == "Sequential":
        return [from_keras(given, dtype)]
    config = given["config"]
    if name == "InputLayer":
        return [_make("Input", tuple(config.get("batch_shape") or config["batch_input_shape"])[1:])]
    if name == "Activation":
        return _activation(config["activation"])
    cls: Any = Configurable.registry.get(name)
    if cls is None or not issubclass(cls, Layer) or not is_built_in(cls) or not cls.in_keras:
        raise NotHere(f"the layer {name}, which this package does not have")
    known = signature_defaults(cls)
    layer = _marked(
        cls(**{argument: _argument(value, dtype) for argument, value in config.items() if argument in known}), config
    )
    fused = [] if _inherent(cls) else _activation(config.get("activation", "linear"))
    for argument, value in config.items():
        same = value in (None, False, 0, *_SAME.get(argument, ())) or argument in _IGNORED
        if argument not in known and not same and not (argument == "activation" and not _inherent(cls)):
            raise NotHere(f"a {name} with {argument}={value!r}, which this package does not have")
    backwards = config.get("backward_layer")
    if backwards is not None and repr(_argument(backwards, dtype)) != repr(layer.backward_layer):
        raise NotHere(f"a {name} whose backward_layer is not its layer turned round, which this package does not have")
    return [layer, *fused]


def _marked(layer: Any, config: dict[str, Any]) -> Any:
    """The layer, with a mark for `freeze` if it does not learn."""
    if config.get("trainable") is False:
        vars(layer)[_MARK] = True
    return layer


def freeze(model: Any) -> None:
    """Now that they exist, freeze the parameters of the layers that do not learn in Keras, and all that is inside these."""
    for _, layer in model.walk():
        if vars(layer).pop(_MARK, False):
            for parameter in layer.parameters().values():
                parameter.trainable = False


def _inherent(cls: Any) -> bool:
    """Whether the layer has its activation inside, between its steps in time, where none can be split off."""
    return "recurrent_initializer" in signature_defaults(cls)


def _argument(value: Any, dtype: str) -> Any:
    """An argument as our constructors take it."""
    if isinstance(value, list):
        return tuple(_argument(item, dtype) for item in value)
    if not isinstance(value, dict):
        return value
    name, config = class_name(value), value["config"]
    if name in Configurable.registry and issubclass(_class(name), Layer):
        (layer,) = _layers(value, dtype)
        return layer
    if snake_case(name) in initializers.BY_NAME:
        return snake_case(name)
    known = signature_defaults(_class(name))
    return _class(name)(**{argument: item for argument, item in config.items() if argument in known})


def _activation(name: Any) -> list[Layer]:
    if isinstance(name, str):
        if name in _ACTIVATIONS:
            made = _ACTIVATIONS[name]
            return [_make(made[0], *made[1])] if made else []
        for cls in Configurable.registry.values():
            if issubclass(cls, Layer) and is_built_in(cls) and cls.keras_activation == name:
                return [cls()]
    raise NotHere(f"the activation {name!r}, which this package does not have")


def _class(name: str) -> Any:
    if name not in Configurable.registry:
        raise NotHere(f"the {name}, which this package does not have")
    return Configurable.registry[name]


def _make(name: str, *arguments: Any) -> Any:
    return _class(name)(*arguments)


def class_name(described: Any) -> str:
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        raise ValueError("a description without class_name and config")
    refuse_own(described)
    return str(described.get("class_name"))


def refuse_own(described: dict[str, Any]) -> None:
    """Refuse what somebody wrote for Keras, whatever its name: it may do something else than what has that name here.

    Keras names the module of its own classes, and registers them under no other name; of a function the name tells. In its older `.h5` files it
    says neither; there a registered class is called package>Name.
    """
    module, registered, name = (described.get(key) for key in ("module", "registered_name", "class_name"))
    if name == "function":
        return
    theirs = str(module or "keras").partition(".")[0] == "keras" and not ("module" in described and module is None)
    if registered not in (None, name) or not theirs:
        raise NotHere(f"{name}, a class of somebody's own ({registered or module}), which this package does not have")


def class_and_config(described: Any) -> tuple[Any, dict[str, Any]]:
    """Of what Keras writes as a name, as an object or as a function."""
    if not isinstance(described, dict):
        return described, {}
    refuse_own(described)
    config = described.get("config") or {}
    return (described.get("class_name"), config) if isinstance(config, dict) else (config, {})


def _dtype(config: dict[str, Any]) -> str:
    """That of the whole model, or else, in files that have none, of its first layer with one."""
    for described in (
        config,
        *(layer.get("config", {}) for layer in config["layers"] if class_name(layer) != "InputLayer"),
    ):
        if dtype := _policy(described):
            return dtype if dtype in _DTYPES else "float32"
    return "float32"


def _policy(config: Any) -> Any:
    dtype = config.get("dtype") if isinstance(config, dict) else None
    return dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype


def other_precision(given: Any, dtype: str) -> list[str]:
    """What Keras computes in another precision than the model here does, in words."""
    found = []
    for layer in given["config"]["layers"]:
        name, config = class_name(layer), layer["config"]
        policy = _policy(config)
        if name == "Sequential":
            found += other_precision(layer, dtype)
        elif name == "InputLayer":
            whole = isinstance(policy, str) and policy not in (*_DTYPES, "float16", "bfloat16")
            kinds = [class_name(other) for other in given["config"]["layers"]]
            if whole and "Embedding" not in kinds:
                found.append(f"its Input makes {policy} of x there, and cuts fractions off")
        elif policy not in (None, dtype):
            found.append(f"{config.get('name', name)} computes in {policy} there, in {dtype} here")
    return found

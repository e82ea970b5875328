"""Layers out of Keras's descriptions. Classes come from the registry of this package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minitorch_np import initializers
from minitorch_np.base.answers import table
from minitorch_np.base.configurable import Configurable, is_built_in, signature_defaults
from minitorch_np.base.text import snake_case
from minitorch_np.layer import Layer
from minitorch_np.layers import ELU, Dense, Input, LeakyReLU, ReLU, SiLU, Softmax
from minitorch_np.saving.errors import NotHere
from minitorch_np.saving.keras_calls import WITH_OWN_LAYER
from minitorch_np.saving.keras_functional import IN_FILE, from_functional
from minitorch_np.saving.objects import registered

if TYPE_CHECKING:
    from minitorch_np.model import Model

# Keras's functions for its Activation, or for `activation=` of other layers, that no class here names as its own.
_ACTIVATIONS: dict[str, Callable[[], Layer] | None] = {
    "linear": None,
    "relu": ReLU,
    "softmax": Softmax,
    "elu": ELU,
    "leaky_relu": lambda: LeakyReLU(0.2),
    "swish": SiLU,
}
# Arguments that have no effect here or are handled separately.
_IGNORED = (
    "name", "dtype", "seed", "trainable", "batch_input_shape", "unroll", "implementation", "renorm_momentum",
    "zero_output_for_mask", "backward_layer",
)  # fmt: skip
# Values, beside None, False and 0, that mean what the layer here does.
_SAME = {
    "data_format": ("channels_last",),
    "activation": ("tanh",),
    "recurrent_activation": ("sigmoid",),
    "dilation_rate": (1, [1, 1]),
    "groups": (1,),
    "attention_axes": ([1],),  # the steps of a sequence
}
_DTYPES = ("float32", "float64")
_MARK = "frozen in Keras"
_FUNCTIONAL = ("Functional", "Model")


def from_keras(given: Any, dtype: str | None = None) -> Model:
    """Our model of a Keras Sequential or Functional. Fused activations become layers of their own.

    Raises:
        NotHere: it needs something that this package does not have; it names it.
    """
    kind, config, is_inside = class_name(given), given["config"], dtype is not None
    dtype = dtype or _dtype(config)
    if kind in _FUNCTIONAL and "input_layers" in config:
        return _marked(from_functional(config, dtype, _layers, class_name, is_inside=is_inside), config)
    if kind != "Sequential":
        raise NotHere(f"a Keras {kind} model", "; Sequential and Functional models can be opened")
    of_items = [(class_name(item), _layers(item, dtype)) for item in config["layers"]]
    layers = [layer for _, made in of_items for layer in made]
    shape = (given.get("build_config") or {}).get("input_shape")
    if layers and not isinstance(layers[0], Input) and isinstance(shape, list):
        layers.insert(0, Input(tuple(shape[1:])))
    sequential: Any = Configurable.registry["Sequential"]
    model = sequential(layers, dtype=dtype)
    vars(model)[IN_FILE] = [(item, next(iter(made), None)) for item, made in of_items]
    return _marked(model, config)


def freeze(model: Model) -> None:
    """Freeze, once they exist, the parameters of the layers that are frozen in Keras, and of the layers inside these."""
    for _, layer in model.walk():
        if vars(layer).pop(_MARK, False):
            for parameter in layer.parameters().values():
                parameter.trainable = False


def arguments(
    what: str, cls: type, config: Mapping[str, Any], ignored: Collection[str], same: Mapping[str, tuple[Any, ...]]
) -> dict[str, Any]:
    """The arguments in Keras's config that our constructor takes.

    Args:
        what: for the message. ignored: other arguments that have no effect.
        same: values of other arguments that mean what the class does anyway, beside None, False and 0.

    Raises:
        NotHere: another argument would have an effect.
    """
    known = own_arguments(cls, config)
    for name, value in config.items():
        if name not in known and name not in ignored and value not in (None, False, 0, *same.get(name, ())):
            raise NotHere(f"{what} with {name}={value!r}")
    return known


def own_arguments(cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name in signature_defaults(cls)}


def class_name(described: Any) -> str:
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        raise ValueError("a description without class_name and config")
    return str(class_and_config(described)[0])


def class_and_config(described: Any) -> tuple[Any, dict[str, Any]]:
    """The class and arguments of what Keras writes as a name, as an object, or as a function.

    Raises:
        NotHere: it is user-defined, whatever its name. It may do something else than what has that name here. Keras writes the
            module of its own classes, and registers them under no other name. Older `.h5` files have no modules; there a
            registered class is called package>Name.
    """
    if not isinstance(described, dict):
        return described, {}
    module, registered, name = (described.get(key) for key in ("module", "registered_name", "class_name"))
    is_keras = str(module or "keras").partition(".")[0] == "keras" and not ("module" in described and module is None)
    if name != "function" and (registered not in (None, name) or not is_keras):
        raise NotHere(f"{name}", f", a user-defined class ({registered or module}), which this package does not have")
    config = described.get("config") or {}
    return (name, config) if isinstance(config, dict) else (config, {})


def function_name(described: Any) -> str:
    """The name of a user-defined function in Keras's description, or "". Keras names the module of its own functions."""
    if not isinstance(described, dict) or described.get("class_name") != "function":
        return ""
    name, of_keras = described.get("config"), str(described.get("module")).partition(".")[0] == "keras"
    return name if isinstance(name, str) and name.isidentifier() and not of_keras else ""


def other_precision(given: Any, dtype: str) -> Iterator[str]:
    """Describe what Keras computes in another precision than the model here."""
    kinds = [class_name(layer) for layer in given["config"]["layers"]]
    for name, layer in zip(kinds, given["config"]["layers"], strict=True):
        policy = _policy(layer["config"])
        if name == "Sequential" or name in _FUNCTIONAL:
            yield from other_precision(layer, dtype)
        elif name == "InputLayer":
            whole = isinstance(policy, str) and policy not in (*_DTYPES, "float16", "bfloat16")
            if whole and "Embedding" not in kinds:
                yield f"its Input makes {policy} of x there, and cuts fractions off"
        elif policy not in (None, dtype):
            yield f"{layer['config'].get('name', name)} computes in {policy} there, in {dtype} here"


def _layers(given: Any, dtype: str) -> list[Any]:
    """The layer, and its activation if it has one."""
    name = class_name(given)
    if name == "Sequential" or name in _FUNCTIONAL:
        return [from_keras(given, dtype)]
    config = given["config"]
    if name == "InputLayer":
        batch_size, *shape = config.get("batch_shape") or config["batch_input_shape"]
        return [Input(tuple(shape), batch_size)]
    if name == "Identity":
        return []
    if name == "TimeDistributed":
        return _of_each_step(config["layer"], dtype)
    if name == "Activation":
        return _activation(config["activation"])
    cls: Any = Configurable.registry.get(name, object)
    if not issubclass(cls, Layer) or not is_built_in(cls) or not cls.in_keras:
        raise NotHere(f"the layer {name}", remedy=table().get(f"mt.{name}") or WITH_OWN_LAYER)
    # A recurrent layer has its activation inside, between its steps in time, from where it cannot be split off.
    fuses = "recurrent_initializer" not in signature_defaults(cls)
    own = arguments(f"a {name}", cls, config, (*_IGNORED, *(["activation"] if fuses else [])), _SAME)
    layer = _marked(cls(**{argument: _argument(value, dtype) for argument, value in own.items()}), config)
    backwards = config.get("backward_layer")
    if backwards is not None and repr(_argument(backwards, dtype)) != repr(getattr(layer, "backward_layer", None)):
        raise NotHere(f"a {name} whose backward_layer is not its layer turned round")
    return [layer, *(_activation(config.get("activation", "linear")) if fuses else [])]


def _of_each_step(given: Any, dtype: str) -> list[Any]:
    """The layer that Keras calls on each step of a sequence: Dense and activations do so anyway."""
    layers = _layers(given, dtype)
    last = (layer.axis for layer in layers if isinstance(layer, Softmax))
    if not all(isinstance(layer, (Dense, Softmax)) or layer.elementwise for layer in layers) or set(last) - {-1}:
        raise NotHere(f"TimeDistributed of a {class_name(given)}", remedy=WITH_OWN_LAYER)
    return layers


def _marked(layer: Any, config: dict[str, Any]) -> Any:
    """The layer, with a mark for `freeze` if it does not learn."""
    if config.get("trainable") is False:
        vars(layer)[_MARK] = True
    return layer


def _argument(value: Any, dtype: str) -> Any:
    """An argument as our constructors take it."""
    if isinstance(value, list):
        return tuple(_argument(item, dtype) for item in value)
    if not isinstance(value, dict):
        return value
    name = class_name(value)
    if snake_case(name) in initializers.BY_NAME:
        return snake_case(name)
    cls: Any = registered(name)
    if cls is None:
        raise NotHere(f"the {name}")
    if issubclass(cls, Layer):
        (layer,) = _layers(value, dtype)
        return layer
    return cls(**own_arguments(cls, value["config"]))


def _activation(name: Any) -> list[Layer]:
    if isinstance(name, str):
        if name in _ACTIVATIONS:
            make = _ACTIVATIONS[name]
            return [make()] if make else []
        for cls in Configurable.registry.values():
            if issubclass(cls, Layer) and is_built_in(cls) and cls.keras_activation == name:
                return [cls()]
    raise NotHere(f"the activation {name!r}")


def _dtype(config: dict[str, Any]) -> str:
    """That of the whole model; in files that do not say it, that of the first layer that has one."""
    layers = [layer.get("config", {}) for layer in config["layers"] if class_name(layer) != "InputLayer"]
    dtype = next(filter(None, map(_policy, [config, *layers])), None)
    return dtype if dtype in _DTYPES else "float32"


def _policy(config: Any) -> Any:
    dtype = config.get("dtype") if isinstance(config, dict) else None
    return dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype

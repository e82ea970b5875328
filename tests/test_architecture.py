"""The design, held: which way imports run, what is public, what an import costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from test_layers import LAYERS

import minitorch_np as mt
from minitorch_np.base.configurable import Configurable, is_built_in

ROOT = Path(mt.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Each package or module may import from those before it, and from itself. The modules of base have an order of their own.
ORDER = [
    {"base.text"}, {"base.any_length", "base.callers", "base.console", "base.files", "base.state", "base.arrays", "base.code", "base.signatures", "base.blas_threads", "base.job"},
    {"base.several"}, {"base.hdf5", "base.allocation", "base.shapes", "base.validation", "base.randomness", "base.cache"},
    {"base.functions", "base.blocks"}, {"base.answers"}, {"base.module_names", "base.alike"}, {"base.foreign_objects"}, {"base.by_name"}, {"base.configurable"}, {"base.parameter"}, {"base.parameters", "base.raised"}, {"base.node"}, {"base.contract", "base.replica"}, {"base.sharing"}, {"base.weights"},
    {"tracing"}, {"source"}, {"regularizers", "constraints"}, {"initializers"}, {"layer"}, {"layers"}, {"losses"}, {"metrics"}, {"plotting"}, {"optimizers"},
    {"schedules"}, {"callbacks"}, {"training"}, {"saving"}, {"model"}, {"sequential", "graph"}, {"datasets"},
    {"checking"}, {"tuning"}, {"cli"}, {"__main__"}, {""},
]  # fmt: skip
NETWORKS = {"base.node", "layer", "layers", "model", "sequential"}
BLIND = {  # and these must not know what a network is
    **dict.fromkeys(
        ["losses", "metrics", "optimizers", "regularizers", "constraints", "initializers", "tracing"], NETWORKS
    ),
    "training": {*NETWORKS, "losses", "optimizers"},
    "datasets": {"layer", "layers", "model", "sequential", "training"},
    "tuning": {"base.node", "layer", "layers", "sequential", "datasets"},
    "checking": {"layers", "model", "sequential", "training", "datasets"},
}
PACKAGES = [
    "callbacks",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "plotting",
    "regularizers",
]
PACKAGES += ["schedules", "tuning"]


def place(parts):
    """The name in ORDER of what these parts of a dotted name are in."""
    return ".".join(parts[:2] if parts[0] == "base" else parts[:1])


def own_place(path):
    return place([part.removesuffix(".py").replace("__init__", "") for part in path.relative_to(ROOT).parts])


def imported_places(path):
    """What a file imports from when it is itself imported; imports for type checkers do not count."""
    tree = ast.parse(path.read_text())
    for block in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
        if ast.unparse(block.test) == "TYPE_CHECKING":
            block.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minitorch_np":
            parts = node.module.split(".")[1:]
            for name in node.names:
                yield place([*parts, name.name])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    order = {name: position for position, names in enumerate(ORDER) for name in names}
    own = own_place(path)
    if own == "base.":  # base/__init__.py imports nothing
        order[own] = -1
    assert own in order, f"{own}: put it into ORDER"
    for other in imported_places(path):
        assert order[other] <= order[own], f"{own} imports {other}"
        assert other not in BLIND.get(own, ()), f"{own} must not know {other}"


@pytest.mark.parametrize("module", [mt, *(getattr(mt, name) for name in PACKAGES)], ids=lambda module: module.__name__)
def test_a_public_module_lists_its_public_names_alone(module):
    names = [name for name in dir(module) if not name.startswith("__")]
    assert names == sorted(set(module.__all__))
    for name in names:
        assert getattr(module, name).__doc__, name


def test_what_a_person_may_subclass_is_public():
    for base in ("Callback", "Layer", "Loss", "Metric", "Model", "Optimizer", "Regularizer", "Source"):
        assert base in mt.__all__
    assert {cls.__name__ for cls in LAYERS if cls.__module__.startswith("minitorch_np.layers.")} <= set(mt.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Dnese'"):
        mt.Dnese  # noqa: B018 the access is the test


def test_import_loads_numpy_alone():
    program = "import sys, minitorch_np; print([m for m in sys.modules if m in sys.argv[1:]])"
    others = ["h5py", "tqdm", "matplotlib", "PIL", "sklearn", "scipy", "torch", "keras", "numpy.random", "numpy.typing"]
    others += ["csv", "dataclasses", "hashlib", "signal", "minitorch_np.callbacks", "minitorch_np.training.loop"]
    done = subprocess.run([sys.executable, "-c", program, *others], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bytecode_of_no_module_is_read_at_import():
    """Reading it for the error of an unknown name takes longer than all else that an import does; an import asks for such names."""
    program = (
        "import dis, sys; read = []; dis.get_instructions = lambda code: read.append(code.co_filename) or iter(()); "
        "import minitorch_np; print(read); minitorch_np.nonsense"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
    assert "has no attribute 'nonsense'" in run.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_keeps_the_rules(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "every file has a docstring"
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], "raise instead of assert"
    for node in ast.walk(tree):
        # One answers unknown arguments; the others are put around functions of other people, whose arguments they do not know.
        free = path.name in ("answers.py", "contract.py", "creation.py", "wrapping.py")
        if isinstance(node, ast.FunctionDef) and node.args.kwarg:
            only_refuses = node.returns is not None and ast.unparse(node.returns) == "NoReturn"
            assert free or only_refuses, "no **kwargs"
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
            restored = path.parent.name == "checking"  # which restores the state that it uses
            assert node.attr in ("Generator", "default_rng") or restored, "no global random state"


def test_files_have_at_most_300_lines_and_the_top_level_few_modules():
    assert not [str(path) for path in FILES if len(path.read_text().splitlines()) > 300]
    assert len([path for path in ROOT.glob("*.py") if not path.name.startswith("__")]) <= 8


def test_no_class_of_the_package_replaces_another_in_the_registry():
    for path in FILES:
        importlib.import_module(
            ".".join(["minitorch_np", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
        )
    for cls in all_below(Configurable):
        if is_built_in(cls):
            assert Configurable.registry[cls.__name__] is cls, cls


def all_below(cls):
    for below in cls.__subclasses__():
        yield below
        yield from all_below(below)


def test_every_public_class_says_what_it_is():
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"

"""A plugin for pytest: a marker and a fixture, for one gradient test over several layers and shapes.

In conftest.py:

    pytest_plugins = ["minitorch_np.checking.pytest_plugin"]

In a test:

    @pytest.mark.gradients(layers=[Swish(), mt.Dense(3)], shapes=[(5, 3), (1, 4)])
    def test_gradients(gradient_case):
        gradient_case()

`gradient_case()` runs assert_gradients on a fresh copy of one layer with inputs of one shape.

`pytest --hint 1` shortens the report of every failed gradient check, as gradcheck's `hint` does.

It is not an entry point of the package, because pytest would then load numpy and the package in every project of the environment.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from minitorch_np.checking import GradcheckError, assert_gradients
from minitorch_np.checking.told_error import ToldError


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hint", type=int, choices=range(4), default=None, help="how much a failed gradient check tells")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Shorten the report before pytest prints it."""
    hint = item.config.getoption("--hint")
    error = call.excinfo.value if call.excinfo is not None else None
    if hint is not None and isinstance(error, GradcheckError):
        error.report.hint = hint
    if hint is not None and isinstance(error, ToldError):
        error.hint = hint


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gradients(layers, shapes): run gradient_case over these layers and shapes")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "gradient_case" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("gradients")
    if marker is None or not {"layers", "shapes"} <= marker.kwargs.keys():
        raise pytest.UsageError("gradient_case needs @pytest.mark.gradients(layers=[…], shapes=[…])")
    pairs = list(itertools.product(marker.kwargs["layers"], marker.kwargs["shapes"]))
    names = [f"{layer!r}-{'x'.join(map(str, shape))}" for layer, shape in pairs]
    metafunc.parametrize("gradient_case", pairs, indirect=True, ids=names)


@pytest.fixture
def gradient_case(request: pytest.FixtureRequest) -> Any:
    """A function that checks the gradients of one layer of the marker at one of its shapes."""
    layer, shape = request.param

    def check(wrt: Any = "all", method: str = "auto", rng: Any = 0) -> None:
        assert_gradients(copy.deepcopy(layer), shape, wrt=wrt, method=method, rng=rng)

    return check

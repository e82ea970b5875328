"""A derivative of the right form, taken from a wrong array: at the value of another variable, or from another result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.naming.arrays_at_hand import FUNCTIONS, Arrays, Function

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.regions import Region

_OF_RESULT = ("1 - {}**2", "{} * (1 - {})")  # the derivatives of tanh and of the sigmoid, from their results
_PRICE = 2.7


def alternatives(region: Region, arrays: Arrays) -> Iterator[Alternative]:
    """The derivative of an elementwise region is taken from another array of the same shape."""
    rule: Callable[..., NDArray]
    top, bottom = region.top.value, region.bottom.value
    of = "the derivative of {place} with respect to {bottom}"
    forms = [text for text in _OF_RESULT if np.allclose(FUNCTIONS[text](top), region.slope, rtol=1e-9)]
    for reference, array in arrays:
        if array.shape != top.shape or array is top or array is bottom:
            continue
        says = f"{of} is taken at {{array}} instead of at {{bottom}}"
        rule = lambda r, g, a=reference: g * r.slope_at(r.array(a))  # noqa: E731
        yield Alternative(_PRICE, "derivative at the wrong argument", says, rule, reference)
        for text in forms:
            of_other = Function(text, reference)
            says = f"{of} is taken as {{array}}, made from another array than {{top}}"
            rule = lambda r, g, a=of_other: g * r.array(a)  # noqa: E731
            yield Alternative(_PRICE, "derivative at the wrong argument", says, rule, of_other)

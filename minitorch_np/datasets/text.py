"""A text to train a text generator on, in the package."""

from __future__ import annotations

from importlib.resources import files


def load_text() -> str:
    """The twelve chapters of "Alice's Adventures in Wonderland": 143,032 characters, 69 different ones.

    In the public domain; alice_LICENSE.md says where the copy is from. Source: Lewis Carroll 1865.

    >>> load_text()[33:71]
    'Alice was beginning to get very tired '
    """
    return (files("minitorch_np.datasets") / "alice.txt").read_text("ascii")

"""The sum of what functions and classes do: another program has another sum, the same program the same one."""

import functools

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.code import sum_of_code


def made(text, **known):
    """What `thing` is in a program of its own."""
    namespace = {"np": np, "mt": mt, "functools": functools, "__name__": "program", **known}
    exec(compile(text, "program.py", "exec"), namespace)
    return namespace["thing"]


CHANGES = {
    "a number": ("def thing(x): return 0.1 * x", "def thing(x): return 0.2 * x"),
    "an operation": ("def thing(x): return x + 1", "def thing(x): return x - 1"),
    "a name": ("def thing(x): return np.sin(x)", "def thing(x): return np.cos(x)"),
    "a default": ("def thing(x, rate=0.1): return rate", "def thing(x, rate=0.2): return rate"),
    "a default by name": ("def thing(x, *, rate=0.1): return rate", "def thing(x, *, rate=0.2): return rate"),
    "a closure": (
        "def outer(r):\n  return lambda epoch: r\nthing = outer(1)",
        "def outer(r):\n  return lambda epoch: r\nthing = outer(2)",
    ),
    "a number outside": ("RATE = 0.1\ndef thing(x): return RATE", "RATE = 0.2\ndef thing(x): return RATE"),
    "a function that is called": (
        "def f(x): return x\ndef thing(x): return f(x)",
        "def f(x): return 2 * x\ndef thing(x): return f(x)",
    ),
    "a function inside": (
        "def thing(x): return [i + 1 for i in x]",
        "def thing(x): return [i + 2 for i in x]",
    ),
    "an argument of a partial": (
        "def f(r, x): return r\nthing = functools.partial(f, 1)",
        "def f(r, x): return r\nthing = functools.partial(f, 2)",
    ),
    "what an object was given": (
        "class Rate:\n  def __init__(self, r): self.rate = r\n  def __call__(self, e): return self.rate\nthing = Rate(1)",
        "class Rate:\n  def __init__(self, r): self.rate = r\n  def __call__(self, e): return self.rate\nthing = Rate(2)",
    ),
    "a method": (
        "class thing(mt.Loss):\n  def forward(self, p, t): return (p - t).sum()",
        "class thing(mt.Loss):\n  def forward(self, p, t): return (t - p).sum()",
    ),
    "a method of a base": (
        "class B(mt.Layer):\n  def forward(self, x): return x\nclass thing(B): pass",
        "class B(mt.Layer):\n  def forward(self, x): return -x\nclass thing(B): pass",
    ),
    "a number of the class": (
        "class thing(mt.Layer):\n  rate = 0.1",
        "class thing(mt.Layer):\n  rate = 0.2",
    ),
    "a property": (
        "class thing(mt.Layer):\n  @property\n  def rate(self): return 1",
        "class thing(mt.Layer):\n  @property\n  def rate(self): return 2",
    ),
    "a static method": (
        "class thing(mt.Layer):\n  @staticmethod\n  def rate(): return 1",
        "class thing(mt.Layer):\n  @staticmethod\n  def rate(): return 2",
    ),
    "a bound method": (
        "class A:\n  def f(self, x): return x\nthing = A().f",
        "class A:\n  def f(self, x): return -x\nthing = A().f",
    ),
    "a wrapped function": (
        "@functools.lru_cache\ndef thing(x): return x",
        "@functools.lru_cache\ndef thing(x): return -x",
    ),
    "a set": ("def thing(x): return x in {1, 2}", "def thing(x): return x in {1, 3}"),
}


@pytest.mark.parametrize(("one", "other"), CHANGES.values(), ids=CHANGES)
def test_another_body_has_another_sum_and_the_same_one_the_same(one, other):
    assert sum_of_code(made(one)) == sum_of_code(made(one))
    assert sum_of_code(made(one)) != sum_of_code(made(other))


def test_comments_lines_and_what_a_program_gathers_have_no_part_in_it():
    text = "seen = []\ncount = 0\ndef thing(x):\n  global count\n  count += 1\n  seen.append(x)\n  return x"
    moved = text.replace("  count += 1", "\n  # said\n  count  +=  1")
    thing = made(text)
    before = sum_of_code(thing)
    thing(1)
    assert sum_of_code(thing) == before == sum_of_code(made(moved))


def test_what_calls_itself_ends():
    assert sum_of_code(made("def thing(x): return x and thing(x - 1)"))
    assert sum_of_code(made("class thing:\n  def f(self): return thing()"))


def test_arrays_count_where_they_are_data():
    text = "def thing(): yield x, x"
    one, other = made(text, x=np.zeros(3)), made(text, x=np.ones(3))
    assert sum_of_code(one) == sum_of_code(other)
    assert sum_of_code(one, arrays=True) != sum_of_code(other, arrays=True)

"""What the layers and losses of this folder share.

A class is right while `bug` is None. `bugs` names the mistakes that its backward can be given, each with one line that
says in plain words what is wrong. `variants(cls)` makes the classes.
"""

import numpy as np

import minitorch_np as mt


class UserLayer(mt.Layer):
    """A layer by a user who has read the contract of a layer and nothing else."""

    bug = None
    bugs = {}
    shape = (5, 4)  # of an x to check it with, the batch included
    weights = {}  # name -> (shape, or a function of the input's shape; initializer)

    def build(self, input_shape):
        for name, (shape, initializer) in self.weights.items():
            size = shape(input_shape) if callable(shape) else shape
            setattr(self, name, self.add_parameter(size, initializer))

    @classmethod
    def data(cls, rng):
        """x, and nothing to compare with."""
        return rng.normal(size=cls.shape), None


class UserLoss(mt.Loss):
    bug = None
    bugs = {}
    shape = (5, 3)

    @classmethod
    def data(cls, rng):
        """A prediction and a target."""
        return rng.normal(size=cls.shape), rng.normal(size=cls.shape)


def variants(cls):
    """Triples (bug, what it is in words, class): first the right class, then every wrong one."""
    yield None, "right", cls
    for bug, words in cls.bugs.items():
        yield bug, words, type(cls.__name__, (cls,), {"bug": bug, "__module__": cls.__module__})


def normal(shape, rng):
    return rng.standard_normal(shape)


def positive(shape, rng):
    return rng.uniform(0.5, 1.5, shape)


def features(input_shape):
    """The shape of one number per feature."""
    return (input_shape[-1],)


def square(input_shape):
    return (input_shape[-1], input_shape[-1])


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def softmax(v, axis=-1):
    e = np.exp(v - v.real.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)

"""An independent derivative: central differences of fourth order, in float64, of the sum of dy * y for a random dy."""

import numpy as np


def derivative(function, at, step=1e-3):
    """d function() / d at, where function reads the array `at`; error about step^4."""
    slope = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        kept = at[place]
        values = []
        for factor in (-2, -1, 1, 2):
            at[place] = kept + factor * step
            values.append(function())
        at[place] = kept
        slope[place] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    return slope


def away_from_zero(x, distance=0.05):
    """x moved so far from 0 that no step crosses a kink there."""
    return x + distance * np.where(x >= 0, 1, -1)


def errors(layer, x, rng):
    """The largest difference between backward and the numerical derivative, for x and for each parameter."""
    y = layer(x)
    dy = rng.normal(size=y.shape)
    dx = layer.backward(dy)
    grads = {name: parameter.grad.copy() for name, parameter in layer.parameters().items() if parameter.trainable}

    def objective():
        return float((layer.forward(x) * dy).sum())

    found = {"x": np.abs(dx - derivative(objective, x)).max()}
    for name, grad in grads.items():
        found[name] = np.abs(grad - derivative(objective, layer.parameters()[name].value)).max()
    return found

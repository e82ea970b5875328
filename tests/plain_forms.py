"""The formulas of layers that the package computes in a faster way, each in its plainest form; docs/plain_forms.md explains them."""

import numpy as np


def with_border(x, size, strides, value):
    """The images x with the border of padding="same": then ceil(length / stride) windows fit along each axis."""
    borders = [(0, 0)]
    for length, window, stride in zip(x.shape[1:3], size, strides, strict=True):
        count = -(-length // stride)
        missing = max(0, (count - 1) * stride + window - length)
        borders.append((missing // 2, missing - missing // 2))
    return np.pad(x, [*borders, (0, 0)], constant_values=value)


def count(x, size, strides):
    """How many windows there are below each other, and beside each other."""
    return tuple((x.shape[1 + axis] - size[axis]) // strides[axis] + 1 for axis in (0, 1))


def windows(x, size, strides):
    """For each window its place (h, w) in y, and the index of its pixels in x."""
    for h, w in np.ndindex(count(x, size, strides)):
        top, left = h * strides[0], w * strides[1]
        yield (h, w), np.s_[:, top : top + size[0], left : left + size[1]]


def convolution(x, kernel, bias, strides):
    """y[b, h, w] = sum over i, j of x[b, h * stride + i, w * stride + j] @ kernel[i, j] + bias"""
    size, filters = kernel.shape[:2], len(bias)
    y = np.zeros((len(x), *count(x, size, strides), filters))
    for (h, w), window in windows(x, size, strides):
        y[:, h, w] = np.tensordot(x[window], kernel, axes=3) + bias  # the sum over i, j and channels
    return y


def convolution_backward(x, kernel, strides, dy):
    """Each window of x enters one pixel of y, times the kernel: dx = dy times the kernel, dkernel = dy times the window."""
    dx, dkernel = np.zeros(x.shape), np.zeros(kernel.shape)
    for (h, w), window in windows(x, kernel.shape[:2], strides):
        dx[window] += np.tensordot(dy[:, h, w], kernel, axes=(1, 3))  # the sum over the filters
        dkernel += np.tensordot(x[window], dy[:, h, w], axes=(0, 0))  # the sum over the batch
    return dx, dkernel, dy.sum(axis=(0, 1, 2))


def max_pooling(x, size, strides):
    """y[b, h, w, c] = the largest number of the window"""
    y = np.zeros((len(x), *count(x, size, strides), x.shape[3]))
    for (h, w), window in windows(x, size, strides):
        y[:, h, w] = np.nanmax(x[window], axis=(1, 2))
    return y


def max_pooling_backward(x, size, strides, dy):
    """The largest number of each window gets dy, the others get nothing."""
    dx = np.zeros(x.shape)
    for (h, w), window in windows(x, size, strides):
        for b, c in np.ndindex(len(x), x.shape[3]):
            pixels = x[window][b, :, :, c]
            largest = np.unravel_index(np.nanargmax(pixels), pixels.shape)
            dx[window][b, :, :, c][largest] += dy[b, h, w, c]
    return dx


def average_pooling(x, size, strides):
    """y[b, h, w, c] = the mean of the window"""
    y = np.zeros((len(x), *count(x, size, strides), x.shape[3]))
    for (h, w), window in windows(x, size, strides):
        y[:, h, w] = np.nanmean(x[window], axis=(1, 2))
    return y


def average_pooling_backward(x, size, strides, dy):
    """Each of the n pixels of a window gets dy / n."""
    dx = np.zeros(x.shape)
    for (h, w), window in windows(x, size, strides):
        n = np.isfinite(x[window]).sum(axis=(1, 2), keepdims=True)
        dx[window] += dy[:, h : h + 1, w : w + 1] / n
    return dx


def batch_normalization(x, gamma, beta, epsilon):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance over all axes but the last"""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes)
    variance = ((x - mean) ** 2).mean(axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def batch_normalization_backward(x, gamma, epsilon, dy):
    """The chain rule line by line, from y back through xhat, variance and mean to x."""
    axes = tuple(range(x.ndim - 1))
    n = x.size / x.shape[-1]
    mean = x.mean(axis=axes)
    variance = ((x - mean) ** 2).mean(axis=axes)
    deviation = np.sqrt(variance + epsilon)
    xhat = (x - mean) / deviation

    dgamma, dbeta = (dy * xhat).sum(axis=axes), dy.sum(axis=axes)  # y = gamma * xhat + beta
    dxhat = dy * gamma
    dvariance = (dxhat * (x - mean)).sum(axis=axes) * -1 / (2 * deviation**3)
    dmean = -dxhat.sum(axis=axes) / deviation  # the variance adds nothing: the sum of x - mean is 0
    dx = dxhat / deviation + dvariance * 2 * (x - mean) / n + dmean / n
    return dx, dgamma, dbeta


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(x, kernel, recurrent_kernel, bias):
    """The states h of all steps, (batch, time, units); see the formula of LSTM."""
    h = c = np.zeros((len(x), len(recurrent_kernel)))
    states = []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent_kernel + bias
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def lstm_backward(x, kernel, recurrent_kernel, bias, dy):
    """The same steps, from the last to the first; dh and dc are the gradients of the state and of the cell."""
    h = c = np.zeros((len(x), len(recurrent_kernel)))
    steps = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        steps.append((h, c, i, f, g, o))
        c = f * c + i * g
        h = o * np.tanh(c)

    dx, dkernel, drecurrent, dbias = (np.zeros(a.shape) for a in (x, kernel, recurrent_kernel, bias))
    dh = dc = np.zeros(c.shape)
    for t in reversed(range(x.shape[1])):
        h, c, i, f, g, o = steps[t]  # h and c are those before the step
        tanh_c = np.tanh(f * c + i * g)
        dh = dh + dy[:, t]
        dc = dc + dh * o * (1 - tanh_c**2)
        di, df, dg, do = dc * g, dc * c, dc * i, dh * tanh_c
        slopes = i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)
        dz = np.concatenate([da * slope for da, slope in zip((di, df, dg, do), slopes, strict=True)], axis=1)
        dx[:, t] = dz @ kernel.T
        dkernel += x[:, t].T @ dz
        drecurrent += h.T @ dz
        dbias += dz.sum(axis=0)
        dh, dc = dz @ recurrent_kernel.T, dc * f
    return dx, dkernel, drecurrent, dbias

"""Correlation: the sum of products over windows that a convolution computes, as a few large matrix products.

A window of height * width pixels consists of `height` pieces of rows, each of width * channels neighbouring numbers. For row i of
the kernel, the pieces at row i of all windows are a matrix, one below the other. Its product with row i of the kernel is what this
row adds to y. The pieces are copied once for all rows of the kernel, into the widened rows: `width` times as many numbers as the
images have, where copies of whole windows would be height * width times as many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minitorch_np.base.blocks import MOST, block_length, borrowed, in_blocks, slices
from minitorch_np.base.functions import SMALL_PRODUCT
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.layers.guards import Pair
from minitorch_np.layers.windows import set_pixels

Result = TypeVar("Result")

# A shorter piece makes a product that BLAS does slowly. Then all pieces of a window are copied side by side.
SHORT = 16
# Products of fewer windows than this are slower than one large product.
FEW_WINDOWS = 64


class Grid(NamedTuple):
    """Where the windows lie.

    Args:
        windows: how many there are below each other and beside each other.
        size: their height and width.
        strides: from window to window, downwards and to the right.
        margin: where the first one begins, in pixels above and to the left of the image.
        spread: between two columns of the image lie spread - 1 columns of zeros.
    """

    windows: Pair
    size: Pair
    strides: Pair = (1, 1)
    margin: Pair = (0, 0)
    spread: int = 1


def correlate(x: NDArray, kernel: NDArray, grid: Grid, y: NDArray) -> None:
    """y[b, h, w] = the sum over i, j of x[b, h * stride + i - margin, w * stride + j - margin] @ kernel[i, j]; beyond the image x is 0.

    Shapes: x (batch, height, width, channels), kernel (*grid.size, channels, outputs), y (batch, *grid.windows, outputs).
    """

    def of_block(matrices: list[NDArray], here: tuple[slice, slice]) -> None:
        add_products(matrices, kernel.reshape(len(matrices), -1, kernel.shape[-1]), y[here])

    _in_blocks(x, grid, of_block)


def kernel_gradient(x: NDArray, dy: NDArray, grid: Grid) -> NDArray:
    """dL/dkernel for the y of `correlate`: x[b, h * stride + i - margin, w * stride + j - margin]^T dy[b, h, w], summed over b, h, w."""

    def of_block(matrices: list[NDArray], here: tuple[slice, slice]) -> NDArray:
        dy_rows = dy[here].reshape(*matrices[0].shape[:2], dy.shape[-1])
        return np.stack([(matrix.swapaxes(1, 2) @ dy_rows).sum(axis=0) for matrix in matrices])

    return reduce(np.add, _in_blocks(x, grid, of_block)).reshape(*grid.size, x.shape[-1], dy.shape[-1])


def add_products(matrices: list[NDArray], kernels: NDArray, y: NDArray) -> None:
    """y = the sum of matrix @ kernel, for matrices (stack, windows, numbers), one after the other the windows of y."""
    stack, windows, numbers = matrices[0].shape
    parts = max(1, min(windows, -(-windows * numbers * y.shape[-1] // SMALL_PRODUCT)))
    while windows % parts:
        parts += 1
    if parts * FEW_WINDOWS > windows:
        parts = 1
    shape = (stack, parts, windows // parts)
    total = y.reshape(*shape, y.shape[-1]) if y.flags.c_contiguous else np.empty((*shape, y.shape[-1]), y.dtype)
    np.matmul(matrices[0].reshape(*shape, numbers), kernels[0], out=total)
    with borrowed(np.empty, total.shape, total.dtype) as part:
        for matrix, kernel in zip(matrices[1:], kernels[1:], strict=True):
            total += np.matmul(matrix.reshape(*shape, numbers), kernel, out=part)
    if not y.flags.c_contiguous:
        y[...] = total.reshape(y.shape)


def spread_gradient(dy: NDArray, kernel: NDArray, grid: Grid, dx: NDArray) -> None:
    """dx = dL/dx for the y of `correlate`: dy[b, h, w] @ kernel[i, j]^T belongs to dx[b, h * stride + i - margin, w * stride + j - margin].

    Along the width it is a correlation. Column u of dx gets dy[b, h, w] @ kernel[i, j]^T from w = (u + margin - j) / stride, where that
    is a column of dy: a correlation with the flipped kernel, of dy with stride - 1 columns of zeros between its columns. One product
    of the widened rows of dy with all rows of the kernel, side by side, has for each line of dy what it adds to `size` lines of dx.
    """
    (above, left), (down, right), (size, width) = grid.margin, grid.strides, grid.size
    along = Grid((dy.shape[1], dx.shape[2]), (1, width), (1, 1), (0, width - 1 - left), right)
    kernels = kernel[:, ::-1].transpose(1, 3, 0, 2).reshape(-1, size * kernel.shape[2])
    image_blocks, bands = _cut(dy, along)

    def of_images(images: slice) -> None:
        for lines in bands:
            shape = (images.stop - images.start, lines.stop - lines.start, dx.shape[2], size, dx.shape[3])
            with (
                _widened(dy, along, (images, lines)) as matrices,
                borrowed(np.empty, shape, dx.dtype) as product,
                borrowed(np.empty, (size, *shape[:3], shape[4]), dx.dtype) as by_row,
            ):
                np.matmul(matrices[0], kernels, out=product.reshape(*matrices[0].shape[:2], kernels.shape[1]))
                parts = np.moveaxis(product, 3, 0)
                if dx.shape[3] < SHORT:  # NumPy adds short runs of numbers slowly: bring those of a line together
                    set_pixels(by_row, parts)
                    parts = by_row
                for i in range(size):
                    outside = above - i - lines.start * down  # rows of the border that these lines reach into
                    first = -(-max(0, outside) // down)
                    into = dx[images, (lines.start + first) * down + i - above :: down][:, : shape[1] - first]
                    into += parts[i, :, first:][:, : into.shape[1]]

    in_blocks(of_images, image_blocks)


def _in_blocks(x: NDArray, grid: Grid, work: Callable[[list[NDArray], tuple[slice, slice]], Result]) -> list[Result]:
    """[work(matrices, (images, lines)) for each block]: the matrices of widened rows for these images and lines of windows.

    The matrices have the shape (stack, windows, numbers), with all windows of the block in order. There is one for each row of the
    kernel, or one for all rows if the pieces are short.
    """

    def of_block(block: tuple[slice, slice]) -> Result:
        with _widened(x, grid, block) as matrices:
            return work(matrices, block)

    image_blocks, bands = _cut(x, grid)
    return in_blocks(of_block, [(images, lines) for images in image_blocks for lines in bands])


@contextmanager
def _widened(x: NDArray, grid: Grid, block: tuple[slice, slice]) -> Iterator[list[NDArray]]:
    images, lines = block
    first = lines.start * grid.strides[0] - grid.margin[0]
    last = (lines.stop - 1) * grid.strides[0] - grid.margin[0] + grid.size[0]
    pixels = x[images, max(0, first) : max(0, last)]
    if grid.size == (1, 1) and grid.windows == x.shape[1:3]:  # the pixels themselves
        yield [pixels.reshape(len(pixels), pixels.shape[1] * x.shape[2], x.shape[3])]
        return
    kind: Callable[..., WidenedRows | WidenedPlanes] = WidenedPlanes if _are_short(x, grid) else WidenedRows
    with borrowed(kind, pixels.shape, max(0, -first), lines.stop - lines.start, grid, x.dtype) as wide:
        yield wide.matrices_of(pixels)


def _cut(x: NDArray, grid: Grid) -> tuple[list[slice], list[slice]]:
    """Slices of images and of lines of windows: several images are computed together, or some lines of a large image."""
    lines, numbers = grid.windows[0], grid.windows[0] * grid.windows[1] * grid.size[1] * x.shape[3]
    if _are_short(x, grid):
        numbers *= grid.size[0]
    if numbers > 2 * MOST:
        return slices(len(x), 1), slices(lines, max(1, lines * MOST // numbers))
    return slices(len(x), block_length(len(x), len(x) * numbers)), [slice(0, lines)]


def _are_short(x: NDArray, grid: Grid) -> bool:
    return grid.size[1] * x.shape[3] < SHORT


class WidenedRows:
    """A buffer for matrices of pieces of rows. The zeros around the pixels are written once.

    Args:
        shape: of the pixels, (images, height, width, channels).
        above: how many lines of zeros there are above them.
        lines: how many windows there are below each other.
        grid: the rest of the geometry.
    """

    def __init__(self, shape: Shape, above: int, lines: int, grid: Grid, dtype: np.dtype) -> None:
        images, height, width, channels = shape
        columns, (size, length), (down, right) = grid.windows[1], grid.size, grid.strides
        rows = -(-((lines - 1) * down + size) // down)  # with each remainder, divided by the stride
        padded = np.zeros((images, rows * down, (columns - 1) * right + length, channels), dtype)
        self.pixels = padded[:, above : above + height, grid.margin[1] :: grid.spread][:, :, :width]
        # Rows with the same remainder lie below each other.
        by_image, by_row, by_column, _ = padded.strides
        self.wide = np.empty((down, images, rows, columns, length * channels), dtype)
        steps = (by_row, by_image, by_row * down, by_column * right, dtype.itemsize)
        self.pieces = as_strided(padded, self.wide.shape, steps)
        flat = self.wide.reshape(down, images, rows * columns, length * channels)
        starts = [(i % down, i // down * columns) for i in range(size)]
        self.matrices = [flat[remainder, :, start : start + lines * columns] for remainder, start in starts]

    def matrices_of(self, x: NDArray) -> list[NDArray]:
        """The matrices of `_in_blocks` for these pixels."""
        self.pixels[...] = x[:, :, : self.pixels.shape[2]]
        set_pixels(self.wide, self.pieces)
        return self.matrices


class WidenedPlanes:
    """The same for short pieces: one matrix of whole windows, column by column. A column holds the pixels at one place of their
    windows, in one channel, which are neighbours in the plane of this channel.
    """

    def __init__(self, shape: Shape, above: int, lines: int, grid: Grid, dtype: np.dtype) -> None:
        images, height, width, channels = shape
        columns, (size, length), (down, right) = grid.windows[1], grid.size, grid.strides
        padded = np.zeros((images, channels, (lines - 1) * down + size, (columns - 1) * right + length), dtype)
        self.planes = padded[:, :, above : above + height, grid.margin[1] :: grid.spread][..., :width]
        by_image, by_channel, by_row, by_column = padded.strides
        self.wide = np.empty((size, length, channels, images, lines, columns), dtype)
        steps = (by_row, by_column, by_channel, by_image, by_row * down, by_column * right)
        self.pieces = as_strided(padded, self.wide.shape, steps)
        self.matrices = [self.wide.reshape(1, size * length * channels, images * lines * columns).swapaxes(1, 2)]

    def matrices_of(self, x: NDArray) -> list[NDArray]:
        self.planes[...] = x.transpose(0, 3, 1, 2)[..., : self.planes.shape[3]]
        set_pixels(self.wide, self.pieces)
        return self.matrices

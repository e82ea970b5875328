"""Image files as arrays of the shape that a model needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.files import AnyPath, as_path
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import is_whole

# The formats that Pillow may open. Others are rare, or run another program, as EPS does.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def load_image(path: AnyPath, shape: tuple[int, int, int]) -> NDArray:
    """An image file as an array of `shape` (height, width, channels), uint8 from 0 to 255.

    Grey, colour, palette and transparent images (on white), 16 bits (65535 becomes 255) and floats from 0 to 1 are converted.
    The orientation that a camera noted is applied; of several frames the first is taken. The whole image is resized to the
    shape, without keeping its proportions, as the cat images were. Channels are 1 (grey) or 3 (red, green, blue). The values
    are not scaled: the model does that.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF, JPEG 2000 or PPM, or is incomplete; its values have no
            known range, such as 32-bit integers and floats outside 0..1; the shape does not have 1 or 3 channels.
        ImportError: Pillow is missing; the message says how to get it.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ImportError("load_image needs Pillow: pip install 'minitorch-np[image]'") from None
    check_shape("load_image", shape)
    path = as_path(path, "load_image")
    height, width, channels = shape
    Image.init()  # fills OPEN with all formats that this Pillow was built with
    try:
        with Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN]) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I") or image.mode == "F":  # Pillow's own conversion would cut these off
                image = Image.fromarray(_to_8_bits(image, file.format))
            if image.has_transparency_data:
                image = image.convert("LA") if image.mode == "La" else image
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB" if channels == 3 else "L")
            image = image.resize((width, height), Image.Resampling.BICUBIC)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path}: not a readable image ({error}). Give a PNG, JPEG or another common format, with 8 or 16 bits per channel."
        ) from None
    return np.asarray(image).reshape(shape)


def check_shape(who: str, shape: Any) -> None:
    """Raise ValueError unless shape is the (height, width, channels) of an image."""
    sizes = shape if isinstance(shape, (tuple, list)) else ()
    if len(sizes) != 3 or not all(is_whole(size) and size >= 1 for size in sizes) or sizes[2] not in (1, 3):
        raise ValueError(
            f"{who}: shape is (height, width, channels), ints of at least 1 with 1 or 3 channels, got {shape!r}."
        )


def _to_8_bits(image: Any, file_format: str | None) -> NDArray:
    """Values with a known range as 0..255: unsigned 16 bits, or floats from 0 to 1.

    Pillow gives 16 bits as "I;16", and in PNG and PPM also as "I".
    """
    values = np.asarray(image)
    if image.mode == "F":
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(
                f"floats from {values.min():g} to {values.max():g}; only floats from 0 to 1 have a known range"
            )
        return np.floor(values * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    if image.mode == "I" and file_format not in ("PNG", "PPM"):
        raise ValueError("integers of 32 bits, which have no known range")
    eight = np.floor(values / 257 + 0.5).clip(0, 255).astype(np.uint8)
    clear = image.info.get("transparency")
    return eight if not isinstance(clear, int) else np.where(values == clear, np.uint8(255), eight)

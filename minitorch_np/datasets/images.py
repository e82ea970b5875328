"""Pictures of one's own, brought into the shape of the pictures a model knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.files import AnyPath, as_path

if TYPE_CHECKING:
    from numpy.typing import NDArray


def load_image(path: AnyPath, shape: tuple[int, int, int]) -> NDArray:
    """A picture file as an array of `shape` (height, width, channels), uint8 from 0 to 255.

    Grey, colour, palette, transparent (laid on white) and 16-bit pictures all come out right, upright when the
    camera noted how it was held. The whole picture is squeezed into the shape, as the training pictures were. Channels are
    1 (grey) or 3 (red, green, blue). The model does its own scaling, so this one leaves the values alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no picture or is cut off; the shape has other than 1 or 3 channels.
        ImportError: Pillow is missing; the message says how to get it.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ImportError("load_image needs Pillow: pip install 'minitorch-np[image]'") from None
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ValueError(f"load_image: shape is (height, width, 1 or 3), got {shape!r}.")
    path = as_path(path, "load_image")
    height, width, channels = shape
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I") or image.mode == "F":  # 16 bits: Pillow's own conversion would cut them off
                image = Image.fromarray(_to_8_bits(np.asarray(image)))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB" if channels == 3 else "L")
            image = image.resize((width, height), Image.Resampling.BICUBIC)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path}: not a readable picture ({error}). Give a PNG, JPEG or another format that Pillow reads."
        ) from None
    return np.asarray(image).reshape(shape)


def _to_8_bits(values: NDArray) -> NDArray:
    """Values of 0..65535 as 0..255; values that fit into 8 bits already stay."""
    top = values.max(initial=0)
    return (values / 257 if top > 255 else values).round().clip(0, 255).astype(np.uint8)

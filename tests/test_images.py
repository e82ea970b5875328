"""Pictures of one's own: every kind of file comes out as the array that a model takes."""

import numpy as np
import pytest

from minitorch_np import datasets

Image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install 'minitorch-np[image]'")
SHAPE = (8, 8, 3)


@pytest.fixture
def save(tmp_path):
    def save(image, name="picture.png", **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def halves(left, right, dtype=np.uint8):
    """An image of two halves, twice as wide as high."""
    picture = np.empty((20, 40), dtype)
    picture[:, :20], picture[:, 20:] = left, right
    return picture


def assert_halves(array, left, right, tolerance=1):
    assert array.dtype == np.uint8
    assert np.abs(array[:, :2].astype(int) - left).max() <= tolerance
    assert np.abs(array[:, 6:].astype(int) - right).max() <= tolerance


def test_grey_becomes_colour_and_colour_grey(save):
    path = save(Image.fromarray(halves(10, 200)))
    assert_halves(datasets.load_image(path, SHAPE), 10, 200)
    assert_halves(datasets.load_image(path, (8, 8, 1)), 10, 200)


def test_sixteen_bits_are_scaled_not_cut_off(save):
    assert_halves(datasets.load_image(save(Image.fromarray(halves(10 * 257, 200 * 257, np.uint16))), SHAPE), 10, 200)


def test_a_palette_shows_its_colours(save):
    colours = Image.fromarray(np.stack([halves(255, 0), halves(0, 0), halves(0, 255)], axis=-1))
    array = datasets.load_image(save(colours.convert("P", palette=Image.Palette.ADAPTIVE)), SHAPE)
    assert_halves(array, [255, 0, 0], [0, 0, 255], 3)


def test_transparency_is_laid_on_white(save):
    picture = np.zeros((20, 40, 4), np.uint8)
    picture[:, 20:, 3] = 255
    assert_halves(datasets.load_image(save(Image.fromarray(picture)), SHAPE), 255, 0)


def test_the_cameras_orientation_is_followed(save):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    lying = Image.fromarray(halves(10, 200).T.copy()).convert("RGB")
    path = save(lying, "photo.jpg", exif=exif, quality=95)
    assert_halves(datasets.load_image(path, SHAPE), 200, 10, 8)


def test_cmyk_and_one_bit_are_converted(save):
    assert_halves(datasets.load_image(save(Image.fromarray(halves(0, 255)).convert("1"), "bits.png"), SHAPE), 0, 255)
    cmyk = Image.fromarray(halves(10, 200)).convert("RGB").convert("CMYK")
    assert_halves(datasets.load_image(save(cmyk, "print.jpg", quality=95), SHAPE), 10, 200, 8)


def test_values_are_those_of_the_file_at_its_own_size(save, rng):
    picture = rng.integers(0, 256, SHAPE).astype(np.uint8)
    np.testing.assert_array_equal(datasets.load_image(save(Image.fromarray(picture)), SHAPE), picture)


def test_what_is_not_an_image_is_reported(save, tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    whole = save(Image.fromarray(halves(10, 200))).read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.jpg", "short.png"):
        with pytest.raises(ValueError, match=f"{name}: not a readable image"):
            datasets.load_image(tmp_path / name, SHAPE)
    with pytest.raises(FileNotFoundError):
        datasets.load_image(tmp_path / "none.png", SHAPE)
    with pytest.raises(ValueError, match="shape is"):
        datasets.load_image(tmp_path / "short.png", (8, 8, 4))


def test_without_pillow_the_line_to_type_is_given(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'minitorch-np\[image\]'"):
        datasets.load_image(tmp_path / "picture.png", SHAPE)


@pytest.mark.parametrize("top", [3, 255, 256, 65535])
@pytest.mark.parametrize("name", ["picture.png", "picture.tif", "picture.ppm"])
def test_the_scale_of_16_bits_follows_from_the_type(save, rng, top, name):
    values = rng.integers(0, top + 1, (8, 8)).astype(np.uint16)
    path = save(Image.fromarray(values), "picture.png")
    if name == "picture.ppm":  # as older Pillows cannot write it
        path.write_bytes(b"P5 8 8 65535\n" + values.astype(">u2").tobytes())
    elif name != "picture.png":
        path = save(Image.fromarray(values), name)
    np.testing.assert_array_equal(datasets.load_image(path, (8, 8, 1))[..., 0], (values / 257).round())


def test_16_bits_of_another_byte_order_are_the_same(save):
    image = Image.frombytes("I;16B", (8, 8), np.full((8, 8), 515, ">u2").tobytes())
    np.testing.assert_array_equal(datasets.load_image(save(image, "picture.tif"), SHAPE), 2)


def test_floats_go_from_0_to_1(save):
    path = save(Image.fromarray(np.array([[0.1, 0.5], [0.9, 1.0]], np.float32)), "picture.tif")
    np.testing.assert_array_equal(datasets.load_image(path, (2, 2, 1)).ravel(), [26, 128, 230, 255])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.float32([[0, 200]]), r"floats from 0 to 200; only floats from 0 to 1 have a known range"),
        (np.float32([[0, np.nan]]), "floats from nan to nan"),
        (np.int32([[0, 200]]), "integers of 32 bits, which have no known range"),
    ],
)
def test_values_without_an_agreed_range_are_refused(save, values, message):
    with pytest.raises(ValueError, match=rf"picture\.tif: not a readable image \({message}"):
        datasets.load_image(save(Image.fromarray(values), "picture.tif"), (1, 2, 1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_shows_its_grey(save, mode):
    grey = Image.fromarray(halves(0, 255))
    image = Image.fromarray(halves(0, 65535, np.uint16)) if mode == "I;16" else grey.convert("RGB").convert(mode)
    name = "picture.tif" if mode in ("CMYK", "YCbCr", "PA") else "picture.png"
    if mode == "PA":
        image = grey.convert("P").convert("PA")
    assert_halves(datasets.load_image(save(image, name), SHAPE), 0, 255, 8 if mode == "YCbCr" else 1)


@pytest.mark.parametrize(("mode", "clear"), [("1", 0), ("L", 0), ("RGB", (0, 0, 0)), ("P", 0), ("I;16", 0)])
def test_one_transparent_colour_is_laid_on_white(save, mode, clear):
    values = halves(0, 255) if mode != "I;16" else halves(0, 65535, np.uint16)
    image = Image.fromarray(values)
    image = image if mode == "I;16" else image.convert("RGB").convert(mode) if mode != "P" else image.convert("P")
    assert_halves(datasets.load_image(save(image, transparency=clear), SHAPE), 255, 255)


@pytest.mark.parametrize("name", ["picture.gif", "picture.tif", "picture.webp", "picture.png"])
def test_of_several_frames_the_first_is_taken(save, name):
    frames = [Image.fromarray(halves(0, value)) for value in (255, 100, 0)]
    path = save(frames[0], name, save_all=True, append_images=frames[1:])
    assert_halves(datasets.load_image(path, SHAPE), 0, 255, 8)


@pytest.mark.parametrize("name", ["picture.eps", "picture.pcx", "picture.tga", "picture.pdf"])
def test_formats_that_are_not_on_the_list_are_refused(save, name):
    path = save(Image.fromarray(halves(0, 255)), name)
    with pytest.raises(ValueError, match=r"not a readable image \(cannot identify"):
        datasets.load_image(path.rename(path.with_suffix(".png")), SHAPE)


@pytest.mark.parametrize("shape", [5, (8, 8), (0, 8, 3), (8.0, 8, 3), (8, 8, 2)])
def test_a_shape_that_is_not_an_image_shape_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"load_image: shape is \(height, width, channels\)"):
        datasets.load_image(tmp_path / "none.png", shape)

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
    """A picture of two halves, twice as wide as high."""
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


def test_what_is_no_picture_is_said(save, tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    whole = save(Image.fromarray(halves(10, 200))).read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.jpg", "short.png"):
        with pytest.raises(ValueError, match=f"{name}: not a readable picture"):
            datasets.load_image(tmp_path / name, SHAPE)
    with pytest.raises(FileNotFoundError):
        datasets.load_image(tmp_path / "none.png", SHAPE)
    with pytest.raises(ValueError, match="shape is"):
        datasets.load_image(tmp_path / "short.png", (8, 8, 4))


def test_without_pillow_the_line_to_type_is_given(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'minitorch-np\[image\]'"):
        datasets.load_image(tmp_path / "picture.png", SHAPE)

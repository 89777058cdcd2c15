import base64
import io

import numpy as np
import pytest
from PIL import Image

from ui import pictures

INK = np.zeros((28, 28), np.uint8)
INK[10:18, 14] = 255
ENCODED = base64.b64encode(INK.tobytes()).decode()


def _pixels(data_uri):
    prefix, encoded = data_uri.split(",")
    assert prefix == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(encoded)))).astype(int)


def _file(picture, picture_format="PNG"):
    file = io.BytesIO()
    picture.save(file, picture_format)
    return file.getvalue()


def test_what_the_model_saw_is_dark_on_light_or_light_on_dark():
    light, dark = (_pixels(pictures.seen_by_model(ENCODED, theme)) for theme in ("light", "dark"))
    assert light.shape == dark.shape == (28, 28)
    assert light[12, 14] < light[0, 0]
    assert dark[12, 14] > dark[0, 0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_speaks_for_the_digit_is_blue_and_what_speaks_against_it_orange(theme):
    weights = np.zeros((28, 28))
    weights[12, 14], weights[13, 14] = 1, -1
    picture = _pixels(pictures.heat_map(ENCODED, weights.tolist(), theme))
    red, _, blue = picture[12, 14]
    assert blue > red + 100
    red, _, blue = picture[13, 14]
    assert red > blue + 100
    assert len(set(picture[0, 0])) == 1  # no weight, no colour


@pytest.mark.parametrize("picture_format", pictures.FORMATS)
def test_a_large_picture_is_scaled_down_and_keeps_its_shape(picture_format):
    scaled = Image.open(
        io.BytesIO(pictures.scaled_down(_file(Image.new("RGB", (3000, 1500)), picture_format)))
    )
    assert scaled.format == "PNG"
    assert scaled.size == (1024, 512)


def test_a_small_picture_keeps_its_size_and_its_transparency():
    scaled = Image.open(io.BytesIO(pictures.scaled_down(_file(Image.new("RGBA", (28, 28), (0, 0, 0, 0))))))
    assert scaled.size == (28, 28)
    assert scaled.mode == "RGBA"


def _noise(*shape):
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8))


def _photo():
    """A 7 on grey paper, with a camera's noise and a shadow."""
    picture = np.random.default_rng(3).normal(190, 5, (768, 1024, 3)) + np.linspace(-40, 20, 1024)[:, None]
    picture[150:210, 350:680] -= 130
    picture[150:640, 600:680] -= 130
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "picture",
    [_noise(700, 700, 3), _noise(1024, 1024), _noise(400, 400, 4), _noise(181, 182, 3), _photo()],
    ids=["rgb", "grey", "rgba", "181x182", "photo"],
)
def test_what_is_stored_of_a_picture_has_less_than_100_kb(picture):
    scaled = pictures.scaled_down(_file(picture))
    assert len(scaled) < 100_000
    stored = Image.open(io.BytesIO(scaled))
    assert stored.format in ("PNG", "WEBP")
    assert max(stored.size) <= 1024
    assert pictures.extension(scaled) == stored.format.lower()
    assert pictures.thumbnail(scaled)


def test_a_photo_keeps_its_size_and_looks_as_it_did():
    stored = Image.open(io.BytesIO(pictures.scaled_down(_file(_photo(), "JPEG"))))
    assert (stored.format, stored.size) == ("WEBP", (1024, 768))
    difference = np.asarray(stored.convert("L"), float) - np.asarray(_photo().convert("L"), float)
    assert np.abs(difference).mean() < 6  # grey levels; the noise has 5


def test_a_drawing_is_stored_without_loss():
    drawing = Image.new("L", (1000, 1000), 255)
    drawing.paste(24, (450, 100, 550, 900))
    stored = Image.open(io.BytesIO(pictures.scaled_down(_file(drawing))))
    assert (stored.format, stored.tobytes()) == ("PNG", drawing.tobytes())


@pytest.mark.parametrize("picture_format", ["PPM", "EPS", "ICO", "TGA"])
def test_other_formats_are_not_even_tried(picture_format):
    with pytest.raises(pictures.PictureError, match="TIFF or AVIF"):
        pictures.scaled_down(_file(Image.new("RGB", (40, 30)), picture_format))


@pytest.mark.parametrize("mode", ["CMYK", "P", "I;16", "1", "LA", "F"])
def test_unusual_pictures_become_usual_ones(mode):
    picture_format = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    scaled = Image.open(io.BytesIO(pictures.scaled_down(_file(Image.new(mode, (40, 30)), picture_format))))
    assert scaled.mode in ("L", "RGB", "RGBA")


def test_a_picture_of_16_bits_keeps_its_light_and_dark():
    levels = np.full((40, 30), 50_000, np.uint16)
    levels[10:20] = 10_000
    scaled = np.array(Image.open(io.BytesIO(pictures.scaled_down(_file(Image.fromarray(levels))))))
    assert scaled[15, 15] == 0
    assert scaled[0, 0] == 255


def test_a_thin_line_of_two_colours_is_not_broken_by_scaling():
    bitmap = Image.new("1", (4000, 4000), 1)
    bitmap.paste(0, (2001, 0, 2004, 4000))
    scaled = np.array(Image.open(io.BytesIO(pictures.scaled_down(_file(bitmap)))).convert("L"))
    assert (scaled.min(axis=1) < 200).all()


def test_a_photo_taken_sideways_is_turned_upright():
    photo, exif = Image.new("RGB", (40, 20)), Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    file = io.BytesIO()
    photo.save(file, "JPEG", exif=exif)
    assert Image.open(io.BytesIO(pictures.scaled_down(file.getvalue()))).size == (20, 40)


def test_more_pixels_than_memory_is_for_are_refused_before_they_are_decoded():
    with pytest.raises(pictures.PictureError, match="40 megapixels"):
        pictures.scaled_down(_file(Image.new("1", (8000, 6000))))
    large = Image.new("L", (8000, 6000))  # a JPEG of that size is decoded small
    assert Image.open(io.BytesIO(pictures.scaled_down(_file(large, "JPEG")))).size == (1024, 768)


@pytest.mark.parametrize("file", [b"", b"hello", _file(Image.new("L", (40, 30)))[:-30]])
def test_a_file_that_is_no_picture_is_a_sentence(file):
    with pytest.raises(pictures.PictureError, match="not a readable picture"):
        pictures.scaled_down(file)


def test_a_thumbnail_is_small_and_shows_the_drawing():
    drawing = Image.new("RGBA", (320, 320), (255, 255, 255, 255))
    drawing.paste((0, 0, 0, 255), (100, 0, 220, 320))
    uri = pictures.thumbnail(_file(drawing))
    small = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L")
    assert small.size == (112, 112)
    assert small.getpixel((56, 56)) < 40
    assert small.getpixel((5, 56)) > 215
    assert len(uri) < 2000


@pytest.mark.parametrize(
    "file", [b"", b"png", _file(Image.new("L", (40, 30)))[:-30], _file(Image.new("1", (1100, 1100)))]
)
def test_what_cannot_or_should_not_be_decoded_has_no_thumbnail(file):
    assert pictures.thumbnail(file) is None

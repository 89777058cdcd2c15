import base64
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ui import pictures

INK = np.zeros((28, 28), np.uint8)
INK[10:18, 14] = 255
ROOT = Path(__file__).parents[2]
FAST = {"WEBP": {"method": 0}, "AVIF": {"speed": 10}, "PNG": {"compress_level": 1}}
ENCODED = base64.b64encode(INK.tobytes()).decode()


def _pixels(data_uri):
    prefix, encoded = data_uri.split(",")
    assert prefix == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(encoded)))).astype(int)


def _file(picture, picture_format="PNG", **options):
    file = io.BytesIO()
    picture.save(file, picture_format, **options)
    return file.getvalue()


def test_the_model_input_has_the_colours_of_the_theme():
    light, dark = (_pixels(pictures.draw_input(ENCODED, theme)) for theme in ("light", "dark"))
    assert light.shape == dark.shape == (28, 28)
    assert light[12, 14] < light[0, 0]
    assert dark[12, 14] > dark[0, 0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_evidence_for_the_digit_is_blue_and_evidence_against_it_orange(theme):
    weights = np.zeros((28, 28))
    weights[12, 14], weights[13, 14] = 1, -1
    picture = _pixels(pictures.draw_heat_map(ENCODED, weights.tolist(), theme))
    red, _, blue = picture[12, 14]
    assert blue > red + 100
    red, _, blue = picture[13, 14]
    assert red > blue + 100
    assert len(set(picture[0, 0])) == 1  # no weight, no colour


@pytest.mark.parametrize("picture_format", pictures.FORMATS)
def test_a_large_picture_is_scaled_down_and_keeps_its_shape(picture_format):
    scaled = Image.open(
        io.BytesIO(pictures.scale_down(_file(Image.new("RGB", (3000, 1500)), picture_format)))
    )
    assert scaled.format == "PNG"
    assert scaled.size == (1024, 512)


def test_a_small_picture_keeps_its_size_and_its_transparency():
    scaled = Image.open(io.BytesIO(pictures.scale_down(_file(Image.new("RGBA", (28, 28), (0, 0, 0, 0))))))
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
def test_a_stored_picture_has_less_than_100_kb(picture):
    scaled = pictures.scale_down(_file(picture))
    assert len(scaled) < 100_000
    stored = Image.open(io.BytesIO(scaled))
    assert stored.format in ("PNG", "WEBP")
    assert max(stored.size) <= 1024
    assert pictures.extension(scaled) == stored.format.lower()
    assert pictures.make_thumbnail(scaled)


def test_a_photo_keeps_its_size_and_appearance():
    stored = Image.open(io.BytesIO(pictures.scale_down(_file(_photo(), "JPEG"))))
    assert (stored.format, stored.size) == ("WEBP", (1024, 768))
    difference = np.asarray(stored.convert("L"), float) - np.asarray(_photo().convert("L"), float)
    assert np.abs(difference).mean() < 6  # grey levels; the noise has 5


def test_a_drawing_is_stored_without_loss():
    drawing = Image.new("L", (1000, 1000), 255)
    drawing.paste(24, (450, 100, 550, 900))
    stored = Image.open(io.BytesIO(pictures.scale_down(_file(drawing))))
    assert (stored.format, stored.tobytes()) == ("PNG", drawing.tobytes())


@pytest.mark.parametrize("picture_format", ["PPM", "EPS", "ICO", "TGA"])
def test_other_formats_are_not_tried(picture_format):
    with pytest.raises(pictures.PictureError, match="TIFF or AVIF"):
        pictures.scale_down(_file(Image.new("RGB", (40, 30)), picture_format))


@pytest.mark.parametrize("mode", ["CMYK", "P", "I;16", "1", "LA", "F"])
def test_unusual_modes_are_converted(mode):
    picture_format = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    scaled = Image.open(io.BytesIO(pictures.scale_down(_file(Image.new(mode, (40, 30)), picture_format))))
    assert scaled.mode in ("L", "RGB", "RGBA")


def test_a_picture_of_16_bits_keeps_its_contrast():
    levels = np.full((40, 30), 50_000, np.uint16)
    levels[10:20] = 10_000
    scaled = np.array(Image.open(io.BytesIO(pictures.scale_down(_file(Image.fromarray(levels))))))
    assert scaled[15, 15] == 0
    assert scaled[0, 0] == 255


def test_a_thin_line_of_two_colours_is_not_broken_by_scaling():
    bitmap = Image.new("1", (4000, 4000), 1)
    bitmap.paste(0, (2001, 0, 2004, 4000))
    scaled = np.array(Image.open(io.BytesIO(pictures.scale_down(_file(bitmap)))).convert("L"))
    assert (scaled.min(axis=1) < 200).all()


def test_a_photo_taken_sideways_is_turned_upright():
    photo, exif = Image.new("RGB", (40, 20)), Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    file = io.BytesIO()
    photo.save(file, "JPEG", exif=exif)
    assert Image.open(io.BytesIO(pictures.scale_down(file.getvalue()))).size == (20, 40)


def test_no_metadata_of_a_file_is_stored():
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    file = _file(Image.new("RGB", (40, 20)), "PNG", exif=exif, icc_profile=b"a profile", dpi=(300, 300))
    assert not Image.open(io.BytesIO(pictures.scale_down(file))).info


@pytest.mark.parametrize(
    ("picture_format", "size", "most"),
    [
        ("PNG", (8000, 6000), 40),
        ("WEBP", (4000, 3300), 13),
        ("AVIF", (4000, 3300), 13),
        ("TIFF", (4000, 3300), 13),
    ],
)
def test_too_many_pixels_are_refused_before_decoding(picture_format, size, most):
    with pytest.raises(pictures.PictureError, match=f"at most {most} megapixels"):
        pictures.scale_down(_file(Image.new("L", size), picture_format, **FAST.get(picture_format, {})))


def test_a_jpeg_of_50_megapixels_is_decoded_small():
    large = Image.new("L", (8000, 6000))
    assert Image.open(io.BytesIO(pictures.scale_down(_file(large, "JPEG")))).size == (1024, 768)


def test_a_jpeg_of_several_scans_has_a_lower_limit():
    large = _file(Image.new("L", (6000, 4100)), "JPEG", progressive=True)
    with pytest.raises(pictures.PictureError, match="at most 24 megapixels"):
        pictures.scale_down(large)
    # A baseline JPEG whose first scan has one of three components; the others would be in later scans.
    file = bytearray(_file(Image.new("RGB", (5000, 5000)), "JPEG"))
    file[file.index(b"\xff\xda") + 4] = 1
    with pytest.raises(pictures.PictureError, match="at most 24 megapixels"):
        pictures.scale_down(bytes(file))


def _tiff_of_one_tile(side):
    """A grey TIFF of 28x28 pixels in one tile of another size, which is decoded as a whole."""
    tile = zlib.compress(bytes(side * side))
    # Width, height, bits, deflate, black is zero, one sample, the tile's width, height, offset and length.
    tags = {256: 28, 257: 28, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 134, 325: len(tile)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + tile


def test_a_tiff_in_tiles_is_read_unless_a_tile_is_too_large():
    assert Image.open(io.BytesIO(pictures.scale_down(_tiff_of_one_tile(32)))).size == (28, 28)
    with pytest.raises(pictures.PictureError, match="at most 13 megapixels"):
        pictures.scale_down(_tiff_of_one_tile(3616))
    assert pictures.make_thumbnail(_tiff_of_one_tile(32))
    assert pictures.make_thumbnail(_tiff_of_one_tile(3616)) is None


def test_the_tiles_of_a_large_picture_have_no_visible_borders():
    slope = np.linspace(0, 255, 5000)[:, None] / 2 + np.linspace(0, 255, 3300) / 2
    scaled = Image.open(io.BytesIO(pictures.scale_down(_file(Image.fromarray(slope.astype(np.uint8))))))
    expected = np.linspace(0, 255, scaled.height)[:, None] / 2 + np.linspace(0, 255, scaled.width) / 2
    assert np.abs(np.asarray(scaled.convert("L"), float) - expected).max() < 3


def _sideways():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


# Mode, format, size and options of the files that need most memory if a picture is converted as a whole.
HEAVY = {
    "animated WebP": ("RGBA", "WEBP", (3600, 3600), {"save_all": True, "append_images": 1, "lossless": True}),
    "AVIF": ("RGBA", "AVIF", (3600, 3600), {"subsampling": "4:4:4"}),
    "TIFF of floats": ("F", "TIFF", (3600, 3600), {"compression": "tiff_adobe_deflate"}),
    "TIFF of one strip": (
        "RGBA",
        "TIFF",
        (3600, 3600),
        {"compression": "tiff_adobe_deflate", "strip_size": 2**30},
    ),
    "16 bits": ("I;16", "PNG", (6320, 6320), {}),
    "sideways": ("RGBA", "PNG", (6320, 6320), {"exif": _sideways()}),
    "wide": ("RGBA", "PNG", (400_000, 100), {}),
    "progressive JPEG": ("CMYK", "JPEG", (4890, 4890), {"progressive": True, "subsampling": 0}),
}
MEMORY = """
import sys
from pathlib import Path
from ui import pictures

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

file = Path(sys.argv[1]).read_bytes()
pictures.scale_down(Path(sys.argv[2]).read_bytes())  # loads the formats' code
before = peak()
pictures.scale_down(file)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory in Linux's /proc")
@pytest.mark.parametrize("kind", HEAVY)
def test_no_accepted_file_takes_more_than_about_200_mib(kind, tmp_path):
    mode, picture_format, size, options = HEAVY[kind]
    options = FAST.get(picture_format, {}) | options
    if "append_images" in options:
        options["append_images"] = [Image.new(mode, size, (9, 9, 9, 128))]
    files = tmp_path / "large", tmp_path / "small"
    files[0].write_bytes(_file(Image.new(mode, size), picture_format, **options))
    files[1].write_bytes(_file(Image.new("L", (9, 9))))
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, *files], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert float(run.stdout) < 230


@pytest.mark.parametrize("file", [b"", b"hello", _file(Image.new("L", (40, 30)))[:-30]])
def test_an_unreadable_file_is_reported(file):
    with pytest.raises(pictures.PictureError, match="not a readable picture"):
        pictures.scale_down(file)


def test_a_thumbnail_is_a_small_copy_of_the_drawing():
    drawing = Image.new("RGBA", (320, 320), (255, 255, 255, 255))
    drawing.paste((0, 0, 0, 255), (100, 0, 220, 320))
    uri = pictures.make_thumbnail(_file(drawing))
    small = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L")
    assert small.size == (112, 112)
    assert small.getpixel((56, 56)) < 40
    assert small.getpixel((5, 56)) > 215
    assert len(uri) < 2000


@pytest.mark.parametrize(
    "file", [b"", b"png", _file(Image.new("L", (40, 30)))[:-30], _file(Image.new("1", (1100, 1100)))]
)
def test_an_unreadable_or_too_large_picture_has_no_thumbnail(file):
    assert pictures.make_thumbnail(file) is None

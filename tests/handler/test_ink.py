"""The ink is found in any colours, on any paper, in any light."""

import io
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from handler.box import Box
from handler.flat_paper import is_one_piece
from handler.greys import edge_of_image, to_grey
from handler.ink import find_inks
from handler.pick import MeasureContrast, ink_of_layer, pick_inks
from handler.preprocessing import preprocess
from handler.two_levels import edge
from handler.writing import Group
from tests.handler.drawings import (
    difference,
    difference_of_shape,
    draw_on_paper,
    draw_without_paper,
    drawing,
    photo,
    reopen,
)

MASK = drawing(7)
EXPECTED = preprocess(MASK)
INVERTED = ImageOps.invert(MASK)


def test_the_expected_input_shows_a_7():
    """Other tests compare with it."""
    assert EXPECTED[8:10, 8:19].min() > 180  # the roof of the 7
    assert EXPECTED[15:, 20:].max() == EXPECTED[12:, :10].max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"])
@pytest.mark.parametrize("image", [MASK, INVERTED], ids=["white on black", "black on white"])
def test_ink_is_found_in_every_mode_dark_or_light(image, mode):
    if mode == "PA":
        image = image.convert("P").convert("PA")
    else:
        image = (
            image.convert("RGB").convert(mode) if mode in {"CMYK", "YCbCr", "HSV"} else image.convert(mode)
        )
    assert difference(preprocess(image), EXPECTED) < 1.0


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_ink_is_found_in_16_and_32_bits(mode, inverted):
    values = np.asarray(INVERTED if inverted else MASK).astype(np.uint16)
    if mode == "F":
        image = Image.fromarray((values / 255).astype(np.float32))
    elif mode == "I":
        image = Image.fromarray(values.astype(np.int32) * 257)
    else:
        image = Image.fromarray(values * 257)
        if mode == "I;16B":
            image = Image.frombytes("I;16B", image.size, (values * 257).astype(">u2").tobytes())
    assert difference(preprocess(image), EXPECTED) < 1.0


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("black", "white"),
        ("white", "black"),
        ("red", "black"),
        ("blue", "black"),
        ("blue", "white"),
        ("yellow", "white"),
        ("red", (0, 130, 0)),  # as bright as each other
        ((90, 90, 90), (130, 130, 130)),
        ((235, 235, 235), (200, 200, 200)),
    ],
)
def test_opaque_strokes_of_any_colour(ink, paper):
    assert difference(preprocess(draw_on_paper(MASK, ink, paper)), EXPECTED) < 1.0


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255), (200, 10, 10), (0, 0, 255), (128, 128, 128)])
def test_transparent_strokes_of_any_colour(ink):
    image = draw_without_paper(MASK, ink)
    assert difference(preprocess(image), EXPECTED) < 1.0
    assert difference(preprocess(reopen(image, "PNG")), EXPECTED) < 1.0
    assert difference(preprocess(reopen(image, "WEBP", lossless=True)), EXPECTED) < 1.0


def test_transparent_strokes_of_several_colours():
    image = draw_without_paper(MASK, (255, 255, 255))
    image.paste((0, 0, 0), (0, 0, 280, 140))
    image.putalpha(MASK)
    assert difference(preprocess(image), EXPECTED) < 1.0


def test_a_palette_with_a_transparent_colour():
    image = MASK.point(lambda value: value > 127).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    assert difference(preprocess(reopen(image, "PNG", transparency=0)), EXPECTED) < 2.0
    assert difference(preprocess(reopen(image, "GIF", transparency=0)), EXPECTED) < 2.0


def test_an_opaque_picture_with_an_alpha_channel():
    image = draw_on_paper(MASK, "black", "white")
    image.putalpha(255)
    assert difference(preprocess(image), EXPECTED) < 1.0


def test_a_sheet_with_a_transparent_margin():
    image = Image.new("RGBA", (400, 420))
    image.paste(draw_on_paper(MASK, "black", "white"), (60, 80))
    assert difference(preprocess(image), EXPECTED) < 1.0


def test_a_sheet_on_something_darker():
    image = ImageOps.expand(INVERTED, 90, fill=60)
    assert difference(preprocess(image), EXPECTED) < 1.0


def test_a_frame_around_the_picture_is_not_ink():
    image = ImageOps.expand(INVERTED, 1, fill=0)
    assert difference(preprocess(image), EXPECTED) < 1.0


@pytest.mark.parametrize("quality", [20, 60, 90])
@pytest.mark.parametrize("image", [MASK, INVERTED], ids=["white on black", "black on white"])
def test_jpeg_noise_does_not_widen_the_drawing(image, quality):
    assert difference(preprocess(reopen(image, "JPEG", quality=quality)), EXPECTED) < 2.0


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_the_exif_orientation_is_applied(orientation):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # turns an upright picture into the stored one
    stored = MASK if orientation == 1 else MASK.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for picture_format in ("JPEG", "PNG", "WEBP"):
        image = reopen(stored, picture_format, exif=exif)
        assert difference(preprocess(image), EXPECTED) < 2.0, picture_format


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_orientation_is_ignored():
    file = io.BytesIO()
    INVERTED.save(file, "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\x00\x00\xff\xff\xff\xff")
    assert difference(preprocess(Image.open(file)), EXPECTED) < 2.0


@pytest.mark.parametrize("light", ["even", "from the left", "from a corner", "vignette"])
@pytest.mark.parametrize(
    ("paper", "ink"), [(220, 40), (120, 40), (220, 170), (60, 210)], ids=["pen", "grey", "pencil", "chalk"]
)
def test_ink_is_found_in_photos(paper, ink, light):
    image = photo(MASK, paper=paper, ink=ink, light=light)
    assert difference(preprocess(image), EXPECTED) < 6.0


@pytest.mark.parametrize(("paper", "ink"), [(220, 40), (120, 40)], ids=["pen", "grey"])
def test_ink_is_found_in_a_photo_half_in_a_hard_shadow(paper, ink):
    image = photo(MASK, paper=paper, ink=ink, light="behind a shadow")
    assert difference(preprocess(image), EXPECTED) < 6.0


@pytest.mark.parametrize("size", [(1600, 1200), pytest.param((4096, 3000), marks=pytest.mark.slow)])
def test_a_small_drawing_is_found_in_a_large_photo(size):
    small = MASK.resize((112, 112))
    assert difference(preprocess(photo(small, size=size, light="from a corner")), EXPECTED) < 8.0


BLANKS = {
    "black": Image.new("L", (280, 280)),
    "white": Image.new("L", (280, 280), 255),
    "grey": Image.new("RGB", (50, 70), (127, 127, 127)),
    "transparent": Image.new("RGBA", (280, 280)),
    "transparent white": Image.new("RGBA", (280, 280), (255, 255, 255, 0)),
    "opaque with alpha": Image.new("RGBA", (280, 280), (10, 200, 30, 255)),
    "one pixel": Image.new("L", (1, 1), 255),
    "one long row": Image.new("1", (4096, 1), 1),
    "16 bit": Image.fromarray(np.full((40, 40), 40000, np.uint16)),
    "JPEG noise": reopen(
        Image.fromarray(np.random.default_rng(1).normal(250, 4, (280, 280)).clip(0, 255).astype(np.uint8)),
        "JPEG",
        quality=30,
    ),
    "sensor noise": Image.fromarray(
        np.random.default_rng(1).normal(120, 12, (480, 640)).clip(0, 255).astype(np.uint8)
    ),
    "ramp of light": Image.fromarray(np.tile(np.linspace(60, 220, 640), (480, 1)).astype(np.uint8)),
    "empty sheet in a vignette": photo(Image.new("L", (280, 280)), light="vignette"),
    "empty sheet behind a shadow": photo(Image.new("L", (280, 280)), light="behind a shadow"),
    "empty sheet behind a slanting shadow": Image.fromarray(
        np.where(np.add.outer(2 * np.arange(900), 5 * np.arange(675)) < 2800, 120, 235).astype(np.uint8)
        + np.random.default_rng(0).integers(0, 9, (900, 675), np.uint8)
    ),
    "empty sheet lit from a corner": photo(Image.new("L", (280, 280)), light="from a corner"),
}


@pytest.mark.parametrize("name", BLANKS)
def test_a_blank_has_no_ink(name):
    assert find_inks(BLANKS[name]) == []
    assert not preprocess(BLANKS[name]).any()


@pytest.mark.parametrize("ink", [0, 255])
def test_strokes_over_the_edge_of_the_canvas(ink):
    mask = drawing(7, left=-5, top=-5, width=315, height=290, brush=30)
    assert mask.getbbox() == (0, 0, 280, 280)
    image = mask if ink else ImageOps.invert(mask)
    seen = preprocess(image)
    assert seen[8:10, 5:20].min() > 150  # the roof
    assert seen[15:, :9].max() == seen[20:, 20:].max() == 0


@pytest.mark.parametrize("image", [MASK, INVERTED], ids=["white on black", "black on white"])
def test_a_picture_cropped_to_its_ink_gives_the_same_input(image):
    assert difference(preprocess(image.crop(MASK.getbbox())), EXPECTED) < 1.0


def test_thick_strokes_that_fill_most_of_the_picture():
    mask = drawing(7, left=50, top=45, width=170, height=190, brush=85)
    cut = mask.crop(mask.getbbox())
    assert np.asarray(cut).mean() > 0.5 * 255
    assert difference(preprocess(ImageOps.invert(mask)), preprocess(mask)) < 1.0
    assert preprocess(cut)[8, 10] == 255
    assert preprocess(cut)[25, 22] == 0


def test_a_line_of_one_pixel():
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).line([(60, 40), (200, 40), (120, 240)], fill=0, width=1)
    seen = preprocess(image)
    assert seen.max() == 255
    assert (seen > 100).sum() >= 25  # the roof's 14 pixels and most of the stem's 20
    assert not seen[12:, :7].any()


@pytest.mark.parametrize("ends", [[(140, 30), (140, 250)], [(30, 140), (250, 140)]])
@pytest.mark.parametrize("width", [1, 20])
def test_a_straight_bar_is_ink_and_not_a_sheet(ends, width):
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).line(ends, fill=0, width=width)
    seen = preprocess(image)
    assert sorted({int(seen.any(axis=0).sum()), int(seen.any(axis=1).sum())}) == [max(1, width // 10), 20]


def test_a_single_dot_is_ink():
    image = Image.new("L", (280, 280))
    image.putpixel((9, 9), 255)
    assert preprocess(image).any()


def form_cell() -> Image.Image:
    """The drawing in a frame, as in a form."""
    image = INVERTED.copy()
    ImageDraw.Draw(image).rectangle([6, 6, 273, 273], outline=0, width=3)
    return image


def test_a_frame_is_left_out_and_the_ink_has_a_place():
    found = find_inks(form_cell())
    assert difference(preprocess(form_cell()), EXPECTED) < 1.0
    assert found[0].relative_box == pytest.approx([side / 280 for side in MASK.getbbox()], abs=0.01)
    assert find_inks(INVERTED)[0].relative_box is None


@pytest.mark.parametrize("inverted", [False, True])
def test_specks_and_rules_are_left_out(inverted):
    image = INVERTED.copy()
    pen = ImageDraw.Draw(image)
    pen.line([(0, 262), (280, 262)], fill=0, width=2)
    for place in [(20, 20), (250, 30), (15, 200), (240, 230)]:
        pen.rectangle([*place, place[0] + 2, place[1] + 2], fill=0)
    image = ImageOps.invert(image) if inverted else image
    assert difference(preprocess(image), EXPECTED) < 1.0


@pytest.mark.parametrize(
    "image",
    [
        INVERTED,
        form_cell(),
        photo(MASK),
        MASK.resize((28, 28)),
        MASK.point(lambda value: value // 16),
        BLANKS["white"],
    ],
    ids=["drawing", "form", "photo", "small", "few levels", "blank"],
)
def test_an_array_of_greys_gives_the_ink_of_its_image(image):
    of_image, of_array = find_inks(image), find_inks(np.asarray(image))
    assert len(of_image) == len(of_array)
    for one, other in zip(of_image, of_array, strict=True):
        assert np.array_equal(one.layer, other.layer)
        assert one[1:] == other[1:]


def test_a_ring_around_the_digit_is_left_out():
    image = ImageOps.expand(INVERTED, 80, fill=255)
    ImageDraw.Draw(image).ellipse([20, 20, 420, 420], outline=0, width=6)
    assert difference(preprocess(image), EXPECTED) < 1.0


def test_a_zero_with_a_slash_is_not_a_circled_one():
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).ellipse([70, 30, 210, 250], outline=0, width=12)
    zero = image.rotate(-35, fillcolor=255)
    expected = ImageOps.invert(zero).getbbox()
    pen = ImageDraw.Draw(zero)
    pen.line([(115, 165), (165, 115)], fill=0, width=12)
    pen.line([(0, 272), (280, 272)], fill=0, width=2)
    assert find_inks(zero)[0].box == pytest.approx(expected, abs=3)


def test_groups_far_below_the_best_score_are_dropped():
    mask = np.zeros((100, 100), bool)
    mask[20:60, 20:24] = True

    def group(left: int, score: float) -> tuple[Group, MeasureContrast]:
        moved = np.roll(mask, left, axis=1)
        box = Box(20 + left, 20, 24 + left, 60)
        return Group(moved, Box(0, 0, 100, 100), box, False, score, 0.1), partial(
            Box.cut, pixels=moved.astype(np.uint8) * 255
        )

    inks = pick_inks([group(0, 1.0), group(20, 10.0), group(40, 5.0)], (100, 100), 1, flat=True)
    assert [ink.box[0] for ink in inks] == [40, 60]


def test_a_drawing_of_two_strokes_is_one_candidate():
    image = INVERTED.copy()
    ImageDraw.Draw(image).line([(0, 70), (280, 70)], fill=255, width=8)
    [ink] = find_inks(image)
    assert ink.relative_box is None


@pytest.mark.parametrize("digit", [2, 4, 7])
@pytest.mark.parametrize("left", [60, 61])
@pytest.mark.parametrize("top", [40, 41])
def test_a_tip_of_one_pixel_is_no_gap_at_any_place(digit, left, top):
    """A gap starts a search for clutter, which takes 4 ms."""
    layer = np.asarray(drawing(digit, left=left, top=top)).copy()
    row, column = np.argwhere(layer)[0]
    layer[row - 1, column] = 255
    assert is_one_piece(ink_of_layer(layer)[0])


def test_a_straight_stroke_is_one_piece_and_a_sheet_is_not():
    mask = Image.new("L", (320, 320))
    for right, one_piece in ((180, True), (220, False)):
        ImageDraw.Draw(mask).rectangle([150, 60, right, 260], fill=255)
        [ink] = ink_of_layer(np.asarray(mask))
        assert is_one_piece(ink) == one_piece


def test_an_underline_is_left_out_and_not_counted_as_a_digit():
    image = ImageOps.expand(INVERTED, 40, fill=255)
    ImageDraw.Draw(image).line([(80, 318), (280, 322)], fill=0, width=14)
    assert difference(preprocess(image), EXPECTED) < 1.0
    assert not find_inks(image)[0].several


def test_a_second_digit_beside_the_first_is_reported():
    image = Image.new("L", (560, 280), 255)
    image.paste(INVERTED, (20, 0))
    image.paste(INVERTED, (200, 0))
    assert find_inks(image)[0].several
    assert not find_inks(INVERTED)[0].several


def test_a_broken_stroke_and_a_bar_apart_are_one_digit():
    image = INVERTED.copy()
    ImageDraw.Draw(image).line([(0, 70), (280, 70)], fill=255, width=8)
    found = find_inks(image)[0]
    assert not found.several
    assert found.box == pytest.approx(MASK.getbbox(), abs=3)


@pytest.mark.parametrize("levels", [1, 16])
@pytest.mark.parametrize("size", [8, 16, 28])
@pytest.mark.parametrize("inverted", [False, True])
def test_few_levels_are_stretched(levels, size, inverted):
    small = np.asarray(MASK.crop((40, 25, 235, 260)).resize((size, size), Image.Resampling.BOX)) / 255
    values = ((1 - small if inverted else small) * levels).round().astype(np.uint8)
    bright = Image.fromarray((small * levels).round().astype(np.uint8) * (255 // levels))
    assert difference(preprocess(Image.fromarray(values)), preprocess(bright)) < 4.0


@pytest.mark.parametrize("size", [(3000, 4000), (1500, 2000)])
def test_a_digit_of_two_hundredths_of_the_height_is_found(size):
    height = round(0.02 * size[1])
    small = drawing(7, left=0.1 * height, top=0.1 * height, width=0.65 * height, height=0.8 * height,
                    brush=0.1 * height, size=height)  # fmt: skip
    image = photo(small, size=size, light="from a corner")
    assert difference_of_shape(preprocess(image), EXPECTED) < 12.0


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_edge_of_an_image_equals_that_of_its_greys(mode):
    image = Image.effect_noise((31, 17), 90).convert(mode)
    assert np.array_equal(edge_of_image(image), edge(to_grey(image)))

"""The sheets show every style and mark the held-out styles."""

from PIL import Image

from training.strokes import digits, outliers, sheet
from training.strokes.generate import NAMES


def test_every_style_is_on_one_sheet_with_its_held_out_mark():
    titles = [sheet.title(style) for styles in sheet.group_styles().values() for style in styles]
    marked = {*digits.HELD_OUT, *outliers.HELD_OUT}
    assert sorted(titles) == sorted(name + sheet.HELD_OUT_MARK * (name in marked) for name in NAMES)
    assert {*map(str, range(10)), "letter", "invented", "other"} <= sheet.group_styles().keys()


def test_sheets_have_ink_in_every_cell(tmp_path, monkeypatch):
    styles = {name: styles[:2] for name, styles in sheet.group_styles().items() if name in ("7", "shape")}
    monkeypatch.setattr(sheet, "group_styles", lambda: styles)
    paths = sheet.write_sheets(tmp_path / "runs")
    assert [path.name for path in paths] == ["strokes-7.png", "strokes-shape.png"]
    for path in paths:
        picture = Image.open(path)
        assert picture.height == 2 * sheet.CELL
        for x in range(sheet.SAMPLES):
            left = sheet.NAME_WIDTH + x * sheet.CELL
            assert picture.crop((left, 0, left + sheet.CELL, sheet.CELL)).getextrema()[1] == 255

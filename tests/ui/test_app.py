"""The page in Streamlit's AppTest, with stand-ins for the components, which need a browser.

tests/system draws on the real canvas.
"""

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.ui.conftest import ANSWER, Canvas
from ui import pictures, upload
from ui.model_client import UNAVAILABLE
from ui.outbox import Outbox
from ui.session import DATABASE_UNAVAILABLE, NOT_A_DIGIT, NOT_SAVED

SCRIPT = Path(__file__).parent.parent.parent / "ui" / "app.py"
NONE_YET = "\N{EN DASH}"


class Pad(Canvas):
    """Stands in for the component of ui/canvas.py: strokes are words, their picture is a list of them."""

    def __init__(self):
        super().__init__()
        self.strokes = []
        self.received = {}
        self.sent = None

    def __call__(self, *, key, data, on_acts_change):
        self.received = data
        sent, self.sent = self.sent, None
        return SimpleNamespace(acts=sent)

    def draw(self, *strokes):
        self.strokes = [*self.strokes, *strokes]
        self.show(repr(self.strokes).encode())

    def undo(self):
        self.strokes = self.strokes[:-1]
        self.show(repr(self.strokes).encode() if self.strokes else None)

    def _begin(self):
        super()._begin()
        self.strokes = []


class BoxPicker:
    """Stands in for the canvas of ui/box_picker.py, and sends a line that a person draws on it."""

    def __init__(self):
        self.shown = None

    def __call__(self, *, key, data, on_drawing_change):
        self._key, self.shown, self._send = key, data, on_drawing_change

    def draw(self, page, **line):
        import streamlit as st

        sent = SimpleNamespace(drawing={"raw": {"objects": [line]}})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(st, "session_state", {self._key: sent})
            self._send()
        page.run()


class Page:
    """The running script and its visible texts."""

    def __init__(self, canvas, outbox_path):
        self.canvas = canvas
        self.outbox_path = outbox_path
        self.app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()

    def draw(self, *strokes):
        self.do(lambda canvas: canvas.draw(*strokes))

    def label(self, digit):
        self.do(lambda canvas: canvas.label(digit))

    def do(self, *acts):
        """Apply these acts on the canvas, then run the page once."""
        for act in acts:
            act(self.canvas)
        self.canvas.sent = self.canvas.message
        self.run()

    def run(self):
        self.app.run()
        self.canvas.receive(*(self.canvas.received[name] for name in ("done", "shown", "closed")))

    def press(self, key):
        self.app.button(key=key).click()
        self.run()

    def choose(self, name, content):
        [uploader] = self.app.file_uploader
        uploader.upload(name, content)
        self.run()

    def disabled(self, key):
        return self.app.button(key=key).disabled

    def text(self, key):
        """The text of the container with this key."""
        return re.sub(r"<[^>]*>", "", self.html(key).replace("</", " </")).strip()

    def html(self, key):
        assert not self.app.exception
        return "".join(_html(self.app.main, key, inside=False))

    def rows(self):
        outbox = Outbox(self.outbox_path)
        try:
            return outbox.oldest(100)
        finally:
            outbox.close()


def _html(block, key, inside):
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from _html(child, key, inside or child.key == key)
        elif inside and child.type == "html":
            yield child.proto.body


class State(dict):
    """Stands in for Streamlit's session state."""

    __getattr__ = dict.__getitem__


def picture(picture_format):
    file = io.BytesIO()
    Image.new("L", (60, 60)).save(file, picture_format)
    return file.getvalue()


@pytest.fixture
def box_picker(monkeypatch):
    box_picker = BoxPicker()
    monkeypatch.setattr("ui.box_picker._canvas", lambda: box_picker)
    return box_picker


@pytest.fixture
def page(monkeypatch, tmp_path, fake_model, box_picker):
    canvas = Pad()
    monkeypatch.setattr("ui.canvas._pad", canvas)
    monkeypatch.setenv("MODEL_URL", fake_model.url)
    monkeypatch.setenv("OUTBOX_PATH", str(tmp_path / "outbox" / "outbox.sqlite3"))
    import streamlit as st

    st.cache_resource.clear()
    monkeypatch.setattr(type(st.context), "cookies", {})  # AppTest has no request
    page = Page(canvas, tmp_path / "outbox" / "outbox.sqlite3")
    yield page
    page.app.session_state["session"].model.close()
    page.app.session_state["session"].outbox.close()


def test_an_empty_page_shows_dashes_and_disabled_labels(page):
    assert page.text("answer") == NONE_YET
    assert page.text("confidence") == NONE_YET
    assert page.text("notice") == ""
    assert all(page.disabled(key) for key in ("yes", *(f"label-{digit}" for digit in range(10))))
    assert page.rows() == []


def test_a_stroke_is_answered_without_a_button(page):
    page.draw("stroke")
    assert page.text("answer") == "7"
    assert page.text("confidence") == "91.0%"
    assert "model 1.0" in page.text("certainty")
    assert re.search(r"\d+ ms", page.text("certainty"))
    assert page.text("bars").split() == [
        word for digit in range(10) for word in (str(digit), "91.0%" if digit == 7 else "1.0%")
    ]
    assert 'alt="Model input"' in page.html("saw")
    assert "data:image/png" in page.html("saw")
    [row] = page.rows()
    assert row.prediction == 7


def test_no_answer_shows_100_percent(page, fake_model):
    fake_model.content = ANSWER | {"confidence": 0.99999, "probabilities": [0.0] * 7 + [0.99999, 0.0, 0.0]}
    page.draw("stroke")
    assert page.text("confidence") == "99.9%"
    assert "100.0%" not in page.text("bars")


def test_a_rerun_sends_no_request_and_stores_nothing(page, fake_model):
    page.draw("stroke")
    page.app.button_group(key="brush").set_value("Bold")
    page.run()
    assert page.canvas.received["brush"] > 20
    assert len(fake_model.requests) == 1
    assert page.text("answer") == "7"


def test_one_click_labels_the_drawing_and_closes_it(page):
    page.draw("stroke")
    page.label(1)
    assert "Noted: a 1" in page.text("question")
    assert page.text("answer") == "7"  # still shown, so that the label can be corrected
    assert page.disabled("yes")
    page.label(4)
    [row] = page.rows()
    assert (row.prediction, row.true_label) == (7, 4)
    page.draw("another")
    assert [row.true_label for row in page.rows()] == [4, None]


def test_undo_and_clear(page):
    page.draw("one", "two")
    page.do(Pad.undo)
    assert [row.drawing for row in page.rows()] == [b"['one']"]
    assert page.text("answer") == "7"
    page.do(Pad.clear)
    assert page.text("answer") == NONE_YET
    assert len(page.rows()) == 1


def test_acts_are_confirmed_to_the_browser_in_the_same_run(page):
    page.draw("one")
    assert page.canvas.received["done"] == 1
    page.label(4)
    assert page.canvas.received["done"] == 2
    page.run()
    assert page.canvas.received["done"] == 2


def test_a_rejected_digit_is_reported_and_its_prediction_shown(page, fake_model):
    fake_model.content = ANSWER | {"is_digit": False}
    page.draw("stroke")
    assert page.text("notice") == NOT_A_DIGIT
    assert page.text("answer") == "7"


def test_an_unavailable_model_is_reported_and_can_be_retried(page, fake_model):
    fake_model.status = 503
    page.draw("stroke")
    assert page.text("notice") == UNAVAILABLE
    assert page.text("answer") == NONE_YET
    fake_model.status = 200
    page.press("retry")
    assert page.text("notice") == ""
    assert page.text("answer") == "7"
    assert "retry" not in [button.key for button in page.app.button]


def test_an_unavailable_database_is_reported_beside_the_answer(page, monkeypatch):
    monkeypatch.setattr("ui.session.LATE_AFTER_S", 0.0)
    page.draw("stroke")
    assert page.text("answer") == "7"
    assert page.text("notice") == DATABASE_UNAVAILABLE


def test_a_message_of_the_model_is_escaped(page, fake_model):
    fake_model.status = 413
    fake_model.content = {"code": 413, "type": "TooLarge", "message": "<b>5000</b> pixels"}
    page.draw("stroke")
    assert "&lt;b&gt;5000&lt;/b&gt; pixels" in page.html("notice")


def test_why_shows_two_heat_maps_and_their_explanation(page, fake_model):
    page.app.toggle(key="why").set_value(True).run()
    assert page.text("explanation") == "Draw a digit first."
    page.draw("stroke")
    nothing = [[0.0] * 28] * 28
    fake_model.content = ANSWER | {"heatmap": nothing, "runner_up": 1, "contrast": nothing}
    page.app.toggle(key="why").set_value(False).run()
    page.app.toggle(key="why").set_value(True).run()
    assert page.html("explanation").count("<img") == 2
    words = " ".join(page.text("explanation").split())
    assert "Blue : evidence for 7. Orange : evidence against it." in words
    assert "7 compared with 1, the second most probable digit" in words


def test_an_upload_is_read(page):
    page.draw("stroke")
    page.choose("seven.bmp", picture("BMP"))
    assert page.text("answer") == "7"
    assert page.canvas.strokes == []
    assert [Image.open(io.BytesIO(row.drawing)).format for row in page.rows()[1:]] == ["PNG"]
    [uploader] = page.app.file_uploader
    assert uploader.value is None  # the server keeps no file


def test_the_box_picker_shows_the_box_and_reads_another(page, box_picker, fake_model):
    page.draw("stroke")
    assert box_picker.shown is None
    fake_model.content = ANSWER | {"box": [0.2, 0.1, 0.4, 0.5]}
    page.choose("seven.bmp", picture("BMP"))
    assert (box_picker.shown["canvasWidth"], box_picker.shown["canvasHeight"]) == (276, 276)
    whole = re.search('src="data:image/png;base64,[^"]*"', page.html("sheet"))[0]
    assert _box(page) == pytest.approx((0.2, 0.1, 0.4, 0.5), abs=1e-4)
    fake_model.content = ANSWER | {"digit": 3, "box": [0.0, 0.0, 1.0, 1.0]}
    canvas = box_picker.shown
    box_picker.draw(page, left=207, top=207, width=138, height=138)  # of the lower right quarter
    assert page.text("answer") == "3"
    assert whole in page.html("sheet")
    assert _box(page) == pytest.approx((0.425, 0.425, 1.0, 1.0), abs=1e-4)
    assert box_picker.shown == canvas  # another drawing would end a line in progress
    box_picker.draw(page, left="not", top="a", width="line")
    assert len(page.rows()) == 2
    box_picker.shown = None
    page.draw("stroke")
    assert box_picker.shown is None


def test_the_box_picker_shows_no_box_around_nothing(page, fake_model):
    fake_model.content = ANSWER | {"is_digit": False, "reason": "blank"}
    page.choose("seven.bmp", picture("BMP"))
    assert '<div class="box" hidden>' in page.html("sheet")


def _box(page):
    """The shown box: left, top, right, bottom, as shares of the picture's sides."""
    [style] = re.findall('class="box" style="(.*?)"', page.html("sheet"))
    left, top, width, height = (float(share) / 100 for share in re.findall(r": (\S+)%", style))
    return left, top, left + width, top + height


def test_an_unreadable_file_is_reported(page, fake_model):
    page.choose("seven.png", b"not a picture")
    assert "not a readable picture" in page.text("notice")
    assert fake_model.requests == []
    page.choose("seven.png", picture("PNG"))  # the next file is read
    assert page.text("notice") == ""
    assert page.text("answer") == "7"


@pytest.mark.parametrize("name", ["seven.jfif", "seven.JPE"])
def test_a_jpeg_is_read_with_every_usual_file_ending(page, name):
    page.choose(name, picture("JPEG"))
    assert page.text("answer") == "7"


def test_the_page_names_the_accepted_formats(page):
    text = page.text("upload")
    for name in ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF"):
        assert name in text
        assert name in pictures.NO_PICTURE


def test_a_file_that_the_browser_sends_twice_is_read_once(page, monkeypatch):
    page.choose("seven.png", picture("PNG"))
    state = State({"uploads": 1, "upload-0": "a file that is not there any more"})
    monkeypatch.setattr("ui.upload.st", SimpleNamespace(session_state=state))
    session = page.app.session_state["session"]
    upload._read_upload(session, 0)
    assert (session.notice, session.drawing.answer.digit) == ("", 7)


def test_a_file_that_was_removed_before_it_was_read_is_reported(page, monkeypatch):
    monkeypatch.setattr("ui.upload.UploadedFile", type(None))  # Streamlit then returns another type
    page.choose("seven.png", picture("PNG"))
    assert "Choose it again" in page.text("notice")


def test_a_full_disk_is_reported_and_no_answer_is_shown(page):
    page.outbox_path.parent.mkdir(exist_ok=True)
    in_the_way = page.outbox_path
    in_the_way.mkdir()  # an outbox that cannot be opened
    page.draw("stroke")
    assert page.text("notice") == NOT_SAVED
    assert page.text("answer") == NONE_YET
    in_the_way.rmdir()
    page.press("retry")
    assert page.text("answer") == "7"
    assert len(page.rows()) == 1

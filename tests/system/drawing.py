"""Drawing on the page as a person does: with a real mouse, finger or pen, stroke by stroke."""

import re
from collections.abc import Sequence

from playwright.sync_api import Page, expect

from tests.system.running import eventually

Point = tuple[float, float]
Stroke = Sequence[Point]

CANVAS = ".st-key-canvas canvas.upper-canvas"
NONE_YET = "\N{EN DASH}"

# Points on a canvas of 100 x 100. Drawn for these tests: with corners, as a mouse draws.
DIGITS: dict[int, list[Stroke]] = {
    0: [[(50, 15), (35, 22), (28, 45), (32, 70), (48, 84), (64, 76), (71, 52), (66, 28), (51, 15)]],
    1: [[(52, 14), (51, 40), (50, 86)]],
    2: [[(30, 34), (37, 20), (52, 16), (66, 25), (65, 42), (48, 62), (30, 82), (50, 82), (72, 81)]],
    3: [[(32, 22), (48, 15), (64, 24), (62, 40), (46, 48), (63, 55), (69, 68), (58, 82), (42, 85), (30, 77)]],
    4: [[(40, 15), (35, 38), (31, 56), (52, 55), (74, 54)], [(62, 30), (60, 58), (58, 88)]],
    5: [[(38, 18), (36, 34), (34, 48), (50, 44), (66, 52), (68, 67), (58, 81), (42, 84), (30, 77)],
        [(38, 18), (52, 17), (68, 16)]],
    6: [[(62, 14), (46, 28), (35, 50), (33, 68), (42, 82), (58, 82), (67, 69), (60, 55), (46, 54), (35, 65)]],
    7: [[(30, 20), (50, 19), (71, 18), (62, 42), (52, 65), (44, 86)]],
    8: [[(64, 26), (50, 16), (36, 25), (40, 40), (52, 49), (64, 60), (66, 74), (52, 85), (37, 76), (37, 62),
         (50, 50), (62, 40), (65, 27)]],
    9: [[(66, 32), (55, 17), (40, 20), (34, 35), (42, 48), (57, 47), (66, 33), (64, 58), (58, 86)]],
}  # fmt: skip


def open_page(page: Page, address: str) -> None:
    """Open the page and wait until one can draw on it."""
    page.goto(address)
    page.locator(CANVAS).wait_for()
    expect(page.locator(".st-key-answer")).to_have_text(NONE_YET)


def draw_with_mouse(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw strokes by pressing, moving and letting go of the mouse."""
    show_canvas(page)
    for stroke in strokes:
        first, *rest = on_screen(page, stroke)
        page.mouse.move(*first)
        page.mouse.down()
        for point in rest:
            page.mouse.move(*point, steps=4)
        page.mouse.up()


def draw_with_finger(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw strokes with one finger on a touch screen."""
    show_canvas(page)
    screen = TouchScreen(page)
    for stroke in strokes:
        first, *rest = on_screen(page, stroke)
        screen.touch("touchStart", first)
        for point in rest:
            screen.touch("touchMove", point)
        screen.touch("touchEnd")


def draw_with_pen(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw strokes with a pen on a touch screen."""
    show_canvas(page)
    screen = TouchScreen(page)
    for stroke in strokes:
        first, *rest = on_screen(page, stroke)
        screen.pen("mousePressed", first)
        for point in rest:
            screen.pen("mouseMoved", point)
        screen.pen("mouseReleased", point)


class TouchScreen:
    """The fingers and the pen on a page's screen, in pixels of the page."""

    def __init__(self, page: Page) -> None:
        self._devtools = page.context.new_cdp_session(page)

    def touch(self, kind: str, *fingers: Point) -> None:
        """An event "touchStart", "touchMove" or "touchEnd", with all fingers that are on the screen after it."""
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
        self._devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pen(self, kind: str, point: Point) -> None:
        """An event "mousePressed", "mouseMoved" or "mouseReleased" of the pen while it touches the screen."""
        event = {"type": kind, "x": point[0], "y": point[1], "button": "left", "pointerType": "pen"}
        self._devtools.send(
            "Input.dispatchMouseEvent", {**event, "buttons": int(kind != "mouseReleased"), "clickCount": 1}
        )


def expect_answer(page: Page, digit: int) -> None:
    """Wait until no answer is on its way and the page shows this digit with a confidence."""
    expect(page.locator(".st-key-verdict")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".st-key-answer")).to_have_text(str(digit))
    confidence = page.locator(".st-key-confidence")
    expect(confidence).to_have_text(re.compile(r"^\s*\d+\.\d%\s*$"))  # it comes an instant later
    assert 0 < float(confidence.inner_text().strip().removesuffix("%")) <= 100


def clear(page: Page) -> None:
    """Press Clear and wait until the page is as at first."""
    page.locator(".st-key-clear button").click()
    expect_empty(page)


def expect_empty(page: Page) -> None:
    """Wait until there is neither an answer nor ink; the canvas follows the answer an instant later."""
    expect(page.locator(".st-key-answer")).to_have_text(NONE_YET)
    eventually(lambda: ink(page) == 0)


def ink(page: Page) -> int:
    """How many pixels of the canvas have the ink's colour rather than the paper's; waits while it is made anew."""
    counted = page.wait_for_function(
        """() => {
            const canvas = [...(function* walk(root) {
                for (const element of root?.querySelectorAll('*') ?? []) {
                    if (element.matches('canvas.lower-canvas')) yield element
                    if (element.shadowRoot) yield* walk(element.shadowRoot)
                }
            })(document.querySelector('.st-key-canvas'))].at(-1)
            if (!canvas) return null
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
            const paper = data.slice(0, 3)
            let pixels = 0
            for (let i = 0; i < data.length; i += 4) {
                pixels += Math.abs(data[i] - paper[0]) > 100
            }
            return { pixels }
        }"""
    )
    return int(counted.json_value()["pixels"])


def show_canvas(page: Page) -> None:
    """Scroll to where one can draw."""
    page.locator(".st-key-heading").scroll_into_view_if_needed()


def on_screen(page: Page, stroke: Stroke) -> list[Point]:
    """The points of a stroke in pixels of the page."""
    box = page.locator(CANVAS).bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"] / 100, box["y"] + y * box["height"] / 100) for x, y in stroke]

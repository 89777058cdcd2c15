"""Record docs/demo.gif: a digit is drawn, read, and a wrong reading is corrected, on the real page.

.venv/test/bin/python -m docs.record_demo     # starts a separate system; needs Chromium
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from fixtures.browser import launch
from fixtures.drawing import DIGITS, Stroke, expect_answer, open_page, to_pixels
from tests.system.browser import chromium
from tests.system.running import start_system

DEMO = Path(__file__).with_name("demo.gif")
WIDTH, HEIGHT = 880, 620
SCALED = 640, 451
COLOURS = 48
# A 2 with hardly a foot, which 2.0 reads as a 7.
SHORT_TWO: list[Stroke] = [[(32, 28), (44, 16), (60, 20), (62, 36), (50, 60), (34, 86), (44, 84)]]


class Film:
    """Screenshots of a page, each with the milliseconds for which it is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._shown_ms: list[int] = []

    def shoot(self, shown_ms: int) -> None:
        """Add a frame."""
        picture = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        self._frames.append(picture.resize(SCALED, Image.Resampling.LANCZOS))
        self._shown_ms.append(shown_ms)

    def draw(self, strokes: list[Stroke]) -> None:
        """Draw with the mouse, a frame for each corner."""
        for stroke in strokes:
            for number, place in enumerate(to_pixels(self._page, stroke)):
                self._page.mouse.move(*place, steps=6)
                if number == 0:
                    self._page.mouse.down()
                else:
                    self.shoot(90)
            self._page.mouse.up()

    def save(self, path: Path) -> None:
        """Write a GIF that repeats."""
        palette = self._frames[-1].quantize(COLOURS, dither=Image.Dither.NONE)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames]
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=self._shown_ms, loop=0, optimize=True
        )


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        start_system(Path(folder, "var"), Path(folder, "model_store")) as system,
        launch(chromium()) as browser,
    ):
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        open_page(page, system.address)
        film = Film(page)
        film.shoot(800)
        film.draw(DIGITS[4])
        expect_answer(page, 4)
        film.shoot(1500)
        page.locator(".st-key-yes button").click()
        expect(page.locator(".st-key-question")).to_contain_text("Noted: a 4")
        film.shoot(1200)
        page.locator(".st-key-clear button").click()
        page.wait_for_timeout(500)
        film.draw(SHORT_TWO)
        expect_answer(page, 7)
        page.wait_for_timeout(500)
        film.shoot(1800)
        page.locator(".st-key-label-2 button").click()
        expect(page.locator(".st-key-question")).to_contain_text("Noted: a 2")
        film.shoot(2200)
        film.save(DEMO)
    print(f"{DEMO}: {DEMO.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

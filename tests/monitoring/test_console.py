"""The overview as a Prometheus console page, in a real browser."""

import pytest
from playwright.sync_api import expect

from fixtures.browser import launch
from fixtures.waiting import eventually
from ops.native import monitoring
from tests.monitoring.conftest import Monitored
from tests.monitoring.fake_exporter import PARTS, VERSIONS
from tests.system.browser import chromium


@pytest.fixture
def console(monitored: Monitored):
    with launch(chromium()) as browser:
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        # The panels ask for rates of scrapes that come each second.
        eventually(lambda: monitored.query("rate(mnist_requests_total[5m]) > 0"))
        page.goto(f"{monitoring.url(monitored.system, 'prometheus')}/consoles/overview.html")
        yield page


def test_the_console_shows_every_part_version_and_objective(console):
    expect(console).to_have_title("MNIST Digit Classifier: overview")
    for part in PARTS:
        expect(console.locator("#parts")).to_contain_text(part)
    for version, share in VERSIONS.items():
        expect(console.locator("#versions")).to_contain_text(f"{version}")
        expect(console.locator("#versions")).to_contain_text(f"{share:.0%}")
    expect(console.locator("#versions tr")).to_have_count(1 + len(VERSIONS))
    expect(console.locator("#routes")).to_contain_text("predict")
    expect(console.locator("#objectives")).to_contain_text("99.9")
    expect(console.locator(".bars i")).to_have_count(30)


def test_the_console_has_no_empty_value_and_no_error(console):
    assert console.locator(".none").all_text_contents() == []
    text = console.content()
    for trouble in ("NaN", "error", "&lt;no value&gt;", "%!", "no data\n"):
        assert trouble not in text


def test_the_console_shows_a_dead_part_and_its_alert(monitored, console):
    expect(console.locator("#parts .bad")).to_have_count(0)
    monitored.exporter.parts_down = {"postgres"}
    try:
        eventually(
            lambda: monitored.query('ALERTS{alertname="PartAway",part="postgres",alertstate="firing"}')
        )
        console.reload()
        expect(console.locator("#parts .bad")).to_have_text("does not answer")
        expect(console.locator("#alerts")).to_contain_text("PartAway")
        expect(console.locator("#alerts")).to_contain_text("postgres")
        expect(console.locator("#alerts")).not_to_contain_text("Watchdog")
    finally:
        monitored.exporter.parts_down = set()

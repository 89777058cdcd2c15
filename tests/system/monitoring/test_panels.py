"""On a used system every panel of the dashboards and every value of the overview has data."""

import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from fixtures import archives, victims
from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer, open_page
from fixtures.waiting import eventually
from ops.versions.state import RELEASED, archive_name
from tests.monitoring.panels import OF_PROMETHEUS, queries
from tests.system.monitoring.conftest import SEVEN, Watched, shorten_intervals
from tests.system.running import ROOT, RunningSystem

pytestmark = pytest.mark.slow
OTHER = "7.8"
# Copies of one drawing, because some values need 200 drawings. Half of them have a label, and a tenth of the labels
# differ from the prediction.
COPIES = """
    INSERT INTO predictions (id, created_at, prediction, confidence, probabilities, is_digit, digit_score,
        model_version, latency_ms, drawing, revision, ink_share, true_label, labelled_at)
    SELECT gen_random_uuid(), now(), prediction, confidence, probabilities, is_digit, digit_score, version,
        latency_ms, drawing, 1, ink_share,
        CASE WHEN mod(i, 20) = 0 THEN mod(prediction + 1, 10) WHEN mod(i, 2) = 0 THEN prediction END,
        CASE WHEN mod(i, 2) = 0 THEN now() END
    FROM predictions, generate_series(1, 250) AS i, unnest(ARRAY[model_version, %s]) AS version
    WHERE true_label IS NOT NULL LIMIT 500
    RETURNING 1
"""


@pytest.fixture(scope="module")
def used(watched: Watched, browser: Browser) -> Iterator[Watched]:
    """A system under load with drawings, labels, a swap, a backup and a few errors."""
    running = watched.running
    watched.configure(shorten_intervals)
    other = archives.copy(running.system.model_store / archive_name(RELEASED), OTHER)
    backup = None
    try:
        _draw_and_label(browser, running)
        running.rows(COPIES, OTHER)
        _do(running, "swap", OTHER)
        backup = ROOT / _do(running, "backup", "").partition(": ")[0]
        with watched.load(2, 0.05):
            _fail(running)
            yield watched
    finally:
        other.unlink()
        if backup:
            backup.unlink()


def _draw_and_label(browser: Browser, running: RunningSystem) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        open_page(page, running.address)
        draw_with_mouse(page, DIGITS[7])
        expect_answer(page, 7)
        page.locator(".st-key-label-7 button").click()
        eventually(lambda: running.newest().true_label == 7)
    finally:
        page.close()


def _do(running: RunningSystem, *words: str) -> str:
    done = running.ops(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _fail(running: RunningSystem) -> None:
    """Cause an error of a client and errors of the system. At the end it predicts again."""
    assert running.predict(b"no image").status_code == 400
    [pid] = victims.jvm(running.system)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: running.predict(SEVEN).status_code == 503)
    eventually(lambda: running.predict(SEVEN).ok)


def test_every_panel_has_values_with_the_labels_of_its_legend(used: Watched):
    for panel in (parameters.values[0] for parameters in OF_PROMETHEUS):
        for target, query in zip(panel["targets"], queries(panel, "prometheus"), strict=True):
            labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - {"alertname"}
            for result in eventually(lambda query=query: _numbers(used, query)):
                assert labels <= result["metric"].keys(), query


def _numbers(used: Watched, query: str) -> list:
    """The results of a query; fails if there are none or if one is not a number."""
    results = used.query(query)
    assert results, f"empty: {query}"
    assert all(result["value"][1] != "NaN" for result in results), f"not a number: {query}"
    return results


def test_every_value_of_the_overview_has_data(used: Watched, browser: Browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        page.goto(f"{used.system.address}/monitoring/")
        expect(page).to_have_title("MNIST Digit Classifier: overview")
        eventually(lambda: _has_all_values(page))
        expect(page.locator("#versions tr")).to_have_count(3)
        text = page.content()
        for mistake in ("NaN", "error", "&lt;no value&gt;", "%!"):
            assert mistake not in text
    finally:
        page.close()


def _has_all_values(page: Page) -> bool:
    page.reload()
    assert page.locator("tr", has=page.locator(".none")).all_inner_texts() == []
    return True

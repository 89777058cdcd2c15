"""Upgrades of a running system with new images and a new migration, and their undo."""

import threading
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, expect

from fixtures.waiting import eventually
from tests.containers.deployment import Deployment
from tests.containers.drawn import count_drawings, draw, insert, pages

GOOD_FILE, BAD_FILE = "sql/migrations/0098_remark.sql", "sql/migrations/0099_colour.sql"
GOOD = """-- migrate:up

ALTER TABLE predictions ADD COLUMN remark text;

-- migrate:down

ALTER TABLE predictions DROP COLUMN remark;
"""
BAD = """-- migrate:up

ALTER TABLE predictions ADD COLUMN colour text;
SELECT 1 / 0;

-- migrate:down

ALTER TABLE predictions DROP COLUMN colour;
"""
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = 'predictions'"


@pytest.fixture
def changed(deployment: Deployment) -> Iterator[None]:
    """Another version of the checkout, with another page title."""
    page = deployment.folder / "ui" / "app.py"
    was = page.read_text()
    page.write_text(was.replace('page_title="MNIST Digit Classifier"', 'page_title="The next version"'))
    assert page.read_text() != was
    yield
    page.write_text(was)
    for migration in (GOOD_FILE, BAD_FILE):
        (deployment.folder / migration).unlink(missing_ok=True)
    deployment.make("canary", "VERSION=1.0", "PERCENT=0")
    deployment.check_make("up")


def _columns(deployment: Deployment) -> set[str]:
    return {name for (name,) in deployment.rows(COLUMNS)}


def _labels(deployment: Deployment) -> list[tuple]:
    return deployment.rows("SELECT id, true_label, revision FROM predictions ORDER BY id")


def test_an_upgrade_and_its_undo_keep_every_drawing(deployment: Deployment, browser: Browser, changed):
    insert(deployment, 5)
    deployment.with_another_version()
    deployment.check_make("canary", "VERSION=1.0", "PERCENT=20")
    (deployment.folder / GOOD_FILE).write_text(GOOD)
    state = deployment.shell("torchserve", "cat /state/versions.json").stdout
    before = _labels(deployment)
    with pages(browser, deployment, 2) as people:
        draw(people, 3)
        upgrading = threading.Thread(target=lambda: output.append(deployment.make("upgrade")))
        output: list = []
        upgrading.start()
        drawn = 2
        while upgrading.is_alive():  # visitors draw during the replacement
            draw(people, 7)
            drawn += 2
        upgrading.join()
        assert output[0].returncode == 0, output[0].stdout + output[0].stderr
        deployment.wait_until_healthy()
        eventually(lambda: count_drawings(deployment) == len(before) + drawn, 60)
    assert {row for row in before if row[1] is not None} <= set(_labels(deployment))
    assert deployment.shell("torchserve", "cat /state/versions.json").stdout == state
    assert "remark" in _columns(deployment)
    nameless = (
        "docker",
        "images",
        "--quiet",
        "--filter",
        "dangling=true",
        "--filter",
        deployment.images_label,
    )
    assert deployment.run(*nameless).stdout == ""
    with pages(browser, deployment) as [page]:
        expect(page).to_have_title("The next version")
    after = _labels(deployment)

    deployment.check_make("undo")
    deployment.wait_until_healthy()
    assert "remark" not in _columns(deployment)
    assert _labels(deployment) == after
    assert deployment.shell("torchserve", "cat /state/versions.json").stdout == state
    with pages(browser, deployment) as [page]:
        expect(page).to_have_title("MNIST Digit Classifier")


def test_one_command_undoes_a_failed_upgrade(deployment: Deployment, browser: Browser, changed):
    (deployment.folder / BAD_FILE).write_text(BAD)
    insert(deployment, 3)
    before = _labels(deployment)
    done = deployment.make("upgrade")
    assert done.returncode == 2
    assert "To return to the previous one without losing a drawing: make undo" in done.stderr
    deployment.check_make("undo")
    deployment.wait_until_healthy()
    assert "colour" not in _columns(deployment)
    assert _labels(deployment) == before
    with pages(browser, deployment) as people:
        expect(people[0]).to_have_title("MNIST Digit Classifier")
        draw(people, 3)
    assert "There is nothing to undo" in deployment.make("undo").stderr
    assert requests.get(f"{deployment.address}/ping", verify=deployment.certificate, timeout=10).ok

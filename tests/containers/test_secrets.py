"""Rotation of secrets: the new one is active at once, the old one is invalid, and visitors notice nothing."""

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from fixtures.waiting import eventually
from tests.containers.deployment import Deployment
from tests.containers.drawn import count_drawings, draw, pages


def _secret(deployment: Deployment, name: str) -> str:
    return (deployment.folder / "var/secrets" / name).read_text().strip()


def _opens(deployment: Deployment, role: str, password: str) -> bool:
    host = deployment.ip("postgres", "database")
    try:
        psycopg.connect(
            host=host, port=8006, user=role, dbname="mnist", password=password, connect_timeout=5
        ).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return False
        raise
    return True


@pytest.mark.parametrize("role", ["page", "owner"])
def test_a_database_password_is_rotated(deployment: Deployment, browser: Browser, role):
    name = f"database_{role}_password"
    before = _secret(deployment, name)
    assert _opens(deployment, role, before)
    with pages(browser, deployment) as people:
        drawn = count_drawings(deployment)
        draw(people, 3)
        output = deployment.check_make("secrets", f"ROTATE={name}")
        draw(people, 7)
        eventually(lambda: count_drawings(deployment) == drawn + 2, 60)
    after = _secret(deployment, name)
    assert after != before
    assert after not in output
    assert not _opens(deployment, role, before)
    assert _opens(deployment, role, after)
    deployment.wait_until_healthy()


def test_the_operator_password_is_rotated(deployment: Deployment, browser: Browser):
    before = _secret(deployment, "operator_password")
    deployment.check_make("secrets", "ROTATE=operator_password")
    after = _secret(deployment, "operator_password")
    with pages(browser, deployment) as [page]:
        page.goto(f"{deployment.address}/history")
        page.locator(".st-key-sign-in button").first.click()
        page.locator(".st-key-password input").wait_for()
        for password in (before, after):
            page.locator(".st-key-password input").fill(password)
            page.locator(".st-key-enter button").click()
            if password == before:
                expect(page.locator(".refused")).to_have_text("Wrong password.")
        expect(page.locator(".st-key-filters")).to_be_visible()


def test_the_error_for_an_unknown_secret_lists_all(deployment: Deployment):
    done = deployment.make("secrets", "ROTATE=pin")
    assert done.returncode == 2
    assert done.stderr.startswith("ROTATE 'pin' is not one of database_owner_password database_page_password")

"""The API manual's recipes for web pages, run from a page of another origin."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page

from tests.documents import ROOT, scripts
from tests.gateway.running import run_gateway
from tests.system.running import RunningSystem
from tests.system.web_pages import another_site

RECIPES = scripts(ROOT / "docs" / "api.md")
# Calls the one function that a recipe defines with the picture of a 7.
RUN = """
async ([recipe, name]) => {
  const file = await (await fetch("/7.png")).blob();
  return await (new Function(`${recipe}; return ${name};`)())(file);
}
"""


class Sites(NamedTuple):
    listed: str
    other: str
    api: str


@pytest.fixture(scope="module")
def sites(system: RunningSystem, tmp_path_factory) -> Iterator[Sites]:
    """Two sites, and a gateway in front of the system's model that lists the origin of the first one."""
    inference = f"127.0.0.1:{system.system.inference_port}"
    folder = tmp_path_factory.mktemp("gateway")
    with (
        another_site() as listed,
        another_site() as other,
        run_gateway(folder, inference, "127.0.0.1:9", cors_origins=listed) as gateway,
    ):
        yield Sites(listed, other, f"http://localhost:{gateway.public}")


def _run(page: Page, recipe: str, api: str) -> int:
    name = recipe.split("function ", 1)[1].split("(", 1)[0]
    return page.evaluate(RUN, [recipe.replace("http://localhost:8000", api), name])


def test_there_are_recipes_for_a_blob_a_form_and_json():
    assert len(RECIPES) == 3


@pytest.mark.parametrize("recipe", RECIPES, ids=["blob", "form", "json"])
def test_a_recipe_reads_a_digit_from_another_origin(sites: Sites, desktop: Page, recipe: str):
    desktop.goto(sites.listed)
    assert _run(desktop, recipe, sites.api) == 7


@pytest.mark.parametrize("recipe", RECIPES, ids=["blob", "form", "json"])
def test_an_unlisted_origin_reads_nothing(sites: Sites, desktop: Page, recipe: str):
    desktop.goto(sites.other)
    with pytest.raises(Exception, match="Failed to fetch"):
        _run(desktop, recipe, sites.api)


def test_a_listed_origin_reads_error_messages(sites: Sites, desktop: Page):
    desktop.goto(sites.listed)
    with pytest.raises(Exception, match="is not accepted"):
        _run(desktop, RECIPES[0].replace("body: file", 'body: "x"'), sites.api)

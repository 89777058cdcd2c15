"""The HTML of the page: Streamlit's, with the scripts of ui/."""

import re
from pathlib import Path

import pytest

from ui import index_page

UI = Path(index_page.__file__).parent


@pytest.mark.parametrize("name", index_page.SCRIPTS)
def test_streamlits_html_contains_each_script(name):
    html = index_page.index_page()
    assert '<div id="root"></div>' in html
    script = (UI / name).read_text(encoding="utf-8")
    assert f'<script type="module">\n{script}</script>\n' in html.partition("</head>")[2]
    assert "</script" not in script  # it would end the script element


def test_every_page_has_a_route():
    app = (UI / "app.py").read_text(encoding="utf-8")
    paths = {f"/{path}" for path in re.findall(r'url_path="(\w+)"', app)}
    assert {"/", *paths} == set(index_page.PATHS) == {route.path for route in index_page.routes()}

"""The HTML of the page: Streamlit's, with the script that says why the page cannot connect."""

import re
from pathlib import Path

from ui import index_page

UI = Path(index_page.__file__).parent


def test_the_script_stands_in_streamlits_html():
    html = index_page.index_page()
    assert '<div id="root"></div>' in html
    script = (UI / "connection.js").read_text(encoding="utf-8")
    assert f"<script>\n{script}</script>\n</body>" in html.replace("  </body>", "</body>")
    assert "</script" not in script  # it would end there


def test_each_page_has_it():
    app = (UI / "app.py").read_text(encoding="utf-8")
    paths = {f"/{path}" for path in re.findall(r'url_path="(\w+)"', app)}
    assert {"/", *paths} == set(index_page.PATHS) == {route.path for route in index_page.routes()}

"""The HTML of the page: Streamlit's, with those scripts in it that need nothing of Streamlit's server.

connection.js says why a page stays empty, and everything else on the page comes over the WebSocket.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit import file_util

# Of app.py.
PATHS = ("/", "/history", "/insights", "/versions")
SCRIPTS = ("connection.js", "links.js", "pointers.js")


def index_page() -> str:
    """Streamlit's index.html with the scripts at its end."""
    html = (Path(file_util.get_static_dir()) / "index.html").read_text(encoding="utf-8")
    scripts = "".join(
        f'<script type="module">\n{Path(__file__).with_name(name).read_text(encoding="utf-8")}</script>\n'
        for name in SCRIPTS
    )
    before, body_end, after = html.rpartition("</body>")
    return f"{before}{scripts}{body_end}{after}"


def routes() -> list[Route]:
    """The routes of the HTML, for `streamlit.App`; an unknown path is still Streamlit's."""
    html = index_page()

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return [Route(path, answer) for path in PATHS]

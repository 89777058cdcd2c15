"""The HTML of the page: Streamlit's, with the scripts that must run without Streamlit's server.

The rest of the page comes over the WebSocket. connection.js reports why there is no WebSocket.
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
    """Streamlit's index.html with the scripts at the end of its body."""
    html = (Path(file_util.get_static_dir()) / "index.html").read_text(encoding="utf-8")
    scripts = "".join(
        f'<script type="module">\n{Path(__file__).with_name(name).read_text(encoding="utf-8")}</script>\n'
        for name in SCRIPTS
    )
    before, body_end, after = html.rpartition("</body>")
    return f"{before}{scripts}{body_end}{after}"


def routes() -> list[Route]:
    """The routes of the HTML for `streamlit.App`. Streamlit answers other paths."""
    html = index_page()

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return [Route(path, answer) for path in PATHS]

"""The HTML of the page: Streamlit's, with connection.js in it."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit import file_util

# Of app.py.
PATHS = ("/", "/history", "/insights", "/versions")


def index_page() -> str:
    """Streamlit's index.html with a script that says why the page cannot connect to its server."""
    html = (Path(file_util.get_static_dir()) / "index.html").read_text(encoding="utf-8")
    script = Path(__file__).with_name("connection.js").read_text(encoding="utf-8")
    before, body_end, after = html.rpartition("</body>")
    return f"{before}<script>\n{script}</script>\n{body_end}{after}"


def routes() -> list[Route]:
    """The routes of the HTML, for `streamlit.App`; an unknown path is still Streamlit's."""
    html = index_page()

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return [Route(path, answer) for path in PATHS]

"""Web pages of other origins in a real browser can read and change nothing."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from fixtures.browser import ARGUMENTS
from fixtures.drawing import open_page
from ops.native.ports import bind_error
from ops.system import ports
from tests.system.browser import chromium
from tests.system.running import RunningSystem
from tests.system.web_pages import another_site, fetch, websocket

REBOUND = "evil.test"
PAGE_PATHS = ["/", "/_stcore/health", "/_stcore/host-config", "/_stcore/upload_file/a/b", "/history"]
API_PATHS = ["/predictions/mnist", "/predict", "/explanations/mnist"]
# Requests that would change the served models if TorchServe's management API received them.
REGISTER = ("POST", "/models?model_name=evil&url=mnist-1.3.mar&initial_workers=1")
MANAGEMENT = [
    REGISTER,
    ("PUT", "/models/mnist?min_worker=0"),
    ("DELETE", "/models/mnist/1.3"),
]


@pytest.fixture
def foreign(desktop: Page) -> Iterator[Page]:
    """A page of a site on another local port."""
    with another_site() as origin:
        desktop.goto(origin)
        yield desktop
        desktop.goto("about:blank")


@pytest.fixture(scope="module")
def rebound(browser: Browser) -> Iterator[Page]:
    """A page in a browser whose DNS resolves the name of another site to this machine."""
    rule = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
    other = browser.browser_type.launch(executable_path=chromium(), args=[*ARGUMENTS, rule])
    yield other.new_page()
    other.close()


@pytest.fixture(autouse=True)
def nothing_changes(system: RunningSystem) -> Iterator[None]:
    """The test adds and deletes no drawing, and the system still reads digits."""
    before = system.drawings()
    yield
    assert system.drawings() == before
    assert requests.get(f"{system.address}/ping", timeout=30).status_code == 200


def _port(system: RunningSystem) -> int:
    return system.system.gateway_port


def _hosts() -> list[str]:
    return ["localhost", "127.0.0.1", *([] if bind_error("::1", 0) else ["[::1]"])]


def test_another_page_cannot_open_the_websocket(system: RunningSystem, foreign: Page):
    for host in _hosts():
        assert websocket(foreign, f"ws://{host}:{_port(system)}/_stcore/stream") == "failed"


def test_the_page_itself_can_open_the_websocket(system: RunningSystem, desktop: Page):
    for host in _hosts():
        open_page(desktop, f"http://{host}:{_port(system)}")
        expect(desktop.get_by_role("link", name="Insights")).to_be_visible()  # a local visitor is an operator
        url = f"ws://{host}:{_port(system)}/_stcore/stream"
        # The same request succeeds from the page itself, so the test above fails for the right reason.
        assert websocket(desktop, url) == "open"


def test_the_page_sends_requests_to_the_gateway_only(system: RunningSystem, desktop: Page):
    requested: list[str] = []
    desktop.on("request", lambda request: requested.append(request.url))
    desktop.on("websocket", lambda opened: requested.append(opened.url))
    open_page(desktop, system.address)
    own = (f"http://127.0.0.1:{_port(system)}/", f"ws://127.0.0.1:{_port(system)}/", "data:", "blob:")
    assert len(requested) > 10
    assert [url for url in requested if not url.startswith(own)] == []


def test_another_page_reads_nothing_of_the_gateway(system: RunningSystem, foreign: Page):
    address = f"http://localhost:{_port(system)}"
    for path in PAGE_PATHS:
        for method in ("GET", "POST", "PUT", "DELETE"):
            assert fetch(foreign, address + path, method=method) == "failed"
        for method in ("GET", "POST"):
            assert fetch(foreign, address + path, method=method, mode="no-cors") == "opaque"
    for path in ("/ping", "/openapi.json"):
        assert fetch(foreign, address + path) == "failed"
    for path in API_PATHS:
        assert fetch(foreign, address + path, method="POST", body="x") == "failed"
        json = {"Content-Type": "application/json"}
        assert fetch(foreign, address + path, method="POST", body="{}", headers=json) == "failed"
        assert fetch(foreign, address + path, method="POST", body="x", mode="no-cors") == "opaque"


def test_another_page_reads_and_changes_nothing_behind_the_gateway(system: RunningSystem, foreign: Page):
    for number in (number for _, number in ports(system.system) if number != _port(system)):
        address = f"localhost:{number}"
        assert websocket(foreign, f"ws://{address}/_stcore/stream") == "failed"
        for path in ("/", "/ping", "/metrics", "/models", "/_stcore/health"):
            assert fetch(foreign, f"http://{address}{path}") == "failed"
        for method, path in MANAGEMENT:
            assert fetch(foreign, f"http://{address}{path}", method=method) == "failed"
        # A browser sends this request without a CORS preflight. TorchServe's inference API has no such path.
        fetch(foreign, f"http://{address}{REGISTER[1]}", method=REGISTER[0], mode="no-cors")
    registered = requests.post(f"{system.system.inference_url}/predictions/evil", data=b"x", timeout=30)
    assert registered.status_code == 404


def test_another_page_cannot_show_the_page_in_a_frame(system: RunningSystem, foreign: Page):
    url = f"http://localhost:{_port(system)}/"
    foreign.evaluate(
        """async (url) => {
            const frame = document.createElement("iframe");
            frame.src = url;
            await new Promise((resolve) => { frame.onload = resolve; document.body.append(frame); });
        }""",
        url,
    )
    [frame] = foreign.main_frame.child_frames
    assert frame.url.startswith("chrome-error://")
    assert frame.locator(".stApp, #root").count() == 0


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
@pytest.mark.parametrize("path", ["/", "/_stcore/upload_file/a/b"])
def test_a_form_of_another_page_is_refused(system: RunningSystem, foreign: Page, path, kind):
    with foreign.expect_response(f"**{path}") as answer:
        foreign.evaluate(
            """([url, kind]) => {
                const form = document.createElement("form");
                Object.assign(form, {action: url, method: "POST", enctype: kind});
                form.innerHTML = '<input name="data" value="x">';
                document.body.append(form);
                form.submit();
            }""",
            [f"http://localhost:{_port(system)}{path}", kind],
        )
    assert answer.value.status == 403
    assert answer.value.json()["type"] == "ForeignOrigin"


@pytest.mark.parametrize("path", [*PAGE_PATHS, "/ping", "/openapi.json"])
def test_the_gateway_rejects_the_host_of_a_rebound_name(system: RunningSystem, rebound: Page, path):
    answer = rebound.goto(f"http://{REBOUND}:{_port(system)}{path}")
    assert answer is not None
    assert answer.status == 403
    assert answer.json()["type"] == "UnknownHost"
    assert REBOUND in answer.json()["message"]


@pytest.mark.parametrize("path", ["/ping", "/predict"])
def test_the_inner_listener_rejects_the_host_of_a_rebound_name(system: RunningSystem, rebound: Page, path):
    answer = rebound.goto(f"http://{REBOUND}:{system.system.inner_port}{path}")
    assert answer is not None
    assert answer.status == 403
    assert answer.json()["type"] == "UnknownHost"


def test_a_script_of_a_rebound_name_reads_only_the_error(system: RunningSystem, rebound: Page):
    rebound.goto(f"http://{REBOUND}:{_port(system)}/")
    for path in [*PAGE_PATHS, *API_PATHS]:
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = fetch(rebound, path, method=method)
            assert answer.startswith('read 403: {"code":403,"type":"UnknownHost"')
    assert websocket(rebound, f"ws://{REBOUND}:{_port(system)}/_stcore/stream") == "failed"

"""A version is checked with the pictures in the folder of known digits."""

from http.server import HTTPServer

import pytest

from fixtures.http_server import Handler, serving
from ops.versions import selfcheck


@pytest.mark.parametrize(("label", "error"), [(3, None), (7, "it reads a known 7 as a 3")])
def test_the_pictures_in_the_folder_are_the_known_digits(tmp_path, monkeypatch, label, error):
    (tmp_path / f"{label}.png").write_bytes(b"a picture")
    monkeypatch.setattr(selfcheck, "KNOWN_DIGITS", tmp_path)

    def answer_three(_api, _what, version, drawing):
        assert drawing == b"a picture"
        answer = {"digit": 3, "is_digit": True, "model_version": version, "heatmap": []}
        return answer, 0.001

    monkeypatch.setattr(selfcheck, "_post", answer_three)
    if error is None:
        assert selfcheck.check("http://unused", "1.1", beside="1.0") == 1.0
    else:
        with pytest.raises(selfcheck.CheckError, match=error):
            selfcheck.check("http://unused", "1.1", beside="1.0")


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (200, {"digit": 0, "is_digit": True, "model_version": "0.1"}, "it reports version '0.1'"),
        (500, {"message": "Worker died."}, "1.1 answered a known digit with status 500: Worker died."),
    ],
)
def test_a_wrong_version_and_a_failed_request_are_named(status, answer, error):
    class Model(Handler):
        def do_POST(self):
            self.answer_json(status, answer)

    with (
        serving(HTTPServer(("127.0.0.1", 0), Model)) as server,
        pytest.raises(selfcheck.CheckError) as raised,
    ):
        selfcheck.check(f"http://127.0.0.1:{server.server_port}", "1.1", beside="1.0")
    assert str(raised.value) == error

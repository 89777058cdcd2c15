"""TorchServe's output becomes JSON lines in the format of all parts."""

import json
import logging

import pytest

from ops.versions.workers_output import WorkersOutput

HANDLERS = {
    "time": "2026-11-30T02:28:17.923Z",
    "level": "error",
    "part": "handler",
    "message": "no",
    "request_id": "a",
}


def _line(message: str) -> bytes:
    fields = {"time": "2026-11-30T02:28:17.924Z", "level": "info", "part": "torchserve", "message": message}
    return json.dumps(fields | {"thread": "W-9000-mnist_1.4-stdout"}).encode() + b"\n"


@pytest.mark.parametrize(
    ("printed", "part"),
    [
        (_line(json.dumps(HANDLERS)), "handler"),
        (_line("a worker's own text"), "torchserve"),
        (_line('{"no": "line of the handler"}'), "torchserve"),
        (_line("{" * 100_000), "torchserve"),
    ],
    ids=["handler", "text", "other JSON", "deep"],
)
def test_a_json_line_is_forwarded(capsys, printed, part):
    WorkersOutput([printed]).run()
    [line] = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert entry["part"] == part
    if part == "handler":
        assert entry == HANDLERS


def test_the_exit_reason_is_found_in_a_handler_line():
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in b\nRuntimeError: no weights'
    output = WorkersOutput([_line(json.dumps(HANDLERS | {"exception": trace}))])
    output.run()
    assert output.exit_reason("1.4") == "RuntimeError: no weights"


@pytest.mark.parametrize("printed", [b"WARNING: of the JVM\n", b"\xff\n", b"[1]\n", b"[" * 100_000 + b"\n"])
def test_any_other_line_is_logged(capsys, caplog, printed):
    caplog.set_level(logging.INFO)
    WorkersOutput([printed]).run()
    assert capsys.readouterr().out == ""
    [message] = caplog.messages
    assert message == f"TorchServe: {printed.decode(errors='replace').rstrip()}"

"""The format of the log lines, for programs and for `make logs`."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from handler import json_log
from json_logs import IDS, JsonLines

ROOT = Path(__file__).parent.parent
READABLE = ROOT / "ops" / "readable_logs.sed"
# RFC 3339, UTC
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("ui.app", logging.WARNING, "app.py", 1, message, values, None)
    for name, value in extra.items():
        setattr(record, name, value)
    return record


@pytest.mark.parametrize("formatter", [JsonLines("page"), json_log.JsonLines("1.4")], ids=["page", "handler"])
def test_a_line_has_time_level_part_message_and_ids(formatter):
    text = formatter.format(_record('a "%s"\nof 2 lines', "quote", request_id="r", drawing_id="d"))
    assert "\n" not in text
    line = json.loads(text)
    assert list(line)[:6] == ["time", "level", "part", "message", "request_id", "drawing_id"]
    assert TIME.fullmatch(line["time"])
    assert line["level"] == "warning"
    assert line["message"] == 'a "quote"\nof 2 lines'
    assert (line["request_id"], line["drawing_id"]) == ("r", "d")
    assert not {*IDS} & json.loads(formatter.format(_record("without ids"))).keys()


@pytest.mark.parametrize("formatter", [JsonLines("page"), json_log.JsonLines("1.4")], ids=["page", "handler"])
def test_a_line_has_the_traceback_of_its_exception(formatter):
    record = _record("failed")
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        record.exc_info = sys.exc_info()
    exception = json.loads(formatter.format(record))["exception"]
    assert exception.startswith("Traceback (most recent call last):\n")
    assert exception.endswith("ZeroDivisionError: division by zero")


def test_the_handlers_formatter_has_the_same_ids():
    assert json_log.IDS == IDS


def test_an_uncaught_exception_is_logged_as_a_line():
    program = "import json_logs, warnings; json_logs.log_as_json('page'); warnings.warn('old'); 1 / 0"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    warning, end = map(json.loads, done.stderr.splitlines())
    assert (warning["level"], end["level"]) == ("warning", "critical")
    assert "ZeroDivisionError" in end["exception"]


def _readable(line: str) -> str:
    command = ["sed", "-uEf", READABLE]
    return subprocess.run(command, input=line + "\n", capture_output=True, text=True, check=True).stdout


def test_make_logs_formats_json_for_people():
    line = JsonLines("page").format(_record('said "%s"', "no", request_id="r", drawing_id="d"))
    time = json.loads(line)["time"]
    readable = f'{time} warning page: said "no" request_id=r drawing_id=d\n'
    assert _readable(line) == readable
    assert _readable(f"\x1b[2Kpage-1  | {line}") == f"page-1  | {readable}"


def test_a_traceback_is_formatted_on_several_lines():
    record = _record("failed")
    try:
        raise ValueError('a "quote" and a \\')  # noqa: TRY301
    except ValueError:
        record.exc_info = sys.exc_info()
    lines = _readable(JsonLines("page").format(record)).splitlines()
    assert lines[0].endswith("exception=Traceback (most recent call last):")
    assert lines[-1] == 'ValueError: a "quote" and a \\'


@pytest.mark.parametrize("line", ["LOG:  ready", "==> /var/log/page.log <==", '{"other": "JSON"}', ""])
def test_other_lines_are_unchanged(line):
    assert _readable(line) == line + "\n"

import shutil
from types import SimpleNamespace

from ops import parts, status, supervisor


def _running(monkeypatch, answers=lambda system: True, pid=1):
    info = {"statename": "RUNNING", "pid": pid, "now": 10, "start": 4}
    monkeypatch.setattr(supervisor, "processes", lambda system: {"page": info})
    monkeypatch.setattr(parts, "PARTS", (parts.Part("page", lambda system: [], answers),))


def test_a_part_that_answers_is_healthy(system, monkeypatch, capsys):
    _running(monkeypatch)
    assert status.status(system)
    assert system.address in capsys.readouterr().out


def test_a_part_that_does_not_answer_is_told(system, monkeypatch, capsys):
    _running(monkeypatch, answers=lambda system: False)
    assert not status.status(system)
    assert str(system.logs) in capsys.readouterr().out


def test_a_part_that_does_not_run_does_not_answer(system, monkeypatch):
    _running(monkeypatch, pid=0)
    assert not status.status(system)


def test_a_full_disk_is_told(system, monkeypatch, capsys):
    _running(monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=7 * 2**20))
    assert not status.status(system)
    assert "Only 7 MiB are free" in capsys.readouterr().out

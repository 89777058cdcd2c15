import shutil
from types import SimpleNamespace

from ops.native import parts, status, supervisor


def _running(monkeypatch, answers=lambda system: True, pid=1):
    info = {"statename": "RUNNING", "pid": pid, "now": 10, "start": 4}
    monkeypatch.setattr(supervisor, "processes", lambda system: {"page": info})
    monkeypatch.setattr(parts, "PARTS", (parts.Part("page", lambda system: [], answers),))


def test_status_succeeds_if_every_part_is_healthy(system, monkeypatch, capsys):
    _running(monkeypatch)
    assert status.status(system)
    assert system.address in capsys.readouterr().out


def test_status_reports_an_unhealthy_part(system, monkeypatch, capsys):
    _running(monkeypatch, answers=lambda system: False)
    assert not status.status(system)
    assert str(system.logs) in capsys.readouterr().out


def test_a_stopped_part_is_unhealthy(system, monkeypatch):
    _running(monkeypatch, pid=0)
    assert not status.status(system)


def test_status_reports_a_full_disk(system, monkeypatch, capsys):
    _running(monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=7 * 2**20))
    assert not status.status(system)
    assert "Only 7 MiB are free" in capsys.readouterr().out

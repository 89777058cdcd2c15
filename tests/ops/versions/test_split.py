"""The split file for the gateway's container."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ops.errors import OpsError
from ops.system import IN_CONTAINERS
from ops.versions import reload, split
from ops.versions.state import Versions


@pytest.mark.parametrize(
    ("versions", "says"), [(Versions("1.1"), "none"), (Versions("1.1", split={"1.2": 0.1}), "1.2=0.1000")]
)
def test_the_split_file_has_the_split_and_its_label(system, versions, says):
    contained = replace(system, hosts=IN_CONTAINERS)
    split.write(contained, versions)
    text = contained.split.read_text()
    assert f'default "{says}";' in text
    assert text.endswith(split.split_clients(versions))
    assert list(contained.state.glob("*.unfinished")) == []


def test_an_unchanged_split_is_not_written_again(system):
    contained = replace(system, hosts=IN_CONTAINERS)
    split.write(contained, Versions("1.1"))
    before = contained.split.stat().st_ino
    split.write(contained, Versions("1.1"))
    assert contained.split.stat().st_ino == before
    split.write(contained, Versions("1.1", split={"1.2": 0.5}))
    assert contained.split.stat().st_ino != before


def test_a_gateway_of_several_machines_applies_the_split_of_the_store(system, monkeypatch, caplog):
    contained = replace(system, hosts=IN_CONTAINERS)
    canary = Versions("1.1", split={"1.2": 0.1})
    answers = iter([Versions("1.1"), canary, OpsError("the store is away"), OpsError("the store is away")])
    written = []

    def read():
        written.append(contained.split.read_text() if contained.split.exists() else "")
        answer = next(answers)
        if isinstance(answer, OpsError):
            raise answer
        return answer

    monkeypatch.setattr(split, "open_store", lambda system: SimpleNamespace(read=read))
    monkeypatch.setattr(split, "FOLLOW_EVERY_S", 0)
    with pytest.raises(StopIteration):
        split.follow(contained)
    assert [split.split_clients(canary) in text for text in written] == [False, False, True, True, True]
    assert [record.getMessage() for record in caplog.records] == [
        "the split stays as it is: the store is away"
    ]


def test_a_command_waits_for_every_gateway_with_the_same_name(system, monkeypatch):
    contained = replace(system, hosts=IN_CONTAINERS)
    asked = []
    monkeypatch.setattr(
        reload.socket, "gethostbyname_ex", lambda host: (host, [], ["192.0.2.1", "192.0.2.2"])
    )
    monkeypatch.setattr(reload, "_wait_for_gateway", lambda url, wanted: asked.append((url, wanted)))
    Versions("1.1", split={"1.2": 0.1}).write(contained.versions)
    reload.reload(contained)
    port = contained.inner_port
    assert asked == [(f"http://192.0.2.{last}:{port}", "1.2=0.1000") for last in (1, 2)]

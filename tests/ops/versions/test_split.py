"""The split file for the gateway's container."""

from dataclasses import replace

import pytest

from ops.system import IN_CONTAINERS
from ops.versions import split
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

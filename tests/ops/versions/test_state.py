import json

import pytest

from ops.errors import OpsError
from ops.versions.state import RELEASED, Versions, archive_name


def test_without_a_file_the_released_version_is_the_default(tmp_path):
    assert Versions.read(tmp_path / "versions.json") == Versions(default=RELEASED)


def test_a_written_file_is_read_back(tmp_path):
    path = tmp_path / "versions.json"
    wanted = Versions(default="1.1", previous="1.0", split={"1.2": 0.1})
    wanted.write(path)
    assert Versions.read(path) == wanted
    assert [p.name for p in tmp_path.iterdir()] == ["versions.json"]


def test_default_and_canary_are_served(tmp_path):
    assert Versions("1.1", previous="1.0", split={"1.2": 0.1}).served() == ["1.1", "1.2"]
    assert Versions("1.1").served() == ["1.1"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"default": null}', '{"default": "1.0", "colour": "red"}'])
def test_a_damaged_file_is_an_error(tmp_path, text):
    path = tmp_path / "versions.json"
    path.write_text(text)
    with pytest.raises(
        OpsError,
        match=r"versions\.json is not a valid versions file: its format is wrong\. Expected, for example: \{",
    ):
        Versions.read(path)


def test_a_folder_at_the_path_of_the_file_is_reported(tmp_path):
    path = tmp_path / "versions.json"
    path.mkdir()
    with pytest.raises(OpsError, match=r"versions\.json cannot be read: Is a directory"):
        Versions.read(path)


@pytest.mark.parametrize("share", [10**400, -(10**400)], ids=["huge", "hugely negative"])
def test_an_out_of_range_share_is_reported(share):
    with pytest.raises(ValueError, match="its format is wrong"):
        Versions.parse(json.dumps({"default": "1.0", "split": {"1.1": share}}))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"1.1": -0.1}, "gives version 1.1 the share -0.1, which is not between 0.0001 and 0.9999"),
        ({"1.1": 1.5}, "gives version 1.1 the share 1.5, which is not between"),
        ({"1.1": 1.5, "1.2": -1.0}, "gives version 1.1 the share 1.5, which is not between"),
        ({"1.1": float("nan")}, "gives version 1.1 the share nan, which is not between"),
        ({"1.1": 0}, "gives version 1.1 the share 0, which is not between"),  # nginx rejects 0.00 %
        ({"1.0": 0.5}, "'split' names version 1.0, which is the default: it receives the remaining share"),
        ({"1.1": 0.6, "1.2": 0.5}, "add up to 1.1, which is not less than 1"),
        ({"1.1": 0.9999, "1.2": 0.0001}, "add up to 1, which is not less than 1"),
    ],
)
def test_a_wrong_share_is_named(tmp_path, split, message):
    path = tmp_path / "versions.json"
    path.write_text(json.dumps({"default": "1.0", "split": split}))
    with pytest.raises(OpsError) as raised:
        Versions.read(path)
    assert message in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("share", [0.0001, 0.01 / 100, 99.99 / 100])
def test_every_share_of_a_canary_is_accepted(share):
    assert Versions.parse(json.dumps({"default": "1.0", "split": {"1.1": share}})).split == {"1.1": share}


def test_an_archive_is_named_after_its_version():
    assert archive_name("1.1") == "mnist-1.1.mar"

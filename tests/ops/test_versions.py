import pytest

from ops.errors import OpsError
from ops.versions import RELEASED, Versions, archive_name


def test_nothing_asked_for_means_the_released_version(tmp_path):
    assert Versions.read(tmp_path / "versions.json") == Versions(default=RELEASED)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "versions.json"
    wanted = Versions(default="1.1", previous="1.0", split={"1.2": 0.1})
    wanted.write(path)
    assert Versions.read(path) == wanted
    assert [p.name for p in tmp_path.iterdir()] == ["versions.json"]


def test_the_default_and_the_candidates_are_served(tmp_path):
    assert Versions("1.1", previous="1.0", split={"1.2": 0.1}).served() == ["1.1", "1.2"]
    assert Versions("1.1").served() == ["1.1"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"default": "1.0", "colour": "red"}'])
def test_a_damaged_file_is_an_error_and_not_the_default(tmp_path, text):
    path = tmp_path / "versions.json"
    path.write_text(text)
    with pytest.raises(
        OpsError, match=r"versions\.json is not a valid versions file\. Expected, for example: \{"
    ):
        Versions.read(path)


def test_an_archive_is_named_after_its_version():
    assert archive_name("1.1") == "mnist-1.1.mar"

"""Settings say which one is wrong, with which value, and never show a secret."""

import pytest

import settings
from settings import Setting, SettingError


def test_the_default_counts_when_nothing_is_set():
    assert settings.GATEWAY_PORT.read({}) == 8000
    assert settings.GATEWAY_PORT.read({"GATEWAY_PORT": ""}) == 8000


def test_the_environment_wins():
    assert settings.GATEWAY_PORT.read({"GATEWAY_PORT": "9000"}) == 9000


@pytest.mark.parametrize("value", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_bad_value_is_named_with_its_type(value):
    with pytest.raises(SettingError) as raised:
        settings.GATEWAY_PORT.read({"GATEWAY_PORT": value})
    assert str(raised.value) == f"Setting 'GATEWAY_PORT' has value '{value}'. Not a valid port."


def test_a_missing_one_says_what_it_is_for():
    with pytest.raises(SettingError, match="Setting 'DATABASE_PASSWORD' is missing: The password"):
        settings.DATABASE_PASSWORD.read({})


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "password").write_text("from a file\n")
    environment = {"DATABASE_PASSWORD_FILE": str(tmp_path / "password")}
    assert settings.DATABASE_PASSWORD.read(environment) == "from a file"
    assert settings.DATABASE_PASSWORD.read(environment | {"DATABASE_PASSWORD": ""}) == "from a file"
    assert settings.DATABASE_PASSWORD.read(environment | {"DATABASE_PASSWORD": "direct"}) == "direct"


def test_a_secret_file_that_is_not_there_is_named(tmp_path):
    missing = str(tmp_path / "nowhere")
    with pytest.raises(SettingError, match=f"'DATABASE_PASSWORD_FILE' has value '{missing}'"):
        settings.DATABASE_PASSWORD.read({"DATABASE_PASSWORD_FILE": missing})


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b" \n", "empty"), (b"\xff", "not UTF-8 text")]
)
def test_a_secret_file_without_a_secret_is_named(tmp_path, content, said):
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(SettingError) as raised:
        settings.OPERATOR_PASSWORD.read({"OPERATOR_PASSWORD_FILE": str(path)})
    assert str(raised.value) == (
        f"Setting 'OPERATOR_PASSWORD_FILE' has value '{path}'. Not a readable file: it is {said}."
    )


def test_the_value_of_a_secret_is_never_shown():
    pin = Setting("PIN", int, None, "a number", secret=True)
    with pytest.raises(SettingError) as raised:
        pin.read({"PIN": "open sesame"})
    assert str(raised.value) == "Setting 'PIN' has value '(hidden)'. Not a valid int."

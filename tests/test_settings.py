"""Values of settings, and errors that name the setting and its value but never show a secret."""

import pytest

import settings
from settings import Setting, SettingError


def test_an_unset_setting_has_its_default():
    assert settings.GATEWAY_PORT.read({}) == 8000
    assert settings.GATEWAY_PORT.read({"GATEWAY_PORT": ""}) == 8000


def test_the_environment_overrides_the_default():
    assert settings.GATEWAY_PORT.read({"GATEWAY_PORT": "9000"}) == 9000


@pytest.mark.parametrize("value", ["eighty", "0", "65536", "-1", "80.5"])
def test_the_error_names_an_invalid_value_and_its_type(value):
    with pytest.raises(SettingError) as raised:
        settings.GATEWAY_PORT.read({"GATEWAY_PORT": value})
    assert str(raised.value) == f"Setting 'GATEWAY_PORT' has value '{value}'. Not a valid port."


def test_a_switch_is_0_or_1():
    assert settings.MONITORING.read({}) == 0
    assert settings.MONITORING.read({"MONITORING": "1"}) == 1
    message = "Setting 'MONITORING' has value 'yes'. Not a valid zero_or_one."
    assert _refusal(settings.MONITORING, "yes") == message


def test_the_error_for_a_missing_setting_has_its_meaning():
    with pytest.raises(SettingError, match="Setting 'DATABASE_PASSWORD' is missing: The password"):
        settings.DATABASE_PASSWORD.read({})


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "password").write_text("from a file\n")
    environment = {"DATABASE_PASSWORD_FILE": str(tmp_path / "password")}
    assert settings.DATABASE_PASSWORD.read(environment) == "from a file"
    assert settings.DATABASE_PASSWORD.read(environment | {"DATABASE_PASSWORD": ""}) == "from a file"
    assert settings.DATABASE_PASSWORD.read(environment | {"DATABASE_PASSWORD": "direct"}) == "direct"


def test_the_error_names_a_missing_secret_file(tmp_path):
    missing = str(tmp_path / "nowhere")
    with pytest.raises(SettingError, match=f"'DATABASE_PASSWORD_FILE' has value '{missing}'"):
        settings.DATABASE_PASSWORD.read({"DATABASE_PASSWORD_FILE": missing})


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b" \n", "empty"), (b"\xff", "not UTF-8 text")]
)
def test_the_error_names_a_secret_file_without_a_secret(tmp_path, content, said):
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(SettingError) as raised:
        settings.OPERATOR_PASSWORD.read({"OPERATOR_PASSWORD_FILE": str(path)})
    assert str(raised.value) == (
        f"Setting 'OPERATOR_PASSWORD_FILE' has value '{path}'. Not a readable file: it is {said}."
    )


def test_errors_hide_the_value_of_a_secret():
    pin = Setting("PIN", int, None, "a number", secret=True)
    with pytest.raises(SettingError) as raised:
        pin.read({"PIN": "open sesame"})
    assert str(raised.value) == "Setting 'PIN' has value '(hidden)'. Not a valid int."


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("digits.example.com", "digits.example.com"),
        ("Digits.example.com,  [::1]:8443 10.0.0.1:80\n", "digits.example.com [::1]:8443 10.0.0.1:80"),
    ],
)
def test_hosts_are_a_list(text, value):
    assert settings.PUBLIC_HOSTS.read({"PUBLIC_HOSTS": text}) == value


@pytest.mark.parametrize(
    "text", ["https://a.example", "*", "a/b", "a b;c", "a:port", 'a"', "a;b", "a|b", "$a", "-a", "a b{"]
)
def test_the_error_names_an_invalid_host(text):
    message = _refusal(settings.PUBLIC_HOSTS, text)
    assert message.startswith(
        f"Setting 'PUBLIC_HOSTS' has value '{text}'. Not a valid host_list. Accepted: hosts "
    )
    assert _example_in(message, settings.PUBLIC_HOSTS) == "digits.example.com digits.example.com:8443"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://App.example.com, http://localhost:3000", "https://app.example.com http://localhost:3000"),
        (
            "https://a:443 http://a:80 http://a:443 https://a:80",
            "https://a http://a http://a:443 https://a:80",
        ),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_origins_have_the_form_of_browsers(text, value):
    assert settings.CORS_ORIGINS.read({"CORS_ORIGINS": text}) == value


@pytest.mark.parametrize(
    "text", ["*", "null", "app.example.com", "https://a/", "https://a/b", "ftp://a", "https://"]
)
def test_the_error_names_an_invalid_origin(text):
    message = _refusal(settings.CORS_ORIGINS, text)
    assert message.startswith(
        f"Setting 'CORS_ORIGINS' has value '{text}'. Not a valid origin_list. Accepted: origins "
    )
    assert _example_in(message, settings.CORS_ORIGINS) == "https://app.example.com http://localhost:3000"


def _refusal(setting: Setting[str], text: str) -> str:
    """The error message for a wrong value."""
    with pytest.raises(SettingError) as raised:
        setting.read({setting.name: text})
    return str(raised.value)


def _example_in(message: str, setting: Setting[str]) -> str:
    """The example at the end of a message, as the setting reads it."""
    return setting.read({setting.name: message.rpartition(" for example ")[2].removesuffix(".")})

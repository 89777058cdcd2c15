"""The environment of programs that a command starts."""

import os
import stat
import subprocess
import sys

import settings
from ops.data import secrets
from ops.environment import remove_secrets
from ops.native import parts
from ops.system import ROOT
from tests.system.running import RunningSystem

NAMES = (
    "OPERATOR_PASSWORD OPERATOR_PASSWORD_FILE S3_SECRET_KEY S3_ACCESS_KEY DATABASE_PASSWORD AWS_ACCESS_KEY_ID "
    "AWS_SESSION_TOKEN MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN PGPASSWORD GITHUB_TOKEN OPENAI_API_KEY GH_PAT "
    "DB_PASS SENTRY_DSN"
)
SECRETS = {**dict.fromkeys(NAMES.split(), "a"), "https_proxy": "http://somebody:word@proxy.example:3128"}
HARMLESS = {
    "PATH": "/bin",
    "SSH_AUTH_SOCK": "/agent",
    "LANG": "C.UTF-8",
    "KEYBOARD": "de",
    "GATEWAY_PORT": "8000",
    "DATABASE_URL": "postgresql://page@127.0.0.1:8006/mnist",
    "http_proxy": "http://proxy.example:3128",
}


def test_only_secrets_are_removed_by_name_or_value():
    environment = SECRETS | HARMLESS
    remove_secrets(environment)
    assert environment == HARMLESS


def test_commands_keep_the_keys_of_a_store_that_machines_share():
    keys = {"S3_ACCESS_KEY": "a", "S3_SECRET_KEY_FILE": "/run/secrets/s3_secret_key"}
    for place, left in (("files", {}), ("s3", keys)):
        environment = {"VERSIONS_IN": place, "OPERATOR_PASSWORD": "a", **keys}
        remove_secrets(environment)
        assert environment == {"VERSIONS_IN": place, **left}


def test_every_secret_setting_is_removed():
    names = [setting.name for setting in settings.ALL if setting.secret]
    environment = dict.fromkeys(names, "a") | {f"{name}_FILE": "a" for name in names}
    assert len(names) >= 3
    remove_secrets(environment)
    assert environment == {}


def test_programs_started_by_a_command_inherit_no_secret(tmp_path):
    # `logs` replaces its process by another program, here one that prints its environment.
    (tmp_path / "var" / "log").mkdir(parents=True)
    (tmp_path / "var" / "log" / "page.log").touch()
    tail = tmp_path / "tail"
    tail.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import os; print(*os.environ)'\n")
    tail.chmod(0o755)
    own = {"STATE_DIR": str(tmp_path / "var"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "ops", "logs"]
    inherited = subprocess.check_output(
        command, cwd=ROOT, env={**os.environ, **SECRETS, **own}, text=True
    ).split()
    assert "STATE_DIR" in inherited
    assert [name for name in SECRETS if name in inherited] == []


def test_a_failed_test_shows_no_environment():
    assert "open sesame" not in repr(RunningSystem(None, {"OPERATOR_PASSWORD": "open sesame"}))


def test_only_the_page_receives_the_path_of_the_operator_password(system):
    secrets.write_operator_password(system, "open sesame")
    assert stat.S_IMODE(system.operator_password.stat().st_mode) == 0o600
    for part in parts.PARTS:
        environment = part.environment(system)
        assert "open sesame" not in environment.values()
        assert ("OPERATOR_PASSWORD_FILE" in environment) == (part.name == "page")
        if part.name == "page":
            assert settings.OPERATOR_PASSWORD.read(environment) == "open sesame"
    secrets.write_operator_password(system, "")
    assert not system.operator_password.exists()
    assert not any("OPERATOR_PASSWORD_FILE" in part.environment(system) for part in parts.PARTS)


def test_only_page_deliverer_and_exporter_receive_a_database_password(system):
    told = {part.name for part in parts.PARTS if "DATABASE_PASSWORD_FILE" in part.environment(system)}
    assert told == {"page", "deliverer", "exporter"}
    assert parts.database_environment(system, "exporter")["DATABASE_URL"].startswith("postgresql://exporter@")

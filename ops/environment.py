"""The environment that every program inherits which a command of `ops` starts: the caller's, without its secrets.

A part gets its own secrets as files that ops/parts.py names.
"""

import re
from collections.abc import MutableMapping

import settings

# What people call a secret, those of other programs included: AWS_SECRET_ACCESS_KEY, PGPASSWORD, GITHUB_TOKEN.
SECRET_NAME = re.compile(
    r"^AWS_|PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|(^|_)API_?KEY|(^|_)(KEY|PASS|PAT|DSN)($|_)",
    re.IGNORECASE,
)
# An address with a password in it, such as that of a proxy.
SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]+@")
NAMES = {
    name for setting in settings.ALL if setting.secret for name in (setting.name, f"{setting.name}_FILE")
}


def remove_secrets(environment: MutableMapping[str, str]) -> None:
    """Remove every variable that holds a secret, by its name or by its value."""
    for name, value in list(environment.items()):
        if name in NAMES or SECRET_NAME.search(name) or SECRET_VALUE.search(value):
            del environment[name]

"""Remove secrets from the environment before a command of `ops` starts other programs.

A part reads its secrets from files; ops/native/parts.py sets their paths.
"""

import re
from collections.abc import MutableMapping

import settings

# Common names of secrets, also of other programs: AWS_SECRET_ACCESS_KEY, PGPASSWORD, GITHUB_TOKEN.
SECRET_NAME = re.compile(
    r"^AWS_|PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|(^|_)API_?KEY|(^|_)(KEY|PASS|PAT|DSN)($|_)",
    re.IGNORECASE,
)
# A URL that contains a password, for example a proxy's.
SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]+@")
SECRETS = [setting.name for setting in settings.ALL if setting.secret]
NAMES = {*SECRETS, *(f"{name}_FILE" for name in SECRETS)}


def remove_secrets(environment: MutableMapping[str, str]) -> None:
    """Remove every variable whose name or value indicates a secret."""
    for name, value in list(environment.items()):
        if name in NAMES or SECRET_NAME.search(name) or SECRET_VALUE.search(value):
            del environment[name]

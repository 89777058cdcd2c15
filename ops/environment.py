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
# Commands themselves use these if several machines share the versions (ops/versions/s3_store.py).
OF_SHARED_VERSIONS = {"S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_SECRET_KEY_FILE"}


def remove_secrets(environment: MutableMapping[str, str]) -> None:
    """Remove every variable whose name or value indicates a secret that no command uses."""
    used = OF_SHARED_VERSIONS if settings.VERSIONS_IN.read(environment) == "s3" else set()
    for name, value in list(environment.items()):
        if name in used:
            continue
        if name in NAMES or SECRET_NAME.search(name) or SECRET_VALUE.search(value):
            del environment[name]

"""Render the nginx configuration natively, as envsubst does in the container.

text = render(template, {"INNER_HOST": "127.0.0.1", ...})
"""

import re
from collections.abc import Mapping

PLACEHOLDERS = (
    "INNER_HOST",
    "INNER_PORT",
    "INNER_NAME",
    "EXPORTER_ADDRESS",
    "RETRY_ON",
    "PAGES",
    "RATE_LIMIT_PER_SECOND",
    "RATE_LIMIT_ZONE",
    "KNOWN_NAMES",
    "PUBLIC_HOSTS",
    "CORS_ORIGINS",
    "GATEWAY_RUN",
    "GATEWAY_ETC",
)
# nginx's variables are in lower case, so no placeholder has the name of one.
_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")
# Characters with a meaning in an nginx string.
_BREAKS_NGINX = re.compile(r'["\'\\$;{}\x00-\x1f]')
# The template has the folders in double quotes, and in patterns of `include`.
_FOLDERS = ("GATEWAY_RUN", "GATEWAY_ETC")
_BREAKS_FOLDER = re.compile(r'["\\$*?\[\x00-\x1f]')


def render(template_text: str, values: Mapping[str, str]) -> str:
    """The template with each `${NAME}` replaced by its value.

    Raises ValueError, which names the placeholder, for a missing value, a name that is not in PLACEHOLDERS, or a value
    that is not safe in an nginx configuration.
    """
    used = set(_PLACEHOLDER.findall(template_text))
    accepted = f"Accepted: {', '.join(PLACEHOLDERS)}."
    if unknown := sorted((used | values.keys()) - set(PLACEHOLDERS)):
        raise ValueError(f"Unknown placeholder '{unknown[0]}' in the gateway's configuration. {accepted}")
    if missing := sorted(used - values.keys()):
        raise ValueError(f"No value for the placeholder '{missing[0]}' of the gateway's configuration.")
    for name, value in values.items():
        found = (_BREAKS_FOLDER if name in _FOLDERS else _BREAKS_NGINX).search(value)
        if found or not value:
            reason = f"it has the character {found[0]!r}" if found else "it is empty"
            raise ValueError(
                f"Placeholder '{name}' has value {value!r}. Not usable in an nginx configuration: {reason}."
            )
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template_text)

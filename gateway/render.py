"""Render the nginx configuration natively, as envsubst does in the container.

text = render(template, {"INNER_HOST": "127.0.0.1", ...})
"""

import re
from collections.abc import Mapping

# nginx's variables are in lower case, so no placeholder has the name of one.
_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")
# Characters with a meaning in an nginx string.
_BREAKS_NGINX = re.compile(r'["\'\\$;{}\x00-\x1f]')
# The template has the folders in double quotes, and in patterns of `include`.
_FOLDERS = ("GATEWAY_RUN", "GATEWAY_ETC")
_BREAKS_FOLDER = re.compile(r'["\\$*?\[\x00-\x1f]')


def render(template_text: str, values: Mapping[str, str]) -> str:
    """The template with each `${NAME}` replaced by its value.

    Raises ValueError, which names the placeholder, if the template and `values` have different names, or if a value is
    not safe in an nginx configuration.
    """
    used = set(_PLACEHOLDER.findall(template_text))
    if missing := sorted(used - values.keys()):
        raise ValueError(f"The placeholder '{missing[0]}' of the gateway's configuration has no value.")
    if unknown := sorted(values.keys() - used):
        raise ValueError(f"The gateway's configuration has no placeholder '{unknown[0]}'.")
    for name, value in values.items():
        found = (_BREAKS_FOLDER if name in _FOLDERS else _BREAKS_NGINX).search(value)
        if found or not value:
            reason = f"it has the character {found[0]!r}" if found else "it is empty"
            raise ValueError(
                f"Placeholder '{name}' has value {value!r}. Not usable in an nginx configuration: {reason}."
            )
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template_text)

import re

import pytest

from gateway.render import render
from tests.gateway.running import ROOT, TEMPLATE

PLACEHOLDERS = sorted(set(re.findall(r"\$\{([A-Z_]+)\}", TEMPLATE)))
VALUES = {name: f"value-of-{name.lower()}" for name in PLACEHOLDERS}


def test_placeholders_are_replaced_and_nginx_variables_stay():
    values = {"INNER_HOST": "127.0.0.1", "INNER_PORT": "8001"}
    text = render("listen ${INNER_HOST}:${INNER_PORT}; return 200 $uri ${status} $INNER_HOST;", values)
    assert text == ("listen 127.0.0.1:8001; return 200 $uri ${status} $INNER_HOST;")


def test_the_template_has_no_other_placeholders():
    assert len(PLACEHOLDERS) > 10
    assert "${" not in render(TEMPLATE, VALUES)


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_missing_value_is_named(name):
    values = {other: value for other, value in VALUES.items() if other != name}
    with pytest.raises(ValueError, match=f"'{name}'"):
        render(TEMPLATE, values)


def test_an_unknown_placeholder_is_named():
    with pytest.raises(ValueError, match="'INNER_PROT'"):
        render("listen ${INNER_PROT};", VALUES)
    with pytest.raises(ValueError, match="'PAGE_PORT'"):
        render(TEMPLATE, {**VALUES, "PAGE_PORT": "80"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("INNER_HOST", value) for value in ("", 'a"b', "a'b", "a\\b", "a;b", "a$b", "a\nb", "a{b", "a}b")),
        *(("GATEWAY_RUN", value) for value in ("", 'a"b', "a\\b", "a$b", "a\nb", "a*b", "a?b", "a[b")),
    ],
)
def test_a_value_that_would_change_the_configuration_is_refused(name, value):
    with pytest.raises(ValueError, match=f"'{name}'"):
        render(TEMPLATE, {**VALUES, name: value})


def test_a_folder_accepts_more_characters_than_other_values():
    folder = "/a b%c'd;e{f}g#h"
    assert f'pid "{folder}/nginx.pid";' in render(TEMPLATE, {**VALUES, "GATEWAY_RUN": folder})


def test_the_template_quotes_folders():
    for line in TEMPLATE.splitlines():
        if "${GATEWAY_RUN}" in line or "${GATEWAY_ETC}" in line:
            assert re.search(r'"\$\{GATEWAY_(RUN|ETC)\}[^"$]*"', line), line


def test_the_included_files_have_no_placeholders():
    for path in (ROOT / "gateway").glob("*.conf"):
        assert "${" not in path.read_text(encoding="utf-8"), path.name

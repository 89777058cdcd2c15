"""The command line has and explains every setting, and names a wrong one."""

from dataclasses import fields

import pytest

from training.train.recipe import QUICK, Recipe, parse


@pytest.mark.parametrize("field", fields(Recipe), ids=lambda field: field.name)
def test_every_setting_is_an_option(field):
    kind = type(field.default)
    text = {str: ["elsewhere.pt"], float: ["0.25"], int: ["7"], bool: []}[kind]
    recipe = parse([f"--{field.name.replace('_', '-')}", *text])
    assert getattr(recipe, field.name) == kind(*text or [True])


@pytest.mark.parametrize("field", fields(Recipe), ids=lambda field: field.name)
def test_help_explains_every_setting(field, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        parse(["--help"])
    option = f"--{field.name.replace('_', '-')}"
    value = "" if field.default is False else f" {type(field.default).__name__.upper()}"
    assert f"{option}{value} {field.metadata['help']}" in " ".join(capsys.readouterr().out.split())


def test_the_default_is_the_released_recipe():
    assert parse([]) == Recipe()


def test_quick_is_a_smaller_recipe_and_options_override_it():
    assert parse(["--quick"]) == Recipe(**QUICK)
    assert parse(["--quick"]).epochs < Recipe().epochs
    assert parse(["--quick", "--epochs", "2"]) == Recipe(**{**QUICK, "epochs": 2})


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--epoch", "3"], "--epoch"),  # an abbreviation is rejected: a typing error can look like one
        (["--dropout", "0.5"], "--dropout"),
        (["--epochs", "many"], "--epochs: invalid int value: 'many'"),
        (["--epochs", "0"], "Setting 'epochs' has value '0'. It must be more than 0."),
        (["--learning-rate", "nan"], "Setting 'learning_rate' has value 'nan'"),
        (["--width", "0.01"], "Setting 'width' has value '0.01'. It must be 0.1 or more."),
        (["--drawn-images", "-1"], "Setting 'drawn_images' has value '-1'. It must be 0 or more."),
        (["--students", "0"], "Setting 'students' has value '0'. It must be more than 0."),
        (
            ["--drawn-share", "0.9", "--none-share", "0.1"],
            "Setting 'none_share' has value '0.1'. It must be less",
        ),
        (["--stroke-share", "2"], "Setting 'stroke_share' has value '2.0'. It must be from 0 to 1."),
    ],
)
def test_an_unknown_setting_or_a_wrong_value_is_named(arguments, names, capsys):
    with pytest.raises(SystemExit) as raised:
        parse(arguments)
    assert raised.value.code == 2
    assert names in capsys.readouterr().err.splitlines()[-1]

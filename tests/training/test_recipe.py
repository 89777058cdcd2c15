"""Every setting of a run is on the command line, and one that does not fit stops it by name."""

from dataclasses import fields

import pytest

from training.recipe import QUICK, Recipe, parse


@pytest.mark.parametrize("field", fields(Recipe), ids=lambda field: field.name)
def test_every_setting_is_an_option(field):
    kind = type(field.default)
    text = {str: ["elsewhere.pt"], float: ["0.25"], int: ["7"], bool: []}[kind]
    recipe = parse([f"--{field.name.replace('_', '-')}", *text])
    assert getattr(recipe, field.name) == kind(*text or [True])


def test_without_options_it_is_the_released_recipe():
    assert parse([]) == Recipe()


def test_the_quick_recipe_is_a_smaller_one_whose_settings_can_be_changed_too():
    assert parse(["--quick"]) == Recipe(**QUICK)
    assert parse(["--quick"]).epochs < Recipe().epochs
    assert parse(["--quick", "--epochs", "2"]) == Recipe(**{**QUICK, "epochs": 2})


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--epoch", "3"], "--epoch"),  # no abbreviations: a typing error would be one
        (["--dropout", "0.5"], "--dropout"),
        (["--epochs", "many"], "--epochs: invalid int value: 'many'"),
        (["--epochs", "0"], "Setting 'epochs' has value '0'. It must be more than 0."),
        (["--learning-rate", "nan"], "Setting 'learning_rate' has value 'nan'"),
        (["--width", "0.01"], "Setting 'width' has value '0.01'. It must be 0.1 or more."),
        (["--students", "0"], "Setting 'students' has value '0'. It must be more than 0."),
        (
            ["--drawn-share", "0.9", "--none-share", "0.1"],
            "Setting 'none_share' has value '0.1'. It must be less",
        ),
        (["--stroke-share", "2"], "Setting 'stroke_share' has value '2.0'. It must be from 0 to 1."),
    ],
)
def test_a_setting_that_is_unknown_or_does_not_fit_stops_by_name(arguments, names, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 2
    assert names in capsys.readouterr().err.splitlines()[-1]

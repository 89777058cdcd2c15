"""The model card: what a released model is, learned from, can and cannot do.

    Path("MODEL_CARD.md").write_text(card(published))

Takes what `training.publish` writes as JSON. The text holds for every model of this training; numbers are the model's.
"""

import statistics
from collections.abc import Sequence
from typing import Any

from training.measure import DIGIT_SETS, percent, rows
from training.strokes import digits, outliers


def card(published: dict[str, Any]) -> str:
    """The card as Markdown."""
    measured, metrics = published["measured"], published["metrics"]
    settings, libraries = published["settings"], published["libraries"]
    checksums = "\n".join(f"| {name} | `{md5}` |" for name, md5 in published["data_checksums"].items())
    recipe = "\n".join(f"| `{name}` | {value} |" for name, value in settings.items())
    version = published["version"]
    return f"""# Model card: mnist {version}

A convolutional network that names one handwritten digit, says how sure it is, and says so when a drawing is none.
[handler/model.py](../handler/model.py) is the network, [release/](release) holds the weights
({published["bytes"] / 1e6:.2f} MB), the same network for ONNX Runtime, and every number as JSON. This card was
written by `python -m training.publish`; each number comes from the run or was measured by it.

- Input: 28x28 pixels, ink on paper 0, prepared by [handler/preprocessing.py](../handler/preprocessing.py).
  What no output is {published["look_again_below"]:.0%} sure of is looked at twice more, moved by half a pixel
  ([handler/looks.py](../handler/looks.py)).
- Output: {published["parameters"]:,} parameters make eleven logits of them, ten digits and "no digit", by two opinions.
- `confidence`: the softmax of the digits at a temperature of {published["temperature"]:.3f}, so it means what it says.
- `digit_score`: how probable it is that it is not "no digit", the lower of two opinions: the network's own, and that of
  normal distributions of its features ([discriminant.py](discriminant.py)). `is_digit` from
  {published["digit_threshold"]:.3f} on.

## Intended use

One digit, drawn by mouse, finger or pen, or scanned and cut out, of people who are told what was read and can correct
it: a form, a game, a lesson. Not where nobody looks at the answer and a wrong one costs money or more; not for words,
numbers of several digits, or other digits than 0 to 9.

## Numbers

Measured through preprocessing, network, temperature and threshold, as served. Epoch, temperature and threshold were
chosen by {settings["validation_images"]:,} images of MNIST's training set ({metrics["validation_accuracy"]:.2%} read
right) and as many drawings in held-out styles ({metrics["held_out_accuracy"]:.2%}), none of them learned from.

How this run came to be chosen: {published["history"]}

{_numbers(measured, published["seeds"])}

![How often answers of each confidence are right]({_picture(version, "reliability")})

## What it reads wrong

{_worst(measured)}

{_errors(version, measured)}

## Data

MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0): 60,000 digits to train on and to choose by, and
10,000 to test, the original files:

| file | md5 |
|---|---|
{checksums}

[training/strokes/](strokes), of this repository, draws the rest: {settings["drawn_images"]:,} drawings,
{settings["drawn_none"]:.0%} of them no digits, with a brush as the page has it. Their styles are written down by hand,
whole or in parts that go together ({_figures():,} ways to write a digit): {len(digits.styles())} of digits and
{len(outliers.kinds())} kinds of letters, signs, scribbles and more are learned from, {len(digits.HELD_OUT)} styles and
{len(outliers.HELD_OUT)} kinds are held out. `make strokes` shows them all. Letters that look like a digit (O, l, Z, S,
b, q, g) are among the non-digits, as few as in an alphabet: what might be either scores less than a clear digit.

Measured on, and neither learned from nor chosen by: pendigits, by 30 people on a tablet (E. Alpaydin, F. Alimoglu;
UCI Machine Learning Repository 81; CC BY 4.0), and Omniglot, characters of five alphabets (B. Lake; MIT).

## Training

{_training(settings)}

## Limits

- One digit a picture. Two of them are mostly called no digit; what answers then is the better seen of them.
- {_called_digit(measured)}
- Every digit it knows is upright: a digit that is turned by more than about 20 degrees may be read as another.
- A person whose way to write a digit is in no style of the generator, and not among MNIST's Americans of the 1990s, is
  read worse than these numbers say.

## Reproduce

`make train ARGS="--students 3"`, for three seeds of the last {settings["last_epochs"]} epochs, then
`python -m training.publish`. Released is the one to which the labels of MNIST's validation split and of the held-out
styles are likeliest, here that of seed {published["seed"]}. The run took {metrics["minutes"]:.0f} minutes on two cores.
The same seed gives the same model on the same kind of processor with as many threads; elsewhere expect others, a tenth
of a point apart.

Code `{published["git_revision"]}`, Python {libraries["python"]}, torch {libraries["torch"]}, torchvision
{libraries["torchvision"]}, numpy {libraries["numpy"]}.

| setting | value |
|---|---|
{recipe}
"""


def _figures() -> int:
    return sum(len(style.figures) for style in digits.styles())


def _numbers(measured: dict[str, Any], seeds: Sequence[dict[str, float | None]]) -> str:
    if len(seeds) == 1:
        return "\n".join(
            [
                "| | released, of one seed |",
                "|---|---|",
                *(f"| {name} | {text} |" for name, text in rows(measured)),
            ]
        )
    lines = [f"| | released | {len(seeds)} seeds: mean ± standard deviation |", "|---|---|---|"]
    lines += [
        f"| {name} | {text} | {_spread([seed[name] for seed in seeds])} |" for name, text in rows(measured)
    ]
    return "\n".join(lines)


def _spread(values: Sequence[float | None]) -> str:
    shares = [value for value in values if value is not None]
    if len(shares) < len(values):
        return percent(None)
    return f"{statistics.mean(shares):.2%} ± {statistics.stdev(shares):.2%}"


def _worst(measured: dict[str, Any]) -> str:
    sentences = []
    for title, key in DIGIT_SETS.items():
        if measured[key]:
            accuracy, confusion = measured[key]["accuracy_by_digit"], measured[key]["confusion"]
            digit = min(range(10), key=lambda index: accuracy[index])
            others = [0 if index == digit else count for index, count in enumerate(confusion[digit])]
            sentences.append(
                f"Of {title} the {digit} is read worst, {accuracy[digit]:.1%} right, and most often taken for a "
                f"{others.index(max(others))}."
            )
    return " ".join(sentences) + " Its errors, the surest first:"


def _errors(version: str, measured: dict[str, Any]) -> str:
    slugs = {"MNIST test set": "errors-mnist-test", "pendigits": "errors-pendigits"}
    return "\n\n".join(
        f"![Errors of {title}]({_picture(version, slugs[title])})"
        for title, key in DIGIT_SETS.items()
        if measured[key]
    )


def _picture(version: str, name: str) -> str:
    return f"release/mnist-{version}-{name}.png"


def _training(settings: dict[str, Any]) -> str:
    text = ""
    if settings["teachers"]:
        text = (
            f"{settings['teachers']} networks of {settings['teacher_width']:g} times the width learn for "
            f"{settings['teacher_epochs']} epochs, and the released one, for {settings['epochs']}, from their mean "
            f"opinion ({settings['teachers_share']:.0%} of the loss) beside the labels. "
        )
    return text + (
        f"Of each batch {settings['drawn_share']:.0%} are drawn digits and {settings['none_share']:.0%} are none, in "
        f"the last {settings['last_epochs']} epochs {settings['last_drawn_share']:.0%} and "
        f"{settings['last_none_share']:.0%}; the rest is MNIST. All are turned, sheared, scaled and moved a little, "
        "and their strokes thickened and thinned ([augmentation.py](augmentation.py), [mix.py](mix.py), "
        "[fit.py](fit.py)). What is kept is the moving average of the weights, of the last epochs "
        f"{settings['last_way_share']:.0%} of the way to it."
    )


def _called_digit(measured: dict[str, Any]) -> str:
    others = measured["omniglot"]
    share = f"{others['called_digit']:.0%} of Omniglot's characters are" if others else "some characters are"
    return (
        f"Whether a sign is a digit is a question of degree: {share} called one, many of which look like it."
    )

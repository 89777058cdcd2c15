"""Write the model card of a release.

    Path("MODEL_CARD.md").write_text(card(published))

The input is the JSON of `training.publish`. The text is the same for every release; the numbers are the release's.
"""

import statistics
from collections.abc import Sequence
from typing import Any, TypedDict

from training.evaluate.measure import DIGIT_SETS, Measured, percent, rows
from training.photos.measure import PICTURES_OF_EACH_KIND, SURE, Row, mean
from training.strokes import digits, outliers


class Published(TypedDict):
    """The JSON of a release: what publishing measured, then everything in the checkpoint except the weights."""

    version: str
    history: str
    parameters: int
    bytes: int
    int8_bytes: int
    measured: Measured  # int8
    photos: list[dict[str, Any]] | None  # fields of a Row for each kind; None where they were not measured
    seeds: list[dict[str, float | None]]  # metrics of each student in float32; the first is released
    temperature: float
    digit_threshold: float
    look_again_below: float
    settings: dict[str, Any]  # of the recipe
    metrics: dict[str, Any]
    seed: int
    git_revision: str
    libraries: dict[str, str]
    data_checksums: dict[str, str]


def card(published: Published) -> str:
    """The card as Markdown."""
    measured, metrics = published["measured"], published["metrics"]
    settings, libraries = published["settings"], published["libraries"]
    checksums = "\n".join(f"| {name} | `{md5}` |" for name, md5 in published["data_checksums"].items())
    recipe = "\n".join(f"| `{name}` | {value} |" for name, value in settings.items())
    version, others = published["version"], measured["omniglot"]
    figures = sum(len(style.figures) for style in digits.styles())
    accepted = (
        f"{others['called_digit']:.0%} of Omniglot's characters are" if others else "some characters are"
    )
    return f"""# Model card: mnist {version}

A convolutional network that reads one handwritten digit. It also gives a calibrated confidence, and a score that tells
digits from other drawings. [handler/model.py](../handler/model.py) is the network. [release/](release) holds the
weights ({published["bytes"] / 1e6:.2f} MB), the same network as ONNX in float32 and quantized to int8
({published["int8_bytes"] / 1e6:.2f} MB), and every number as JSON. `python -m training.publish` wrote this card; it
measured each number or read it from the training run.

- Input: 28x28 pixels, ink 255 on paper 0, prepared by [handler/preprocessing.py](../handler/preprocessing.py).
- Test-time augmentation: if no output reaches a probability of {published["look_again_below"]:.0%}, the answer is the
  mean of three passes, two of them shifted by half a pixel ([handler/tta.py](../handler/tta.py)).
- Output: eleven logits, ten digits and "no digit". The model has {published["parameters"]:,} parameters.
- `confidence`: the softmax over the digits at a temperature of {published["temperature"]:.3f} (temperature scaling).
- `digit_score`: the probability that the image is a digit, calibrated (Platt scaling). `is_digit` is true if it
  is at least {published["digit_threshold"]:.3f}.

## Intended use

Use it for one digit that is drawn with a mouse, a finger or a pen, or scanned and cropped, where a person sees the
answer and can correct it: a form, a game, a lesson. Do not use it where nobody checks the answer and an error is
expensive. It does not read words, numbers of several digits, or digits of other scripts.

## Numbers

All numbers are measured as served, with preprocessing, temperature and threshold, and from both ONNX files. A worker
serves the one that is faster on its processor, mostly int8 ([quantize.py](train/quantize.py)). Temperature and
threshold were selected in float32, on {_selected_on(settings, metrics)}. The model did not learn from these.

How this run was selected: {published["history"]}

{_numbers(measured, published["seeds"])}

![Accuracy by confidence]({_picture(version, "reliability")})

{_photos(published["photos"])}## Errors

{_worst(measured)}

{_errors(version, measured)}

## Data

MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0): 60,000 digits for training and validation, and
10,000 for the test. The original files:

| file | MD5, of pen strokes SHA-256 |
|---|---|
{checksums}

The generator in [training/strokes/](strokes) draws the other {settings["drawn_images"]:,} images, with the brush of the
page; {settings["drawn_none"]:.0%} of them are not digits. Its styles are defined by hand, whole or in parts.
For training it uses {len(digits.styles())} digit styles in {figures:,} variants, and {len(outliers.kinds())} kinds
of letters, signs and scribbles; {len(digits.HELD_OUT)} styles and {len(outliers.HELD_OUT)} kinds are held out.
`make strokes` shows all of them. Letters that look like a digit (O, l, Z, S, b, q, g) are among the non-digits,
at the frequency of an alphabet. So a drawing that can be either gets a lower score than a clear digit.
{_people(settings)}
For measurement only: pendigits, by six people on a tablet whom no model learns from (E. Alpaydin, F. Alimoglu; UCI
Machine Learning Repository 81; CC BY 4.0), and Omniglot, characters of five alphabets (B. Lake; MIT).

## Training

Of each batch, {settings["drawn_share"]:.0%} are drawn digits and {settings["none_share"]:.0%} are drawings that are
no digits; the others are from MNIST ([mix.py](train/mix.py)). All are rotated, sheared, scaled and shifted, and their
strokes made thicker or thinner ([augmentation.py](train/augmentation.py)). The saved weights are a moving average
([fit.py](train/fit.py)).

## Limits

- One digit per image. Two digits are mostly rejected as "no digit"; the answer is then one of the two.
- Some signs look like digits: {accepted} accepted as a digit.
- Digits must be upright. A digit that is rotated by more than about 20 degrees may be read as another.
- MNIST's writers are Americans of the 1990s. For a writing style that is neither in MNIST nor in the generator,
  accuracy is lower than these numbers.

## Reproduce

At the commit below, run `make train ARGS="--students 3"`, which trains three seeds, then `python -m training.publish`.
The released seed, {published["seed"]}, has the lowest loss on the drawings that selected. The run took
{metrics["minutes"]:.0f} minutes on two cores. The same seed gives the same model on the same kind of processor with the
same number of threads. Elsewhere, expect a difference of about 0.1 percentage points.

Code `{published["git_revision"]}`, Python {libraries["python"]}, torch {libraries["torch"]}, torchvision
{libraries["torchvision"]}, numpy {libraries["numpy"]}.

| setting | value |
|---|---|
{recipe}
"""


def _people(settings: dict[str, Any]) -> str:
    if settings["without_real_drawings"]:
        return ""
    return f"""
Pen strokes by people, each rendered {settings["renderings"]} times ([people.py](strokes/people.py)):
pendigits, digits by 20 people on a tablet (E. Alpaydin, F. Alimoglu; UCI Machine Learning Repository 81; CC BY 4.0);
UJI Pen Characters, digits and letters by 9 people (F. Prat, M. J. Castro, D. Llorens, A. Marzal, J. M. Vilar; UCI 160;
CC BY 4.0); Omniglot, signs of the small background set 2 (B. Lake; MIT). Letters and signs are non-digits. Four, two
and four writers more, and an alphabet, choose epoch, temperature and threshold.
"""


def _numbers(measured: Measured, seeds: Sequence[dict[str, float | None]]) -> str:
    """Table of metrics in int8 and float32 and, for several seeds, mean and standard deviation in float32."""
    several = len(seeds) > 1
    spread = f" {len(seeds)} seeds, float32: mean ± standard deviation |" * several
    lines = [f"| | int8 | float32 |{spread}", f"|---|---|---|{'---|' * several}"]
    for name, text in rows(measured):
        spread = f" {_spread([seed.get(name) for seed in seeds])} |" * several
        lines.append(f"| {name} | {text} | {percent(seeds[0][name])} |{spread}")
    return "\n".join(lines)


def _photos(kinds: Sequence[dict[str, Any]] | None) -> str:
    """The section on photos; "" where they were not measured."""
    if not kinds:
        return ""
    rows = [Row(**kind) for kind in kinds]
    lines = "\n".join(
        f"| {row.kind} | {row.right:.0%} | {row.refused:.0%} | {row.sure_wrong:.0%} |" for row in rows
    )
    all_kinds = mean(rows)
    return f"""## Photos, scans and screenshots

{PICTURES_OF_EACH_KIND} generated pictures of each kind ([photos/](photos)), with digits by the reporting writers.
Mean over {len(rows)} kinds: {all_kinds.right:.1%} right, {all_kinds.sure_wrong:.2%} wrong at a confidence of
{SURE:.0%} or more. Where no clear digit is in the picture, "no digit" is right.

| kind | right | no digit | sure, wrong |
|---|---|---|---|
{lines}

"""


def _spread(values: Sequence[float | None]) -> str:
    shares = [value for value in values if value is not None]
    if len(shares) < len(values):
        return percent(None)
    return f"{statistics.mean(shares):.2%} ± {statistics.stdev(shares):.2%}"


def _worst(measured: Measured) -> str:
    sentences = []
    for title, key in DIGIT_SETS.items():
        if (of := measured[key]) and key != "held_out_writers":
            accuracy = of["accuracy_by_digit"]
            digit = accuracy.index(min(accuracy))
            others = [0 if index == digit else count for index, count in enumerate(of["confusion"][digit])]
            sentences.append(
                f"In {title}, the {digit} has the lowest accuracy, {accuracy[digit]:.1%}; most often it is read as a "
                f"{others.index(max(others))}."
            )
    return " ".join(sentences) + " The errors, by descending confidence:"


def _errors(version: str, measured: Measured) -> str:
    pictures = {"MNIST test set": "errors-mnist-test"}
    if measured["pendigits_reporting"]:
        pictures["pendigits, reporting writers"] = "errors-pendigits"
    return "\n\n".join(f"![Errors of {title}]({_picture(version, name)})" for title, name in pictures.items())


def _picture(version: str, name: str) -> str:
    return f"release/mnist-{version}-{name}.png"


def _selected_on(settings: dict[str, Any], metrics: dict[str, Any]) -> str:
    sets = {
        f"{settings['validation_images']:,} images of MNIST's training set": "validation_accuracy",
        "as many drawings in held-out styles": "held_out_accuracy",
        "drawings by held-out people": "people_accuracy",
    }
    return ", ".join(
        f"{title} (accuracy {metrics[name]:.2%})" for title, name in sets.items() if name in metrics
    )

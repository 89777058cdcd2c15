"""Write the model card of a release.

    Path("MODEL_CARD.md").write_text(card(published))

The input is the JSON of `training.publish`. The text is card.md, the same for every release; the numbers are the
release's.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.evaluate.measure import DIGIT_SETS, Measured, percent, rows
from training.photos.measure import PICTURES_OF_EACH_KIND, SURE, Row, mean
from training.strokes import digits, outliers
from training.train.checkpoint import Description


class Published(Description):
    """The JSON of a release: what publishing measured, and the description of the checkpoint."""

    version: str
    history: str
    parameters: int
    bytes: int
    int8_bytes: int
    measured: Measured  # int8
    photos: list[dict[str, Any]] | None  # fields of a Row for each kind; None where they were not measured
    seeds: list[dict[str, float | None]]  # metrics of each student in float32; the first is released


def card(published: Published) -> str:
    """The card as Markdown."""
    texts = Environment(  # noqa: S701  Markdown, not HTML
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    texts.filters |= {"number": format, "percent": percent, "spread": _spread}
    kinds = [Row(**kind) for kind in published["photos"] or []]
    return texts.get_template("card.md").render(
        **published,
        rows=rows(published["measured"]),
        picture=f"release/mnist-{published['version']}",
        pictures_of_each_kind=PICTURES_OF_EACH_KIND,
        kinds=kinds,
        mean=mean(kinds) if kinds else None,
        sure=SURE,
        worst=_worst(published["measured"]),
        digits=digits,
        outliers=outliers,
        figures=sum(len(style.figures) for style in digits.styles()),
    )


def _spread(seeds: Sequence[dict[str, float | None]], name: str) -> str:
    """Mean and standard deviation of a metric over several seeds."""
    shares = [share for seed in seeds if (share := seed.get(name)) is not None]
    if len(shares) < len(seeds):
        return percent(None)
    return f"{statistics.mean(shares):.2%} ± {statistics.stdev(shares):.2%}"


def _worst(measured: Measured) -> str:
    """The digit with the lowest accuracy in each set of digits, except held-out writers."""
    sentences = []
    for title, key in DIGIT_SETS.items():
        if (metrics := measured[key]) and key != "held_out_writers":
            accuracy = metrics["accuracy_by_digit"]
            digit = accuracy.index(min(accuracy))
            errors = np.array(metrics["confusion"][digit])
            errors[digit] = 0
            sentences.append(
                f"In {title}, the {digit} has the lowest accuracy, {accuracy[digit]:.1%}; most often it is read as a "
                f"{errors.argmax()}."
            )
    return " ".join(sentences)

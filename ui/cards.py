"""The drawings of History as cards, and the details of the chosen card."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from uuid import UUID

import streamlit as st

from ui import pictures
from ui.digits import NAMES
from ui.percentage import percentage
from ui.record import Record

_cards = st.components.v2.component(
    "cards",
    html='<div class="cards" role="listbox" aria-label="Drawings, the newest first"></div>',
    js=Path(__file__).with_name("cards.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Card:
    """A row without its picture, and a thumbnail as a data URI, None for an unreadable picture."""

    row: Record
    thumbnail: str | None

    @classmethod
    def of(cls, row: Record) -> "Card":
        return cls(replace(row, drawing=b""), pictures.make_thumbnail(row.drawing))


def show_cards(shown: Sequence[Card], chosen: UUID | None, zone: tzinfo) -> UUID | None:
    """Show the cards; returns the drawing whose card was clicked before this run, if any."""
    data = {"cards": [card_html(card, zone) for card in shown], "chosen": str(chosen) if chosen else None}
    clicked = _cards(key="cards", data=data, on_chosen_change=lambda: None).get("chosen")
    # A browser's value is not trusted: it must be one of the cards.
    return next((card.row.id for card in shown if str(card.row.id) == clicked), None)


def card_html(card: Card, zone: tzinfo) -> str:
    """A card: thumbnail, prediction, confidence, label, version, time."""
    row = card.row
    label = "not labelled" if row.true_label is None else f"labelled {NAMES[row.true_label]}"
    name = (
        f"Prediction {NAMES[row.prediction]}, confidence {percentage(row.confidence)}, {label}, "
        f"model {row.model_version}, {short_time(row.created_at, zone)}"
    )
    return (
        f'<button type="button" class="card" role="option" data-id="{row.id}" tabindex="-1" '
        f'aria-label="{html.escape(name)}" title="{row.created_at.astimezone(zone):%Y-%m-%d %H:%M:%S}">'
        f"{_picture(card)}"
        f'<span class="facts"><span><b>{NAMES[row.prediction]}</b> {percentage(row.confidence)}</span>{_mark(row)}'
        f'<span class="when">{html.escape(row.model_version)} · {short_time(row.created_at, zone)}</span></span>'
        "</button>"
    )


def detail_html(card: Card, zone: tzinfo) -> str:
    """The details of a drawing: larger picture, prediction and all stored facts."""
    row = card.row
    probability, digit = max(
        (p, digit) for digit, p in enumerate(row.probabilities) if digit != row.prediction
    )
    return (
        f'<div class="detail">{_picture(card)}<div><div class="read">{NAMES[row.prediction]}</div>'
        f'<div class="sure">{percentage(row.confidence)}</div></div></div>'
        f'<div class="small">Second most probable: {NAMES[digit]}, {percentage(probability)}. '
        f"{'' if row.is_digit else 'Not recognised as a digit. '}"
        f"Model {html.escape(row.model_version)}, {row.latency_ms:.0f} ms.<br>"
        f"{row.created_at.astimezone(zone):%d %b %Y, %H:%M:%S}</div>"
    )


def short_time(time: datetime, zone: tzinfo) -> str:
    """The time today, without the year this year, or the date."""
    there, now = time.astimezone(zone), datetime.now(zone)
    if there.date() == now.date():
        return f"{there:%H:%M}"
    return f"{there:%d %b %H:%M}" if there.year == now.year else f"{there:%d %b %Y}"


def _picture(card: Card) -> str:
    if card.thumbnail is None:
        return '<span class="thumbnail"></span>'
    return f'<img class="thumbnail" src="{card.thumbnail}" alt="" decoding="sync">'


def _mark(row: Record) -> str:
    if row.true_label is None:
        return f'<span class="mark">{"not labelled" if row.is_digit else "not a digit?"}</span>'
    if row.true_label == row.prediction:
        return '<span class="mark right">✓ right</span>'
    return f'<span class="mark wrong">✗ is a {NAMES[row.true_label]}</span>'

"""The answer: digit, confidence, a bar for each digit, what the model saw and why, and "Right?".

Everything has its place before there is an answer, so nothing moves when one arrives.
"""

import html
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import pictures
from ui.canvas import theme
from ui.drawing import Drawing
from ui.model_client import Explanation, ModelError
from ui.percentage import percentage
from ui.session import DATABASE_AWAY, Session

NONE_YET = "\N{EN DASH}"
DIGITS = range(10)
# An empty square, where a picture of the model's input will be.
NO_PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'/%3E"
# How often a drawing that could not be read is tried again by itself.
RETRY_INTERVAL_S = 3.0


@dataclass(frozen=True)
class Places:
    """Where each part of the answer is shown: there before the answer, which then reaches the browser in one piece.

    A container among the texts would part them, and each part costs the browser 35 ms.
    """

    digit: DeltaGenerator
    confidence: DeltaGenerator
    small_print: DeltaGenerator
    saw: DeltaGenerator
    remark: DeltaGenerator
    notice: DeltaGenerator
    label: DeltaGenerator
    bars: DeltaGenerator
    why: DeltaGenerator


def lay_out() -> Places:
    """Make the places, in the order in which they stand."""
    with st.container(key="verdict"):
        digit = st.container(key="answer")
        with st.container(key="certainty"):
            confidence, small_print = st.container(key="confidence"), st.container(key="small-print")
        saw = st.container(key="saw")
        remark = st.container(key="remark", horizontal=True, vertical_alignment="center")
    return Places(
        digit=digit,
        confidence=confidence,
        small_print=small_print,
        saw=saw,
        remark=remark,
        notice=remark.container(key="notice"),
        label=st.container(key="label"),
        bars=st.container(key="bars"),
        why=st.container(key="reasons"),
    )


def answer(session: Session, places: Places) -> None:
    """Show the answer to the drawing at hand, and the sentence when something is away or it is no digit."""
    drawing = session.drawing
    # All are made before the first is sent: between two that come apart the browser draws, which takes it 10 to 30 ms.
    parts = [
        (places.digit, _digit(drawing)),
        (places.confidence, _confidence(drawing)),
        (places.small_print, f'<div class="small">{_small_print(drawing)}</div>'),
        (places.saw, _figure(_saw(drawing), "Model input")),
        (places.bars, _bars(drawing)),
        (places.notice, f"<div>{html.escape(_notice(session))}</div>"),
    ]
    for place, part in parts:
        place.html(part)
    if session.can_retry:
        with places.remark:
            st.button("Try again", key="retry", on_click=session.retry, width="content")
            _retry_by_itself(session)


def label(session: Session) -> None:
    """ "Right?" with yes or one of the ten digits, in one click, which pad.js sends."""
    drawing = session.drawing
    unanswered = drawing.answer is None
    with st.container(key="question", horizontal=True, vertical_alignment="center"):
        st.html(f"<div>{_question(drawing)}</div>", width="content")
        st.button("Yes", key="yes", icon=":material/check:", disabled=unanswered or drawing.closed)
    with st.container(key="digits", horizontal=True):
        for digit in DIGITS:
            st.button(
                str(digit),
                key=f"label-{digit}",
                type="primary" if drawing.true_label == digit else "secondary",
                disabled=unanswered,
            )


def why(session: Session) -> None:
    """On demand: what spoke for and against the digit, and what tells it from the runner-up."""
    if not st.toggle("Why?", key="why"):
        session.forget_explanation()
        return
    with st.container(key="explanation"):
        try:
            st.html(_explanation(session.drawing, session.explain()))
        except ModelError as error:
            st.html(f"<div>{html.escape(str(error))}</div>")


@st.fragment(run_every=RETRY_INTERVAL_S)
def _retry_by_itself(session: Session) -> None:
    """Nothing to see: reads the drawing as soon as what was away is back, and then shows the answer."""
    session.retry_when_due()
    if not session.can_retry:
        st.rerun()


def _notice(session: Session) -> str:
    if session.notice or session.drawing.answer is None:
        return session.notice
    return DATABASE_AWAY if session.database_is_away else ""


def _digit(drawing: Drawing) -> str:
    return _none_yet() if drawing.answer is None else f"<div>{drawing.answer.digit}</div>"


def _confidence(drawing: Drawing) -> str:
    return _none_yet() if drawing.answer is None else f"<div>{percentage(drawing.answer.confidence)}</div>"


def _none_yet() -> str:
    return f'<div class="none">{NONE_YET}</div>'


def _small_print(drawing: Drawing) -> str:
    if drawing.answer is None:
        return "Draw one digit,<br>large, in the middle."
    sure = "confidence" if drawing.answer.is_digit else "if it is a digit"
    version = html.escape(drawing.answer.model_version)
    return f"{sure}<br>model {version}, {drawing.answer.latency_ms:.0f} ms"


def _question(drawing: Drawing) -> str:
    if drawing.closed:
        return f"Noted: a {drawing.true_label}. Thank you!"
    return "Right? If not, which digit is it?"


def _saw(drawing: Drawing) -> str:
    return NO_PICTURE if drawing.answer is None else pictures.seen_by_model(drawing.answer.input, theme())


def _bars(drawing: Drawing) -> str:
    probabilities = [0.0] * 10 if drawing.answer is None else drawing.answer.probabilities
    first = None if drawing.answer is None else drawing.answer.digit
    rows = "".join(
        f'<div role="listitem" class="bar{" first" * (digit == first)}"><span class="name">{digit}</span>'
        f'<span class="track"><span class="fill" style="width: {probability:.1%}"></span></span>'
        f'<span class="value">{NONE_YET if first is None else percentage(probability)}</span></div>'
        for digit, probability in zip(DIGITS, probabilities, strict=True)
    )
    return f'<div class="bars" role="list" aria-label="Probability of each digit">{rows}</div>'


def _explanation(drawing: Drawing, explanation: Explanation | None) -> str:
    if explanation is None or drawing.answer is None:
        return "<div>Draw a digit first.</div>"
    digit, runner_up = explanation.digit, explanation.runner_up
    seen = drawing.answer.input
    return (
        '<div class="pictures">'
        + _figure(pictures.heat_map(seen, explanation.heatmap, theme()), f"Evidence for {digit}")
        + _figure(
            pictures.heat_map(seen, explanation.contrast, theme()),
            f"Evidence for {digit} rather than {runner_up}",
        )
        + "</div>"
        f'<div class="small"><span class="for">Blue</span>: evidence for {digit}. '
        f'<span class="against">Orange</span>: evidence against it. '
        f"Right picture: {digit} compared with {runner_up}, the second most probable digit.</div>"
    )


def _figure(source: str, caption: str) -> str:
    # Decoded at once: otherwise the place is empty for a moment when one picture follows another.
    return (
        f'<figure><img src="{source}" alt="{caption}" decoding="sync">'
        f"<figcaption>{caption}</figcaption></figure>"
    )

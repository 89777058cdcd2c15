"""The answer panel: digit, confidence, a bar for each digit, the model's input, the explanation, and "Right?".

Every part has its place before the first answer, so an answer moves nothing.
"""

import html
from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import pictures
from ui.canvas import theme
from ui.digits import DIGITS, NAMES
from ui.drawing import Drawing
from ui.model_client import Explanation, ModelError
from ui.percentage import percentage
from ui.session import DATABASE_UNAVAILABLE, Session

NO_VALUE = "\N{EN DASH}"
# An empty square in place of the model's input.
NO_PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'/%3E"
# Between automatic retries of a drawing.
RETRY_INTERVAL_S = 3.0

# A container for each part of the panel, by its key.
Panel = Mapping[str, DeltaGenerator]


def lay_out() -> Panel:
    """Make the panel's containers in their visual order; `show` and others fill them.

    The HTML parts need containers of their own: a container between two HTML elements costs the browser 35 ms.
    """
    panel: dict[str, DeltaGenerator] = {}

    def add(*keys: str) -> None:
        panel.update({key: st.container(key=key) for key in keys})

    with st.container(key="verdict"):
        add("answer")
        with st.container(key="certainty"):
            add("confidence", "small-print")
        add("saw")
        panel["remark"] = st.container(key="remark", horizontal=True, vertical_alignment="center")
        with panel["remark"]:
            add("notice")
    add("label", "bars", "reasons")
    return panel


def show_answer(session: Session, panel: Panel) -> None:
    """Show the answer to the current drawing, and a notice if it shows no digit or a service is unavailable."""
    drawing, answer, notice = session.drawing, session.drawing.answer, session.notice
    if not notice and answer is not None and session.is_database_late:
        notice = DATABASE_UNAVAILABLE
    # All parts exist before the first is sent. The browser paints between parts that arrive apart: 10 to 30 ms each.
    parts = {
        "answer": _large(NAMES[answer.digit] if answer else None),
        "confidence": _large(percentage(answer.confidence) if answer else None),
        "small-print": f'<div class="small">{_small_print(drawing)}</div>',
        "saw": _figure(_model_input(drawing), "Model input"),
        "bars": _bars(drawing),
        "notice": f"<div>{html.escape(notice)}</div>",
    }
    for key, part in parts.items():
        panel[key].html(part)
    if session.can_retry:
        with panel["remark"]:
            st.button("Try again", key="retry", on_click=session.retry, width="content")
            _retry_automatically(session)


def show_labels(session: Session) -> None:
    """Show "Right?" with Yes and ten digits. pad.js sends a click on them as a label."""
    drawing = session.drawing
    unanswered = drawing.answer is None
    question = (
        "Right? If not, which digit is it?"
        if drawing.true_label is None
        else f"Noted: a {NAMES[drawing.true_label]}. Thank you!"
    )
    with st.container(key="question", horizontal=True, vertical_alignment="center"):
        st.html(f"<div>{question}</div>", width="content")
        st.button("Yes", key="yes", icon=":material/check:", disabled=unanswered or drawing.closed)
    with st.container(key="digits", horizontal=True):
        for digit in DIGITS:
            kind = "primary" if drawing.true_label == digit else "secondary"
            st.button(NAMES[digit], key=f"label-{digit}", type=kind, disabled=unanswered)


def show_explanation(session: Session) -> None:
    """Show "Why?"; when it is on, evidence for and against the digit, and compared with the runner-up."""
    if not st.toggle("Why?", key="why"):
        session.forget_explanation()
        return
    with st.container(key="explanation"):
        try:
            st.html(_explanation(session.drawing, session.explain()))
        except ModelError as error:
            st.html(f"<div>{html.escape(str(error))}</div>")


@st.fragment(run_every=RETRY_INTERVAL_S)
def _retry_automatically(session: Session) -> None:
    """Retry without a click, and show the answer."""
    session.retry_after_pause()
    if not session.can_retry:
        st.rerun()


def _large(value: str | None) -> str:
    return f'<div class="none">{NO_VALUE}</div>' if value is None else f"<div>{value}</div>"


def _small_print(drawing: Drawing) -> str:
    if drawing.answer is None:
        return "Draw one digit,<br>large, in the middle."
    name = "confidence" if drawing.answer.is_digit else "if it is a digit"
    return f"{name}<br>model {html.escape(drawing.answer.model_version)}, {drawing.answer.latency_ms:.0f} ms"


def _model_input(drawing: Drawing) -> str:
    return NO_PICTURE if drawing.answer is None else pictures.draw_input(drawing.answer.input, theme())


def _bars(drawing: Drawing) -> str:
    probabilities = [0.0] * len(DIGITS) if drawing.answer is None else drawing.answer.probabilities
    first = None if drawing.answer is None else drawing.answer.digit
    rows = "".join(
        f'<div role="listitem" class="bar{" first" * (digit == first)}"><span class="name">{NAMES[digit]}</span>'
        f'<span class="track"><span class="fill" style="width: {probability:.1%}"></span></span>'
        f'<span class="value">{NO_VALUE if first is None else percentage(probability)}</span></div>'
        for digit, probability in zip(DIGITS, probabilities, strict=True)
    )
    return f'<div class="bars" role="list" aria-label="Probability of each digit">{rows}</div>'


def _explanation(drawing: Drawing, explanation: Explanation | None) -> str:
    if explanation is None or drawing.answer is None:
        return "<div>Draw a digit first.</div>"
    digit, runner_up = NAMES[explanation.digit], NAMES[explanation.runner_up]
    ink = drawing.answer.input
    evidence = pictures.draw_heat_map(ink, explanation.heatmap, theme())
    contrast = pictures.draw_heat_map(ink, explanation.contrast, theme())
    return (
        f'<div class="pictures">{_figure(evidence, f"Evidence for {digit}")}'
        f"{_figure(contrast, f'Evidence for {digit} rather than {runner_up}')}</div>"
        f'<div class="small"><span class="for">Blue</span>: evidence for {digit}. '
        f'<span class="against">Orange</span>: evidence against it. '
        f"Right picture: {digit} compared with {runner_up}, the second most probable digit.</div>"
    )


def _figure(source: str, caption: str) -> str:
    # Synchronous decoding: otherwise the place is empty for a moment between two pictures.
    return (
        f'<figure><img src="{source}" alt="{caption}" decoding="sync">'
        f"<figcaption>{caption}</figcaption></figure>"
    )

"""The answer: digit, confidence, a bar for each digit, what the model saw and why, and "Right?".

Everything has its place before there is an answer, so nothing moves when one arrives.
"""

import html

import streamlit as st

from ui import pictures
from ui.canvas import theme
from ui.drawing import Drawing
from ui.session import Session

NONE_YET = "\N{EN DASH}"
DIGITS = range(10)
# A grey square, where a picture of the model's input will be.
NO_PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'/%3E"


def answer(session: Session) -> None:
    """Show the answer to the drawing at hand."""
    drawing = session.drawing
    with st.container(key="verdict", horizontal=True, vertical_alignment="center"):
        with st.container(key="answer", width="content"):
            st.html(f'<div role="status" aria-label="The digit">{_digit(drawing)}</div>')
        with st.container(key="certainty", width="content"):
            with st.container(key="confidence"):
                st.html(_confidence(drawing))
            st.html(f'<div class="small">{_small_print(drawing)}</div>')
        with st.container(key="saw", width="content"):
            st.html(_figure(_saw(drawing), "What the model saw"))
    _notice(session)
    with st.container(key="bars"):
        st.html(_bars(drawing))


def label(session: Session) -> None:
    """ "Right?" with yes or one of the ten digits, in one click."""
    drawing = session.drawing
    unanswered = drawing.answer is None
    with st.container(key="label"):
        with st.container(key="question", horizontal=True, vertical_alignment="center"):
            st.html(f"<div>{_question(drawing)}</div>", width="content")
            st.button(
                "Yes",
                key="yes",
                icon=":material/check:",
                disabled=unanswered or drawing.closed,
                on_click=session.label,
                args=(drawing.answer.digit if drawing.answer else 0,),
            )
        with st.container(key="digits", horizontal=True):
            for digit in DIGITS:
                st.button(
                    str(digit),
                    key=f"label-{digit}",
                    help=None,
                    type="primary" if drawing.true_label == digit else "secondary",
                    disabled=unanswered,
                    on_click=session.label,
                    args=(digit,),
                )


def _notice(session: Session) -> None:
    """The sentence when something is away or the drawing is no digit; its room is kept when there is none."""
    with st.container(key="remark", horizontal=True, vertical_alignment="center"):
        with st.container(key="notice"):
            st.html(f'<div role="status">{html.escape(session.notice)}</div>')
        if session.can_retry:
            st.button("Try again", key="retry", on_click=session.retry, width="content")


def why(session: Session) -> None:
    """On demand: what spoke for and against the digit, and what tells it from the runner-up."""
    if not st.toggle("Why?", key="why"):
        return
    with st.container(key="explanation"):
        explanation = session.explain()
        answered = session.drawing.answer
        if explanation is None or answered is None:
            st.html('<div class="small">Draw a digit first.</div>')
            return
        st.html(
            '<div class="pictures">'
            + _figure(
                pictures.heat_map(answered.input, explanation.heatmap, theme()), f"For a {explanation.digit}"
            )
            + _figure(
                pictures.heat_map(answered.input, explanation.contrast, theme()),
                f"{explanation.digit} rather than {explanation.runner_up}",
            )
            + "</div>"
            f'<div class="small"><span class="for">Blue</span> speaks for a {explanation.digit}, '
            f'<span class="against">orange</span> against it. The second guess is {explanation.runner_up}.</div>'
        )


def _digit(drawing: Drawing) -> str:
    return NONE_YET if drawing.answer is None else str(drawing.answer.digit)


def _confidence(drawing: Drawing) -> str:
    return NONE_YET if drawing.answer is None else f"{drawing.answer.confidence:.1%}"


def _small_print(drawing: Drawing) -> str:
    if drawing.answer is None:
        return "Draw a digit"
    version = html.escape(drawing.answer.model_version)
    return f"sure<br>model {version}<br>{drawing.answer.latency_ms:.0f} ms"


def _question(drawing: Drawing) -> str:
    if drawing.closed:
        return f"Noted: a {drawing.true_label}. Thank you!"
    return "Right? Or which digit is it?"


def _saw(drawing: Drawing) -> str:
    return NO_PICTURE if drawing.answer is None else pictures.seen_by_model(drawing.answer.input, theme())


def _bars(drawing: Drawing) -> str:
    probabilities = [0.0] * 10 if drawing.answer is None else drawing.answer.probabilities
    first = None if drawing.answer is None else drawing.answer.digit
    rows = "".join(
        f'<div class="bar{" first" * (digit == first)}"><span class="name">{digit}</span>'
        f'<span class="track"><span class="fill" style="width: {probability:.1%}"></span></span>'
        f'<span class="value">{probability:.1%}</span></div>'
        for digit, probability in zip(DIGITS, probabilities, strict=True)
    )
    return f'<div class="bars" aria-label="Probability of each digit">{rows}</div>'


def _figure(source: str, caption: str) -> str:
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'

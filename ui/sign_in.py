"""Sign-in of operators, if there is a password."""

import streamlit as st

from ui.operator import NEXT_ATTEMPT_S, LoginThrottle, is_local
from ui.rate_limit import network

WRONG = "Wrong password."
TOO_OFTEN = f"Too many attempts from your address. Wait {NEXT_ATTEMPT_S:.0f} seconds, then try again."


def is_operator(throttle: LoginThrottle) -> bool:
    """Whether this visitor is an operator and sees all drawings."""
    if throttle.needs_password:
        return bool(st.session_state.get("operator", False))
    return is_local(_forwarded_for(), st.context.headers.get("Host") or "")


def client_address() -> str:
    """The visitor's network address as the gateway sees it."""
    return network((_forwarded_for() or [""])[0])


def show_sign_in(throttle: LoginThrottle) -> None:
    """Show the form to sign in or the button to sign out; nothing without a password."""
    if not throttle.needs_password:
        return
    if is_operator(throttle):
        st.button("Sign out", key="sign-out", type="tertiary", on_click=_sign_out)
        return
    with (
        st.popover("Operator", key="sign-in", type="tertiary", width="content"),
        st.form("sign-in-form", clear_on_submit=True, border=False),
    ):
        st.text_input("Password", type="password", key="password", autocomplete="current-password")
        st.form_submit_button("Sign in", key="enter", on_click=_sign_in, args=(throttle,))
        if refused := st.session_state.pop("refused", ""):
            st.html(f'<div class="refused" role="alert">{refused}</div>')


def _sign_in(throttle: LoginThrottle) -> None:
    is_right = throttle.check(st.session_state.password, client_address())
    if is_right:
        st.session_state.operator = True
    else:
        st.session_state.refused = TOO_OFTEN if is_right is None else WRONG


def _sign_out() -> None:
    st.session_state.operator = False


def _forwarded_for() -> list[str]:
    return list(st.context.headers.get_all("X-Forwarded-For"))

"""Signing in as an operator, where there is a password."""

import streamlit as st

from ui.operator import NEXT_TRY_S, Door, sits_here
from ui.rate_limit import network

WRONG = "Wrong password."
TOO_OFTEN = f"Too many attempts from your address. Wait {NEXT_TRY_S:.0f} seconds, then try again."


def is_operator(door: Door) -> bool:
    """Whether this visitor sees all drawings."""
    if door.needs_password:
        return bool(st.session_state.get("operator", False))
    return sits_here(_forwarded_for(), st.context.headers.get("Host") or "")


def client_address() -> str:
    """Where the visitor comes from, as the gateway sees it."""
    return network((_forwarded_for() or [""])[0])


def sign_in(door: Door) -> None:
    """Show where to sign in or out; nothing where no password is set."""
    if not door.needs_password:
        return
    if is_operator(door):
        st.button("Sign out", key="sign-out", type="tertiary", on_click=_leave)
        return
    with (
        st.popover("Operator", key="sign-in", type="tertiary", width="content"),
        st.form("sign-in-form", clear_on_submit=True, border=False),
    ):
        st.text_input("Password", type="password", key="password", autocomplete="current-password")
        st.form_submit_button("Sign in", key="enter", on_click=_try, args=(door,))
        if refused := st.session_state.pop("refused", ""):
            st.html(f'<div class="refused" role="alert">{refused}</div>')


def _try(door: Door) -> None:
    opened = door.opens(st.session_state.password, client_address())
    if opened:
        st.session_state.operator = True
    else:
        st.session_state.refused = TOO_OFTEN if opened is None else WRONG


def _leave() -> None:
    st.session_state.operator = False


def _forwarded_for() -> list[str]:
    return list(st.context.headers.get_all("X-Forwarded-For"))

"""History: the newest drawings, to see and to label; for an operator all of them, filtered and as files.

A page in view stays as it is, whatever is drawn meanwhile: it is loaded when it is opened, when a filter changes and
when someone turns to another page.
"""

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

import streamlit as st

from ui import export, history
from ui.cards import Card, cards, detail_html
from ui.database import Database, DatabaseAway
from ui.history import Filters, Place
from ui.history_filters import choose_filters, zone
from ui.outbox import NotKept, Outbox
from ui.record import Record
from ui.session import LABEL_NOT_KEPT, Session

AWAY = "Database unavailable: drawings cannot be shown. No drawing is lost. Try again in a moment."
GONE = "This drawing was deleted."
NONE_OF_YOURS = "No drawings yet. Drawings of this browser session appear here."
NONE_FIT = "No drawing matches the filters."
DIGITS = range(10)


@dataclass
class View:
    """What is in view."""

    filters: Filters | None = None  # None: nothing was loaded yet
    cards: list[Card] = field(default_factory=list)
    has_newer: bool = False
    has_older: bool = False
    versions: list[str] = field(default_factory=list)
    chosen: UUID | None = None
    notice: str = ""

    @property
    def chosen_card(self) -> Card | None:
        return next((card for card in self.cards if card.row.id == self.chosen), None)


@dataclass(frozen=True)
class History:
    """The page for one visitor: `everyones` for an operator, else what was drawn in this session."""

    session: Session
    outbox: Outbox
    database: Database
    everyones: bool

    def show(self) -> None:
        """Everything below the heading."""
        view = _view()
        filters = choose_filters(view.versions) if self.everyones else Filters()
        if filters != view.filters:
            offered = view.versions
            self._load(filters, None)
            if view.versions != offered:
                st.rerun()
        with st.container(key="history"):
            with st.container(key="list"):
                self._cards(view)
                self._pager(view)
            with st.container(key="detail" if view.chosen_card else "no-detail"):
                self._detail(view)
        if self.everyones and view.cards:
            self._downloads(filters)

    def _load(self, filters: Filters, place: Place | None) -> None:
        view = _view()
        view.chosen, view.notice = None, ""
        try:
            own = self.session.drawn()
            with self.database.reading() as connection:
                if self.everyones:
                    found = history.newest(connection, filters, place)
                    view.versions = history.versions(connection)
                else:
                    found = history.newest_of(connection, own, place)
            waiting = self.outbox.waiting([*own, *(row.id for row in found)])
        except (DatabaseAway, NotKept):
            view.filters, view.cards, view.notice = None, [], AWAY  # asked again by the next run
            view.has_newer = view.has_older = False
            return
        page = history.page(history.merged(found, waiting, place, filters.fit), place)
        view.cards = [Card.of(row) for row in page.records]
        view.has_newer, view.has_older = page.has_newer, page.has_older
        # Only now: a second click on the link begins a run beside this one, which would take the page for loaded.
        view.filters = filters

    def _cards(self, view: View) -> None:
        if not view.cards:
            empty = NONE_FIT if self.everyones else NONE_OF_YOURS
            st.html(f'<div class="empty">{html.escape(view.notice or empty)}</div>')
            return
        chosen = cards(view.cards, view.chosen, zone())
        if chosen is not None:  # once more closes it
            view.chosen, view.notice = None if chosen == view.chosen else chosen, ""
            st.rerun()

    def _pager(self, view: View) -> None:
        with st.container(key="pager", horizontal=True, vertical_alignment="center"):
            st.button("Newest", key="newest", on_click=self._turn, args=(None,))
            first, last = (view.cards[0].row, view.cards[-1].row) if view.cards else (None, None)
            st.button(
                "Newer",
                key="newer",
                icon=":material/chevron_left:",
                disabled=not view.has_newer,
                on_click=self._turn,
                args=(Place.of(first, newer=True) if first else None,),
            )
            st.button(
                "Older",
                key="older",
                icon=":material/chevron_right:",
                icon_position="right",
                disabled=not view.has_older,
                on_click=self._turn,
                args=(Place.of(last) if last else None,),
            )

    def _turn(self, place: Place | None) -> None:
        self._load(_view().filters or Filters(), place)

    def _detail(self, view: View) -> None:
        card = view.chosen_card
        if card is None:
            st.html('<div class="small">Choose a drawing to see its details and to label it.</div>')
            return
        st.html(detail_html(card, zone()))
        label = card.row.true_label
        question = "Right? If not, which digit is it?" if label is None else f"Label: {label}"
        st.html(f'<div class="question">{html.escape(view.notice or question)}</div>')
        with st.container(key="corrections", horizontal=True):
            for digit in DIGITS:
                st.button(
                    str(digit),
                    key=f"correct-{digit}",
                    type="primary" if digit == label else "secondary",
                    on_click=self._label,
                    args=(card.row.id, digit),
                )

    def _label(self, drawing_id: UUID, digit: int) -> None:
        view = _view()
        try:
            row = self._labelled(drawing_id, digit)
        except DatabaseAway:
            view.notice = AWAY
        except NotKept:
            view.notice = LABEL_NOT_KEPT
        else:
            view.notice = "" if row else GONE
            if row:
                view.cards = [
                    replace(card, row=replace(row, drawing=b"")) if card.row.id == row.id else card
                    for card in view.cards
                ]

    def _labelled(self, drawing_id: UUID, digit: int) -> Record | None:
        at_hand = self.session.drawing
        if at_hand.id == drawing_id and at_hand.answer is not None:
            self.session.label(digit)
            if self.session.drawing.true_label != digit:
                raise NotKept
            return self.session.drawing.record(self.session.owner)
        visitor = None if self.everyones else self.session.owner
        with self.database.reading() as connection:
            return self.outbox.label(
                drawing_id, digit, lambda: history.record(connection, drawing_id), visitor
            )

    def _downloads(self, filters: Filters) -> None:
        with st.container(key="downloads", horizontal=True, vertical_alignment="center"):
            st.download_button(
                "Table (CSV)",
                self._file(filters, export.MOST_ROWS, export.table),
                "drawings.csv",
                "text/csv",
                key="download-table",
                on_click="ignore",
            )
            st.download_button(
                "Pictures (ZIP)",
                self._file(filters, export.MOST_PICTURES, export.pictures),
                "drawings.zip",
                "application/zip",
                key="download-pictures",
                on_click="ignore",
            )
            st.html(
                f'<div class="small">Export of the filtered drawings: the newest {export.MOST_ROWS:,} rows or '
                f"{export.MOST_PICTURES:,} pictures. Choose earlier dates for older ones. "
                f"Time zone: {html.escape(str(zone()))}.</div>"
            )

    def _file(
        self, filters: Filters, limit: int, kind: Callable[[Iterable[Record]], bytes]
    ) -> Callable[[], bytes]:
        """What makes the file when somebody asks for it, and not before."""

        def make() -> bytes:
            with self.database.reading() as connection:
                return kind(history.export(connection, filters, limit))

        return make


def open_anew() -> None:
    """Load the page again the next time it is shown: somebody came to it from another."""
    st.session_state.view = View()


def _view() -> View:
    view: View = st.session_state.setdefault("view", View())
    return view

"""The page History: a visitor's drawings; for an operator all drawings, with filters and exports.

A loaded page does not change while new drawings arrive. It is loaded when it is opened, when a filter changes and when
the person turns to another page.
"""

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

import streamlit as st

from ui import export, history
from ui.cards import Card, detail_html, show_cards
from ui.database import Database, DatabaseError
from ui.digits import DIGITS, NAMES
from ui.history import Cursor, Filters
from ui.history_filters import choose_filters, zone
from ui.outbox import Outbox
from ui.outbox_file import OutboxError
from ui.record import Record
from ui.session import LABEL_NOT_SAVED, Session

UNAVAILABLE = "Database unavailable: drawings cannot be shown. No drawing is lost. Try again in a moment."
DELETED = "This drawing was deleted."
NO_DRAWINGS = "No drawings yet. Drawings of this browser session appear here."
NO_MATCH = "No drawing matches the filters."


@dataclass
class View:
    """The page that a visitor sees."""

    filters: Filters | None = None  # None: nothing is loaded
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
    """The page for an operator, with all drawings, or for a visitor, with those of the browser session."""

    session: Session
    outbox: Outbox
    database: Database
    for_operator: bool

    def show(self) -> None:
        """Show the page below its heading."""
        view = _view()
        filters = choose_filters(view.versions) if self.for_operator else Filters()
        if filters != view.filters:
            offered = view.versions
            self._load(filters, None)
            if view.versions != offered:
                st.rerun()
        with st.container(key="history"):
            with st.container(key="list"):
                self._show_cards(view)
                self._show_pager(view)
            with st.container(key="detail" if view.chosen_card else "no-detail"):
                self._show_detail(view)
        if self.for_operator and view.cards:
            self._show_downloads(filters)

    def _load(self, filters: Filters, cursor: Cursor | None) -> None:
        view = _view()
        view.chosen, view.notice = None, ""
        try:
            own = self.session.drawing_ids()
            visible = filters if self.for_operator else replace(filters, ids=own)
            with self.database.reading() as connection:
                found = history.newest(connection, visible, cursor)
                if self.for_operator:
                    view.versions = history.versions(connection)
            waiting = self.outbox.find([*own, *(row.id for row in found)])
        except (DatabaseError, OutboxError):
            view.filters, view.cards, view.notice = None, [], UNAVAILABLE  # the next run tries again
            view.has_newer = view.has_older = False
            return
        page = history.make_page(history.merge_waiting(found, waiting, cursor, visible.match), cursor)
        view.cards = [Card.of(row) for row in page.records]
        view.has_newer, view.has_older = page.has_newer, page.has_older
        # Last: a second click on the link starts a concurrent run, which would take the page for loaded.
        view.filters = filters

    def _show_cards(self, view: View) -> None:
        if not view.cards:
            empty = view.notice or (NO_MATCH if self.for_operator else NO_DRAWINGS)
            st.html(f'<div class="empty">{html.escape(empty)}</div>')
            return
        chosen = show_cards(view.cards, view.chosen, zone())
        if chosen is not None:  # a second click closes the details
            view.chosen, view.notice = None if chosen == view.chosen else chosen, ""
            st.rerun()

    def _show_pager(self, view: View) -> None:
        newer = Cursor.at(view.cards[0].row, newer=True) if view.cards else None
        older = Cursor.at(view.cards[-1].row) if view.cards else None
        with st.container(key="pager", horizontal=True, vertical_alignment="center"):
            st.button("Newest", key="newest", on_click=self._turn, args=(None,))
            arrow = partial(st.button, on_click=self._turn)
            left, right = ":material/chevron_left:", ":material/chevron_right:"
            arrow("Newer", key="newer", icon=left, disabled=not view.has_newer, args=(newer,))
            arrow(
                "Older",
                key="older",
                icon=right,
                icon_position="right",
                disabled=not view.has_older,
                args=(older,),
            )

    def _turn(self, cursor: Cursor | None) -> None:
        self._load(_view().filters or Filters(), cursor)

    def _show_detail(self, view: View) -> None:
        card = view.chosen_card
        if card is None:
            st.html('<div class="small">Choose a drawing to see its details and to label it.</div>')
            return
        st.html(detail_html(card, zone()))
        label = card.row.true_label
        question = "Right? If not, which digit is it?" if label is None else f"Label: {NAMES[label]}"
        st.html(f'<div class="question">{html.escape(view.notice or question)}</div>')
        with st.container(key="corrections", horizontal=True):
            for digit in DIGITS:
                st.button(
                    NAMES[digit],
                    key=f"correct-{digit}",
                    type="primary" if digit == label else "secondary",
                    on_click=self._label,
                    args=(card.row.id, digit),
                )

    def _label(self, drawing_id: UUID, digit: int) -> None:
        view = _view()
        try:
            row = self._store_label(drawing_id, digit)
        except DatabaseError:
            view.notice = UNAVAILABLE
        except OutboxError:
            view.notice = LABEL_NOT_SAVED
        else:
            view.notice = "" if row else DELETED
            if row:
                view.cards = [
                    replace(card, row=row) if card.row.id == row.id else card for card in view.cards
                ]

    def _store_label(self, drawing_id: UUID, digit: int) -> Record | None:
        visitor = None if self.for_operator else self.session.owner
        with self.database.reading() as connection:
            find_row = partial(history.record, connection, drawing_id)
            return self.outbox.label(drawing_id, digit, find_row, visitor)

    def _show_downloads(self, filters: Filters) -> None:
        def make_file(limit: int, write: Callable[[Iterable[Record]], bytes]) -> bytes:
            with self.database.reading() as connection:
                return write(history.export(connection, filters, limit))

        # Streamlit calls these functions at a click.
        table = partial(make_file, export.MOST_ROWS, export.table)
        pictures = partial(make_file, export.MOST_PICTURES, export.pictures)
        download = partial(st.download_button, on_click="ignore")
        with st.container(key="downloads", horizontal=True, vertical_alignment="center"):
            download("Table (CSV)", table, "drawings.csv", "text/csv", key="download-table")
            download("Pictures (ZIP)", pictures, "drawings.zip", "application/zip", key="download-pictures")
            st.html(
                f'<div class="small">Export of the filtered drawings: the newest {export.MOST_ROWS:,} rows or '
                f"{export.MOST_PICTURES:,} pictures. Choose earlier dates for older ones. "
                f"Time zone: {html.escape(str(zone()))}.</div>"
            )


def reset() -> None:
    """Load the page again when it is shown next, because the person comes from another page."""
    st.session_state.view = View()


def _view() -> View:
    return st.session_state.setdefault("view", View())

"""The times of a filter's dates."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ui.history_filters import day_limits


def test_dates_include_both_days_in_the_visitors_time_zone():
    berlin = ZoneInfo("Europe/Berlin")
    one = date(2026, 3, 29)  # 23 hours: summer time begins
    since, until = day_limits((one, one), berlin)
    assert until.astimezone(UTC) - since.astimezone(UTC) == timedelta(hours=23)
    assert day_limits((one,), berlin) == (since, until)
    assert day_limits((date(2026, 3, 1), one), UTC)[0] == datetime(2026, 3, 1, tzinfo=UTC)
    assert day_limits((), UTC) == (None, None)

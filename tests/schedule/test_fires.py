"""When a schedule is due: Debian's rules in every zone, lengths of time, moments chosen by name."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.schedule.fires import ByCron, Every, Timetable, last_fire, next_fire, next_fires
from genesis.spec.cron import WrongCron, parse_cron
from tests.schedule import debian

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def by_cron(text: str, zone: str = "UTC", name: str = "") -> ByCron:
    return ByCron(parse_cron(text, name), ZoneInfo(zone))


def shown(timetable: ByCron, after: str, count: int = 3) -> list[str]:
    """The next moments, as the zone's clocks show them."""
    found = islice(next_fires(timetable, datetime.fromisoformat(after)), count)
    return [f"{at.astimezone(timetable.zone):%a %d %H:%M %Z}" for at in found]


def test_every_zone_agrees_with_debian() -> None:
    """Around each change of the clocks of 2026, for one zone of all that change them alike."""
    zones = debian.zones_with_changes(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )
    alike = {when: name for name, when in zones.items()}
    chance = random.Random(0)
    for when, name in alike.items():
        shapes = [*debian.SHAPES, *(debian.random_shape(chance) for _ in range(3))]
        for span in debian.windows(when, timedelta(hours=13)):
            shown = debian.clocks(ZoneInfo(name), *span)
            for shape in shapes:
                assert debian.compare(shape, ZoneInfo(name), shown)[1] == []
    assert len(alike) > 20


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("0 0 * * *", "America/New_York", "2026-03-07T12:00Z", "Sun 08 00:00 EST, Mon 09 00:00 EDT"),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", "Sun 08 03:00 EDT, Mon 09 02:30 EDT"),
        ("0,15,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00Z", "Sun 29 03:00 CEST, Mon 30 02:00 CEST"),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00Z", "Sun 29 03:00 CEST, Mon 30 02:00 CEST"),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", "Sun 01 01:30 EDT, Mon 02 01:30 EST"),
        ("30 * * * *", "America/New_York", "2026-11-01T05:00Z", "Sun 01 01:30 EDT, Sun 01 01:30 EST"),
        ("*/30 1 1,15 * *", "America/New_York", "2026-11-01T05:15Z", "Sun 01 01:30 EDT, Sun 01 01:00 EST"),
        ("42 * * * *", "Australia/Lord_Howe", "2026-10-03T15:00Z", "Sun 04 01:42 +1030, Sun 04 02:42 +11"),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", "Sun 04 02:30 +11, Mon 05 02:15 +11"),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-29T12:00Z", "Sat 31 00:00 +14, Sun 30 12:00 +14"),
        ("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:30Z", "Sun 29 04:00 CEST, Sun 29 06:00 CEST"),
        ("0 0 13 * fri", "UTC", "2026-11-01T00:00Z", "Fri 06 00:00 UTC, Fri 13 00:00 UTC"),
        ("0 0 */2 * fri", "UTC", "2026-11-07T00:00Z", "Fri 13 00:00 UTC, Fri 27 00:00 UTC"),
        ("0 0 * * 7", "UTC", "2026-11-01T12:00Z", "Sun 08 00:00 UTC, Sun 15 00:00 UTC"),
        ("0 0 29 feb *", "UTC", "2026-11-01T12:00Z", "Tue 29 00:00 UTC, Sun 29 00:00 UTC"),
        ("0 0 lw * *", "UTC", "2026-10-01T12:00Z", "Fri 30 00:00 UTC, Mon 30 00:00 UTC"),
        ("0 0 * * 5#2", "UTC", "2026-08-01T12:00Z", "Fri 14 00:00 UTC, Fri 11 00:00 UTC"),
        ("0 0 * * 5l", "UTC", "2026-08-01T12:00Z", "Fri 28 00:00 UTC, Fri 25 00:00 UTC"),
        ("0 0 * * fri#2", "UTC", "2026-10-01T12:00Z", "Fri 09 00:00 UTC, Fri 13 00:00 UTC"),
    ],
)  # fmt: skip
def test_moments(cron: str, zone: str, after: str, expected: str) -> None:
    """What is skipped comes right after and once, what is repeated once, hours by real time."""
    assert shown(by_cron(cron, zone), after, 2) == expected.split(", ")


def test_lengths_of_time_count_from_1970() -> None:
    """Whenever they are asked for, they fall on the same moments."""
    ten = Every(timedelta(minutes=10))
    after = datetime(2026, 3, 1, 8, 7, 30, tzinfo=UTC)
    first = next_fire(ten, after)
    assert first == datetime(2026, 3, 1, 8, 10, tzinfo=UTC)
    assert next_fire(ten, first) == datetime(2026, 3, 1, 8, 20, tzinfo=UTC)
    assert next_fire(Every(timedelta(seconds=1)), after) == after + timedelta(seconds=1)


def test_names_choose_moments() -> None:
    """The same always for a name, spread over names, within what is asked for."""
    names = [f"workflow_{n}" for n in range(300)]
    minutes = {parse_cron("H * * * *", name).minutes for name in names}
    assert len(minutes) > 50
    assert parse_cron("H H * * *", "exports").text == "57 9 * * *", "this is for ever"
    for name in names:
        assert parse_cron("H(10-19) * * * *", name).minutes[0] in range(10, 20)
        quarters = parse_cron("H/15 * * * *", name).minutes
        assert len(quarters) == 4
        assert {b - a for a, b in pairwise(quarters)} == {15}
        assert parse_cron("0 0 H * *", name).days <= set(range(1, 29)), "in every month"


def test_a_spread_of_minutes_follows_real_time_as_what_it_spreads() -> None:
    """`H/15` is `*/15` from another minute on: no quarter of a repeated hour is left out."""
    spread = by_cron("H/15 0-3 * * *", "Europe/Berlin", "exports")
    found = takewhile(
        lambda at: at < datetime(2026, 10, 25, 12, tzinfo=UTC),
        next_fires(spread, datetime(2026, 10, 24, 12, tzinfo=UTC)),
    )
    assert len(list(found)) == 20


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("0 0 30 2 *", "`30 2 *` in `cron` is a day that never comes"),
        ("0 0 31 4,6,sep,11 *", "never comes"),
        ("0 0 */28 2 mon#3", "never comes"),
        ("0 0 * * sat-sun", "`sat-sun` is no weekday"),
        ("0 0 0 * *", "`0` is no day"),
        ("*/0 * * * *", "`*/0` is no minute"),
        ("h(5-2) * * * *", "`h(5-2)` is no minute"),
        ("٣ * * * *", "is no minute"),
        ("@daily", "1 field, not five"),
        ("", "0 fields, not five"),
        ("0 0 0 * * *", "6 fields, not five"),
    ],
)
def test_what_is_no_cron(text: str, what: str) -> None:
    """It is told in words, with a way out."""
    with pytest.raises(WrongCron, match=r".") as wrong:
        parse_cron(text)
    assert what in str(wrong.value)
    assert wrong.value.hint


@pytest.mark.parametrize(
    ("text", "hint"), [("0 0 * * sat-sun", "`sat,sun`"), ("0 22-4 * * *", "`22-23,0-4`")]
)
def test_a_range_downwards_is_written_as_two(text: str, hint: str) -> None:
    with pytest.raises(WrongCron) as wrong:
        parse_cron(text)
    assert hint in wrong.value.hint


TIMETABLES = st.one_of(
    st.builds(
        by_cron,
        st.randoms(use_true_random=False).map(debian.random_shape),
        st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll"]),
    ),
    st.builds(Every, st.timedeltas(timedelta(seconds=1), timedelta(days=9)).map(
        lambda length: timedelta(seconds=int(length.total_seconds()))
    )),
)  # fmt: skip
MOMENTS = st.integers(1_735_689_600, 1_830_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))


@given(TIMETABLES, MOMENTS)
def test_one_after_another(timetable: Timetable, after: datetime) -> None:
    """They go on, whole seconds apart, and each is the next one after the one before."""
    first, *more = islice(next_fires(timetable, after), 4)
    assert after < first
    for before, at in pairwise([first, *more]):
        assert before < at == next_fire(timetable, before)


@given(TIMETABLES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_the_newest_of_a_span(timetable: Timetable, after: datetime, length: timedelta) -> None:
    """It is the last of all that there are; none where there is none."""
    until = after + length
    wanted = None
    for at in islice(takewhile(lambda at: at <= until, next_fires(timetable, after)), 500):
        wanted = at
    if wanted is None or next_fire(timetable, wanted) > until:  # type: ignore[operator]
        assert last_fire(timetable, after, until) == wanted


def test_the_calendar_ends() -> None:
    """After its last year nothing is due."""
    end = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    for timetable in (by_cron("0 0 1 1 *"), by_cron("* * * * *"), Every(timedelta(days=1))):
        assert next_fire(timetable, end) is None

"""Records with low numbers, written by hand, each for one thing that goes wrong elsewhere.

The generated data starts at 1001, so whoever looks for a hard case looks here. Every production
that shoots is insured, except the one that is only a test: the tracker of uninsured shoots is
empty, and stops being so when test productions leak into it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import repeat
from typing import Any

from genesis.demo.dates import Calendar, clocks_go_back, clocks_go_forward, instant, midnight
from genesis.demo.records import (
    Change,
    Credit,
    Invoice,
    Location,
    Movie,
    Note,
    Person,
    Production,
    Record,
    ScheduleDay,
    Task,
    Vendor,
    VendorContract,
    by_source,
)

NAMESAKES = (1, 2)  # people; of most productions here, one directs and the other line-produces
DELETED_PERSON, RETURNED_PERSON = 5, 6

FAN_OUT, CHILDLESS, OSLO, MUMBAI, ADELAIDE, ORPHAN, UNKNOWNS = range(1, 8)  # productions
TEST, ONE_PERSON_TWICE, DELETED_PRODUCTION, NIGHTS = range(8, 12)

NOWHERE = 999_999_999  # a key that nothing has

FAN_OUT_NUMBERS = range(100, 400)
NIGHT_NOTES = (1, 2)

SAME_INSTANT, LATE, DELETED, BACK_AGAIN, LATE_DELETE, LATE_AFTER_DELETE = range(1, 7)  # tasks
FORMULA_TASKS = range(7, 11)
BARE_TASK, ORPHAN_TASK = 11, 12

ODD_TITLES = (
    "=1+1",
    "七人の夜明け",
    '🦀 Crab Season: The "Director\'s Cut" 🎬',
    "NO",
    "@home",
    "-5 °C",
    "Qu'est-ce que c'est: l'été?",
    "007",
)
FORMULAS = ("=1+1", "+44 20 7946 0018", "@home", "-2+3")

BROKEN_TASK_LINES = (
    '{"_op": "u", "_ts": "2026-01-01T00:00:00Z", "task_id": "seventeen", "title": "no number"}',
    '{"_op": "u", "_ts": "2026-01-01T00:00:00Z", "title": "no key"}',
    '{"_op": "x", "_ts": "2026-01-01T00:00:00Z", "task_id": 17, "title": "no such operation"}',
    '{"_op": "u", "_ts": "yesterday", "task_id": 17, "title": "no time"}',
    '{"_op": "u", "_ts": "2026-01-01T00:00:00Z", "task_id": 17, "due_date": "2026-02-30"}',
    '{"_op": "u", "_ts": "2026-01-01T00:00:00Z", "task_id": 17, "estimate_hours": "a lot"}',
    '{"_op": "u", "_ts": "2026-01-01T00:00:00Z", "task_id": 17, "title": "cut off he',
    "task 17 is done",
)


def planted(calendar: Calendar, places: Sequence[Location]) -> dict[str, list[Change]]:
    """The changes of every hard case, by data source."""
    place = {each.location_id: each for each in places}
    return by_source(
        [
            *people(calendar),
            *odd_titles(calendar),
            *vendors(calendar),
            *productions(calendar),
            *tasks_out_of_order(calendar),
            *odd_tasks(calendar),
            *fan_out(calendar),
            *half_hour_zones(calendar, place),
            *nights_of_the_clocks(calendar),
        ]
    )


def planted_yesterday(calendar: Calendar) -> dict[str, list[Change]]:
    """What became of some hard cases in the second wave."""
    early = calendar.close + timedelta(minutes=5)
    renamed = _person(2, "Maria Silva-Okafor")
    newest_note = Note(400, FAN_OUT, 2, early, "=1+1 more day 🎬", pinned=True)
    return by_source(
        [
            Change(early, "u", renamed),
            Change(early, "u", _odd_title(calendar, 1)._replace(title="=2+2")),
            Change(early, "c", newest_note),
            Change(early, "d", _production(calendar, CHILDLESS)),
            Change(early, "c", _task(calendar, DELETED, "came back yesterday")),
            Change(
                _ago(calendar, 25),
                "u",
                _task(calendar, LATE, "older than both, and later"),
                late=timedelta(days=24, minutes=5),
            ),
        ]
    )


def with_broken_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines with the broken ones spread evenly among them."""
    mended = list(lines)
    step = len(mended) // (len(BROKEN_TASK_LINES) + 1)
    for number, broken in enumerate(BROKEN_TASK_LINES, start=1):
        mended.insert(number * step, broken)
    return tuple(mended)


def people(calendar: Calendar) -> Iterator[Change]:
    """Namesakes, quotes and another script in names, one who left and one who came back."""
    names = {
        1: "Maria Silva",
        2: "Maria Silva",
        3: 'Zoë "Zed" O\'Brien',
        4: "王小明",
        DELETED_PERSON: "Dan Gone",
        RETURNED_PERSON: "Rita Returned",
    }
    yield from _written(calendar, *(_person(number, name) for number, name in names.items()))
    yield _gone(calendar, _person(DELETED_PERSON, "Dan Gone"))
    yield _gone(calendar, _person(RETURNED_PERSON, "Rita Returned"))
    yield Change(_ago(calendar, 10), "c", _person(RETURNED_PERSON, "Rita Returned"))


def _person(number: int, name: str) -> Person:
    return Person(number, name, phone="+44 20 7946 0018", desk="@home", home_id="OSL")


def odd_titles(calendar: Calendar) -> Iterator[Change]:
    """Titles that look like formulas, booleans and numbers, or need quotes or wide characters."""
    numbers = range(1, len(ODD_TITLES) + 1)
    yield from _written(calendar, *(_odd_title(calendar, number) for number in numbers))


def _odd_title(calendar: Calendar, number: int) -> Movie:
    launch = calendar.day(30 + number)
    return Movie(number, ODD_TITLES[number - 1], delivery_date=calendar.day(1), launch_date=launch)


def vendors(calendar: Calendar) -> Iterator[Change]:
    """One in Norway, whose country code is `NO`, one whose postal code starts with a zero."""
    yield from _written(
        calendar,
        Vendor("V0001", 'Fjord & Sons "Lyd" AS', "SOUND", "NO", "0150", phone="+44 20 7946 0042"),
        Vendor("V0002", "+1 Completion Mutual", "INSURANCE", "US", "02134"),
    )


def productions(calendar: Calendar) -> Iterator[Change]:
    """Missing, unknown, doubled and deleted relatives; a test that must stay invisible."""
    insured = (
        _production(calendar, FAN_OUT),
        _production(calendar, MUMBAI, country="IN", base_id="BOM"),
        _production(calendar, ADELAIDE, country="AU", base_id="ADL"),
        _production(calendar, ONE_PERSON_TWICE, line_producer_id=1),
        _production(calendar, NIGHTS),
    )
    for production in insured:
        policy = _contract(calendar, production.production_id, production.production_id)
        yield from _written(calendar, production, policy)
    gone = _production(calendar, DELETED_PRODUCTION)
    yield from _written(
        calendar,
        _production(calendar, CHILDLESS, "PREP"),
        _production(calendar, OSLO, "PREP", country="NO", base_id="OSL"),
        _production(calendar, ORPHAN, "PREP", movie_id=NOWHERE, director_id=NOWHERE, base_id="ZZZ"),
        Production(UNKNOWNS, None, f"CASE-{UNKNOWNS}", "REMAKE", "PREP"),
        _production(calendar, TEST, is_test=True),
        gone,
        Credit(OSLO, 3, "LEAD", 1, 'Ada "the Ear"', Decimal("0.00"), confirmed=True),
        Credit(OSLO, NOWHERE, "CAST", 2),
    )
    yield _gone(calendar, gone)


def _production(
    calendar: Calendar, number: int, status: str = "SHOOT", **columns: Any
) -> Production:
    start = calendar.day(-20 if status == "SHOOT" else 25)
    usual = Production(
        number,
        movie_id=(number - 1) % len(ODD_TITLES) + 1,
        code=f"CASE-{number}",
        kind="REMAKE",
        status_code=status,
        working_title=ODD_TITLES[-number % len(ODD_TITLES)],
        country="US",
        start_date=start,
        wrap_date=start + timedelta(days=60),
        budget=Decimal("12500000.00"),
        line_producer_id=NAMESAKES[1],
        director_id=NAMESAKES[0],
        base_id="LAX",
    )
    return usual._replace(**columns)


def _contract(calendar: Calendar, number: int, production: int, **columns: Any) -> VendorContract:
    policy = VendorContract(
        number,
        production,
        vendor_id="V0002",
        kind="INSURANCE",
        amount=Decimal("99999.99"),
        starts_on=calendar.day(-20),
        ends_on=calendar.day(90),
        signed=True,
        signed_on=calendar.day(-40),
    )
    return policy._replace(**columns)


def tasks_out_of_order(calendar: Calendar) -> Iterator[Change]:
    """Events whose order of arrival is not their order in time."""
    first, second, third = (_ago(calendar, days) for days in (30, 20, 10))
    late = timedelta(days=15)  # the second then arrives after the third

    def update(at: datetime, task: int, title: str, arrives: timedelta = timedelta()) -> Change:
        return Change(at, "u", _task(calendar, task, title), arrives)

    def delete(at: datetime, task: int, arrives: timedelta = timedelta()) -> Change:
        return Change(at, "d", _task(calendar, task, "deleted"), arrives)

    yield update(first, SAME_INSTANT, "first of two at one instant")
    yield update(first, SAME_INSTANT, "second of two at one instant")
    yield update(second, LATE, "older, arrives last", late)
    yield update(third, LATE, "newer, arrives first")
    yield update(first, DELETED, "deleted later")
    yield delete(second, DELETED)
    yield update(first, BACK_AGAIN, "deleted and back again")
    yield delete(second, BACK_AGAIN)
    yield update(third, BACK_AGAIN, "back again")
    yield delete(second, LATE_DELETE, late)
    yield update(third, LATE_DELETE, "outlived its deletion")
    yield update(second, LATE_AFTER_DELETE, "written before its deletion, arrives after", late)
    yield delete(third, LATE_AFTER_DELETE)


def odd_tasks(calendar: Calendar) -> Iterator[Change]:
    """Titles a spreadsheet would calculate, a task that is nearly all NULL, one without a home."""
    created = _ago(calendar, 40)
    yield from _written(
        calendar,
        *map(_task, repeat(calendar), FORMULA_TASKS, FORMULAS),
        Task(BARE_TASK, OSLO, "nothing but a title", created),
        Task(ORPHAN_TASK, NOWHERE, "of no production", created, due_date=calendar.day(-3)),
        Task(13, DELETED_PRODUCTION, "of a deleted production", created),
        Task(14, TEST, "of a test production", created),
    )


def _task(calendar: Calendar, number: int, title: str) -> Task:
    return Task(
        number,
        OSLO,
        title,
        _ago(calendar, 40),
        department="Art",
        due_date=calendar.day(number),
        assignee_id=NAMESAKES[0],
        estimate_hours=Decimal("0.5"),
    )


def fan_out(calendar: Calendar) -> Iterator[Change]:
    """One production with 300 tasks, 30 contracts of two invoices and 40 notes, 720,000 if joined."""
    numbers = FAN_OUT_NUMBERS
    created = _ago(calendar, 40)
    received = datetime.combine(calendar.day(-20), time(9, 30))
    for number in numbers:
        yield from _written(calendar, Task(number, FAN_OUT, f"Task {number} of many", created))
    for number in numbers[:30]:
        terms = {"vendor_id": "V0001", "kind": "SOUND", "amount": Decimal("100.10")}
        yield from _written(calendar, _contract(calendar, number, FAN_OUT, **terms))
        for invoice in (2 * number - 100, 2 * number - 99):
            day, due = calendar.day(-20), calendar.day(10)
            yield from _written(
                calendar, Invoice(invoice, number, Decimal("50.05"), day, due, received)
            )
    for number in numbers[:40]:
        yield from _written(
            calendar, Note(number, FAN_OUT, 1, created, f"Note {number}, all at one instant")
        )


def half_hour_zones(calendar: Calendar, place: Mapping[str, Location]) -> Iterator[Change]:
    """Calls at six in the morning in Mumbai and Adelaide, off the hour everywhere else."""
    for production, base in ((MUMBAI, "BOM"), (ADELAIDE, "ADL")):
        for number in range(1, 6):
            day, wall = calendar.day(number), time(6)
            key = 10 * production + number
            call = instant(day, wall, place[base])
            yield from _written(
                calendar, ScheduleDay(key, production, day, "Main", number, base, wall, call)
            )


def nights_of_the_clocks(calendar: Calendar) -> Iterator[Change]:
    """Two notes at 01:30 on one night; calls at a time that comes twice and one that never does."""
    today = calendar.today
    years = (today.year - 1, today.year, today.year + 1)
    last = max(night for night in map(clocks_go_back, years) if night < calendar.close.date())
    for key, hour in zip(NIGHT_NOTES, (8, 9), strict=True):
        at = midnight(last) + timedelta(hours=hour, minutes=30)
        yield Change(at, "c", Note(key, NIGHTS, 3, at, f"half past one, written as number {key}"))

    twice = min(night for night in map(clocks_go_back, years) if night >= today)
    never = min(night for night in map(clocks_go_forward, years) if night >= today)
    calls = ((twice, "Main", time(1, 30), 8), (twice, "Night", time(1, 30), 9))
    for key, (night, unit, wall, hour) in enumerate((*calls, (never, "Night", time(2, 30), 10))):
        call = midnight(night) + timedelta(hours=hour, minutes=30)
        yield from _written(
            calendar, ScheduleDay(key + 1, NIGHTS, night, unit, key + 1, "LAX", wall, call)
        )


def _written(calendar: Calendar, *records: Record) -> Iterator[Change]:
    return (Change(_ago(calendar, 40), "c", record) for record in records)


def _gone(calendar: Calendar, record: Record) -> Change:
    return Change(_ago(calendar, 20), "d", record)


def _ago(calendar: Calendar, days: int) -> datetime:
    return midnight(calendar.day(-days))

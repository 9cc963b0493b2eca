"""A day at the studio: the changes of the second wave, made to what the first one left behind."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Literal, TypeVar

from genesis.demo import words
from genesis.demo.dates import Calendar, moments
from genesis.demo.history import CREW, LINE_PRODUCERS, TALENT, newest, phase
from genesis.demo.making import money
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

WORKING_HOURS = timedelta(hours=10)

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Day:
    """The day the second wave is about: who draws the dice, and when what is written."""

    rng: Random
    calendar: Calendar

    @property
    def date(self) -> date:
        return self.calendar.close.date()

    def some(self, records: Iterable[R], most: int) -> list[R]:
        """So many of the records, or all of them when there are fewer."""
        known = list(records)
        return self.rng.sample(known, min(most, len(known)))

    def write(self, op: Literal["c", "u", "d"], records: Sequence[Record]) -> Iterator[Change]:
        """The records as written at different minutes of the day."""
        close = self.calendar.close
        times = moments(self.rng, close, close + WORKING_HOURS, len(records))
        return (Change(at, op, each) for at, each in zip(times, records, strict=True))

    def update(
        self, records: Iterable[R], columns: Callable[[R], Mapping[str, Any]]
    ) -> Iterator[Change]:
        """The records with new values in some of their columns."""
        return self.write("u", [each._replace(**columns(each)) for each in records])


def yesterdays_changes(
    rng: Random, calendar: Calendar, history: Mapping[str, Sequence[Change]]
) -> dict[str, list[Change]]:
    """All changes of the day, by data source."""
    day = Day(rng, calendar)
    return by_source(
        [
            *production_changes(day, newest(history["production"], Production)),
            *schedule_changes(day, newest(history["schedule_day"], ScheduleDay)),
            *task_changes(day, newest(history["task"], Task)),
            *contract_changes(day, newest(history["vendor_contract"], VendorContract)),
            *invoice_changes(day, newest(history["invoice"], Invoice)),
            *credit_changes(day, newest(history["credit"], Credit)),
            *note_changes(day, newest(history["note"], Note)),
            *movie_changes(day, newest(history["movie"], Movie)),
            *person_changes(day, newest(history["person"], Person)),
            *vendor_changes(day, newest(history["vendor"], Vendor)),
            *location_changes(day, newest(history["location"], Location)),
        ]
    )


def production_changes(day: Day, productions: Sequence[Production]) -> Iterator[Change]:
    """The day's new phases, and some budgets revised."""

    def status(production: Production) -> str:
        if production.start_date is None or production.wrap_date is None:
            return production.status_code
        return phase(production.start_date, production.wrap_date, day.calendar.today)

    moved = [each for each in productions if status(each) != each.status_code]
    yield from day.update(moved, lambda each: {"status_code": status(each)})
    unchanged = (each for each in productions if each not in moved)
    revised = day.some(unchanged, 12)
    yield from day.update(revised, lambda _: {"budget": money(day.rng, 800, 95_000) * 1_000})


def schedule_changes(day: Day, schedule: Sequence[ScheduleDay]) -> Iterator[Change]:
    """What was shot is marked so; some coming days are called an hour earlier, some are struck."""
    shot = [each for each in schedule if each.shoot_date == day.date and each.status != "CANCELLED"]
    yield from day.update(shot, lambda _: {"status": "SHOT"})
    coming = day.some((each for each in schedule if each.shoot_date > day.date), 240)
    struck, called = coming[:24], coming[24:]
    hour = timedelta(hours=1)
    yield from day.update(
        called,
        lambda each: {
            "call_at": each.call_at - hour,
            "call_time": (datetime.combine(each.shoot_date, each.call_time) - hour).time(),
        },
    )
    yield from day.write("d", struck)


def task_changes(day: Day, tasks: Sequence[Task]) -> Iterator[Change]:
    """Tasks done, handed over, dropped and thought of."""
    worked_on = day.some((each for each in tasks if each.status != "DONE"), 450)
    done, handed_over, dropped = worked_on[:220], worked_on[220:420], worked_on[420:]
    yield from day.update(done, lambda _: {"status": "DONE"})
    yield from day.update(
        handed_over, lambda _: {"status": "DOING", "assignee_id": day.rng.choice(CREW)}
    )
    yield from day.write("d", dropped)
    numbers = count(max(each.task_id for each in tasks) + 1)
    thought_of = [
        each._replace(
            task_id=next(numbers),
            title=f"Follow up: {each.title}",
            status="TODO",
            created_at=day.calendar.close,
            due_date=day.date + timedelta(days=day.rng.randint(3, 40)),
        )
        for each in done[:80]
    ]
    yield from day.write("c", thought_of)


def contract_changes(day: Day, contracts: Sequence[VendorContract]) -> Iterator[Change]:
    """Contracts signed."""
    signed = day.some((each for each in contracts if each.active and not each.signed), 40)
    yield from day.update(signed, lambda _: {"signed": True, "signed_on": day.date})


def invoice_changes(day: Day, invoices: Sequence[Invoice]) -> Iterator[Change]:
    """Invoices paid, and new ones for contracts that had one before."""
    paid = day.some((each for each in invoices if each.paid_on is None), 90)
    yield from day.update(paid, lambda _: {"paid_on": day.date})
    numbers = count(max(each.invoice_id for each in invoices) + 1)
    sent = [
        each._replace(
            invoice_id=next(numbers),
            invoiced_on=day.date,
            due_on=day.date + timedelta(days=30),
            received_at=day.calendar.close.replace(tzinfo=None),
            paid_on=None,
        )
        for each in day.some(invoices, 35)
    ]
    yield from day.write("c", sent)


def credit_changes(day: Day, booked: Sequence[Credit]) -> Iterator[Change]:
    """Bookings confirmed, and some parts cast again."""
    open_ones = day.some((each for each in booked if not each.confirmed), 55)
    confirmed, recast = open_ones[:40], open_ones[40:]
    yield from day.update(confirmed, lambda _: {"confirmed": True})
    yield from day.write("d", recast)
    known = {each[:3] for each in booked}
    replacements = [each._replace(person_id=day.rng.choice(TALENT), fee=None) for each in recast]
    yield from day.write("c", [each for each in replacements if each[:3] not in known])


def note_changes(day: Day, notes: Sequence[Note]) -> Iterator[Change]:
    """New notes, and a few taken back."""
    numbers = count(max(each.note_id for each in notes) + 1)
    said = [
        each._replace(
            note_id=next(numbers),
            author_id=day.rng.choice(CREW),
            created_at=day.calendar.close + timedelta(minutes=day.rng.randrange(600)),
            text=day.rng.choice(words.NOTES),
            pinned=False,
        )
        for each in day.some(notes, 95)
    ]
    yield from day.write("c", said)
    yield from day.write("d", day.some(notes, 5))


def movie_changes(day: Day, movies: Sequence[Movie]) -> Iterator[Change]:
    """Launches put off by a week."""
    week = timedelta(weeks=1)
    launches = {each.movie_id: each.launch_date for each in movies if each.launch_date}
    coming = (each for each in movies if launches.get(each.movie_id, day.date) > day.date)
    yield from day.update(
        day.some(coming, 30), lambda each: {"launch_date": launches[each.movie_id] + week}
    )


def person_changes(day: Day, people: Sequence[Person]) -> Iterator[Change]:
    """Two line producers married, which shows in every tracker that names them."""
    married = day.some((each for each in people if each.person_id in LINE_PRODUCERS), 2)
    yield from day.update(
        married,
        lambda each: {"full_name": f"{each.full_name}-{day.rng.choice(words.FAMILY_NAMES)}"},
    )


def vendor_changes(day: Day, vendors: Sequence[Vendor]) -> Iterator[Change]:
    """Three companies bought by a larger one."""
    yield from day.update(
        day.some(vendors, 3), lambda each: {"name": f"{each.name}, a Boom Brothers company"}
    )


def location_changes(day: Day, places: Sequence[Location]) -> Iterator[Change]:
    """A sound stage opened."""
    without = (each for each in places if not each.has_stage)
    yield from day.update(day.some(without, 1), lambda _: {"has_stage": True})

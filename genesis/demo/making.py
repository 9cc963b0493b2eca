"""What making a film leaves behind: shoot days, tasks, credits, contracts, invoices and notes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count, cycle
from random import Random
from typing import Any, Literal, NamedTuple

from genesis.demo import words
from genesis.demo.dates import Calendar, instant, midnight, moments, working_days
from genesis.demo.records import (
    Change,
    Credit,
    Invoice,
    Location,
    Note,
    Production,
    Record,
    ScheduleDay,
    Task,
    Vendor,
    VendorContract,
)

FIRST_NUMBER = 1001  # lower ones are for the hard cases

Step = tuple[datetime, Mapping[str, Any]]


class Plan(NamedTuple):
    """A production as the first wave leaves it, with all that the rest of its making needs."""

    production: Production
    created: datetime
    start: date
    wrap: date
    places: Sequence[Location]


def lived(
    record: Record, created: datetime, steps: Iterable[Step], op: Literal["c", "r"] = "c"
) -> Iterator[Change]:
    """A record as created (or first read) and after every step, each setting some columns."""
    yield Change(created, op, record)
    for at, columns in steps:
        record = record._replace(**columns)
        yield Change(at, "u", record)


def money(rng: Random, low: int, high: int) -> Decimal:
    """An amount between so many dollars, to the cent."""
    return Decimal(rng.randrange(low * 100, high * 100)).scaleb(-2)


CALL_TIMES = (time(5, 30), time(6), time(7), time(7, 30), time(8), time(14), time(17, 45))


def schedule_days(rng: Random, plans: Sequence[Plan], calendar: Calendar) -> Iterator[Change]:
    """Every unit's days, planned six weeks before the shoot starts."""
    numbers = count(FIRST_NUMBER)
    for plan in plans:
        published = max(plan.created, midnight(plan.start - timedelta(days=45)))
        if plan.production.status_code == "HOLD" or published >= calendar.close:
            continue
        for number, day in enumerate(working_days(plan.start, plan.wrap), start=1):
            for unit in ("Main", "Second") if rng.random() < 0.2 else ("Main",):
                record = ScheduleDay(
                    next(numbers),
                    plan.production.production_id,
                    day,
                    unit,
                    number,
                    **_call(rng, plan, day),
                    scenes=_scenes(rng),
                )
                course = _course(rng, plan, day, published)
                steps = [step for step in course if step[0] < calendar.close]
                yield from lived(record, published, steps)


def _call(rng: Random, plan: Plan, day: date) -> dict[str, Any]:
    location, wall = rng.choice(plan.places), rng.choice(CALL_TIMES)
    return {
        "location_id": location.location_id,
        "call_time": wall,
        "call_at": instant(day, wall, location),
    }


def _scenes(rng: Random) -> str:
    return ", ".join(f"{rng.randint(1, 140)}{rng.choice('ABC')}" for _ in range(rng.randint(1, 4)))


def _course(rng: Random, plan: Plan, day: date, published: datetime) -> Iterator[Step]:
    """A day's way from the plan to the camera: often called elsewhere, confirmed, mostly shot."""
    confirmed = midnight(day) - timedelta(hours=rng.randint(30, 70))
    if rng.random() < 0.4:
        yield published + (confirmed - published) / 2, _call(rng, plan, day)
    yield confirmed, {"status": "CONFIRMED"}
    evening = midnight(day) + timedelta(hours=23, minutes=rng.randrange(60))
    yield evening, {"status": "CANCELLED" if rng.random() < 0.04 else "SHOT"}


FINISHED = (
    ("DOING", "DONE"),
    ("TODO", "DOING", "DONE"),
    ("TODO", "DOING", "DOING", "DONE"),
    ("TODO", "DOING", "BLOCKED", "DOING", "DONE"),
    ("TODO", "TODO", "DOING", "DOING", "DONE"),
)
UNFINISHED = (
    ("TODO",),
    ("TODO", "DOING"),
    ("TODO", "TODO", "DOING"),
    ("TODO", "DOING", "BLOCKED"),
    ("TODO", "DOING", "BLOCKED", "TODO"),
)


def tasks(
    rng: Random, plans: Sequence[Plan], crew: Sequence[int], calendar: Calendar
) -> Iterator[Change]:
    """Things to do for each production, with the changes of mind on the way."""
    numbers = count(FIRST_NUMBER)
    for plan in plans:
        ends = min(midnight(plan.wrap + timedelta(days=60)), calendar.close - timedelta(days=1))
        for created in moments(rng, plan.created, ends, rng.randint(15, 38)):
            yield from _task(rng, next(numbers), plan, crew, created, calendar)


def _task(
    rng: Random, key: int, plan: Plan, crew: Sequence[int], created: datetime, calendar: Calendar
) -> Iterator[Change]:
    department = rng.choice(list(words.TASKS))
    due = created.date() + timedelta(days=rng.randint(7, 75))
    finished = rng.random() < _odds_of_done(due, calendar)
    record = Task(
        key,
        plan.production.production_id,
        f"{rng.choice(words.TASKS[department])} {rng.choice(words.TASK_SUBJECTS)}",
        created,
        department=department,
        priority=rng.choice((1, 2, 3, 3, 3, 4, 5)),
        due_date=due if rng.random() < 0.94 else None,
    )
    path = rng.choice(FINISHED if finished else UNFINISHED)
    until = calendar.close
    if finished:
        until = min(until, created + timedelta(days=rng.randint(2, 80)))
    details = [_detail(rng, record, crew) for _ in path]
    steps = [{"status": status, **detail} for status, detail in zip(path, details, strict=True)]
    return lived(record, created, zip(moments(rng, created, until, len(path)), steps, strict=True))


def _odds_of_done(due: date, calendar: Calendar) -> float:
    overdue = (calendar.today - due).days
    if overdue > 30:
        return 0.985
    return 0.85 if overdue > 0 else 0.4


def _detail(rng: Random, task: Task, crew: Sequence[int]) -> dict[str, Any]:
    """One more thing that changes together with a task's status."""
    chance = rng.random()
    if chance < 0.55:
        return {"assignee_id": rng.choice(crew)}
    if chance < 0.8:
        return {"estimate_hours": Decimal(rng.randrange(5, 400, 5)).scaleb(-1)}
    if task.due_date is not None and chance < 0.95:
        return {"due_date": task.due_date + timedelta(days=rng.randint(1, 14))}
    return {"priority": rng.randint(1, 5)}


ROLES = ("LEAD", "CAST", "CAST", "CAST", "WRITER", "CAMERA", "EDITOR", "COMPOSER", "PRODUCER")


def cast_and_crew(
    rng: Random, plans: Sequence[Plan], talent: Sequence[int], calendar: Calendar
) -> Iterator[Change]:
    """Who is booked for what; one person may have two roles."""
    for plan in plans:
        production = plan.production
        booked = {(person, rng.choice(ROLES)) for person in rng.sample(talent, rng.randint(5, 16))}
        if production.director_id is not None:
            booked.add((production.director_id, "DIRECTOR"))
        for billing, (person, role) in enumerate(sorted(booked), start=1):
            character = rng.choice(words.CHARACTERS) if role in {"LEAD", "CAST"} else None
            record = Credit(production.production_id, person, role, billing, character)
            first, *later = moments(rng, plan.created, calendar.close, rng.randint(1, 3))
            yield from lived(record, first, [(at, _terms(rng)) for at in later])


def _terms(rng: Random) -> dict[str, Any]:
    fee = money(rng, 4_000, 900_000) if rng.random() < 0.8 else None
    return {"fee": fee, "confirmed": rng.random() < 0.85}


def contracts(
    rng: Random, plans: Sequence[Plan], vendors: Sequence[Vendor], calendar: Calendar
) -> Iterator[Change]:
    """What each production buys; whoever is about to shoot has a signed insurance."""
    numbers = count(FIRST_NUMBER)
    sellers = {kind: [each for each in vendors if each.kind == kind] for kind in words.VENDOR_WORDS}
    for plan in plans:
        for kind in ("INSURANCE", *rng.choices(words.VENDOR_KINDS, k=rng.randint(2, 8))):
            seller = rng.choice(sellers[kind])
            yield from _contract(rng, next(numbers), plan, seller, calendar)


def _contract(
    rng: Random, key: int, plan: Plan, vendor: Vendor, calendar: Calendar
) -> Iterator[Change]:
    amount = money(rng, 2_000, 400_000)
    record = VendorContract(
        key,
        plan.production.production_id,
        vendor.vendor_id,
        vendor.kind,
        amount,
        starts_on=plan.start - timedelta(days=14),
        ends_on=plan.wrap + timedelta(days=30),
    )
    created = plan.created + timedelta(hours=rng.randint(1, 24))
    due = min(midnight(plan.start), calendar.close)
    terms = moments(rng, created, due, rng.randint(1, 4))
    steps: list[Step] = [(at, {"amount": money(rng, 2_000, 400_000)}) for at in terms[:-1]]
    shoots_soon = plan.start < calendar.day(30)
    if vendor.kind == "INSURANCE" or rng.random() < (0.93 if shoots_soon else 0.4):
        steps.append((terms[-1], {"signed": True, "signed_on": terms[-1].date(), "amount": amount}))
    closes = midnight(plan.wrap + timedelta(days=100))
    if closes < calendar.close:
        steps.append((closes, {"active": False}))
    return lived(record, created, steps)


def invoices(rng: Random, signed: Sequence[VendorContract], calendar: Calendar) -> Iterator[Change]:
    """Instalments of signed contracts, mostly paid when they are due, some corrected."""
    numbers = count(FIRST_NUMBER)
    for contract in signed:
        if contract.signed_on is None:
            continue
        parts = rng.randint(0, 6)
        for at in moments(rng, midnight(contract.signed_on), calendar.close, parts):
            yield from _invoice(rng, next(numbers), contract, parts, at, calendar)


def _invoice(
    rng: Random, key: int, contract: VendorContract, parts: int, at: datetime, calendar: Calendar
) -> Iterator[Change]:
    due = at.date() + timedelta(days=30)
    amount = (contract.amount / parts).quantize(Decimal("0.01"))
    record = Invoice(key, contract.contract_id, amount, at.date(), due, at.replace(tzinfo=None))
    steps: list[Step] = []
    if rng.random() < 0.15:
        steps.append((at + timedelta(days=rng.randint(1, 5)), {"amount": amount - 1}))
    if rng.random() < 0.88:
        paid = midnight(due) + timedelta(days=rng.randint(-6, 20), hours=11)
        steps.append((paid, {"paid_on": paid.date()}))
    return lived(record, at, (step for step in steps if step[0] < calendar.close))


def notes(
    rng: Random, plans: Sequence[Plan], crew: Sequence[int], calendar: Calendar
) -> Iterator[Change]:
    """What people told each other about a production, edited now and then."""
    numbers, texts = count(FIRST_NUMBER), cycle(words.NOTES)
    for plan in plans:
        ends = min(midnight(plan.wrap + timedelta(days=90)), calendar.close)
        for at in moments(rng, plan.created, ends - timedelta(days=1), rng.randint(3, 16)):
            record = Note(
                next(numbers), plan.production.production_id, rng.choice(crew), at, next(texts)
            )
            edited = at + timedelta(minutes=rng.randint(1, 600))
            changes: list[Step] = [(edited, {"pinned": True})] if rng.random() < 0.3 else []
            yield from lived(record, at, changes)

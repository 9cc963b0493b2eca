"""What the studio wrote down, from its opening until the night before yesterday.

Each data source draws from a generator of its own, so a change to one leaves the others as they
were. Dates follow the life of a production: development, preparation, shooting, post, done.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any, TypeVar

from genesis.demo import words
from genesis.demo.dates import Calendar, midnight, moments
from genesis.demo.making import (
    FIRST_NUMBER,
    Plan,
    Step,
    cast_and_crew,
    contracts,
    invoices,
    lived,
    money,
    notes,
    schedule_days,
    tasks,
)
from genesis.demo.records import (
    Change,
    Location,
    Movie,
    Person,
    Production,
    Record,
    Vendor,
    VendorContract,
    key_of,
)

PEOPLE = range(FIRST_NUMBER, FIRST_NUMBER + 1_400)
DIRECTORS, LINE_PRODUCERS = PEOPLE[:90], PEOPLE[80:180]  # ten people do both
CREW, TALENT = PEOPLE[200:500], PEOPLE[500:]
VENDORS = range(FIRST_NUMBER, FIRST_NUMBER + 420)
PRODUCTIONS = range(FIRST_NUMBER, FIRST_NUMBER + 640)
FILMS_MADE_AGAIN = 560

R = TypeVar("R", bound=Record)


def studio_history(
    seed: int, calendar: Calendar, films: Sequence[Movie], places: Sequence[Location]
) -> dict[str, list[Change]]:
    """All changes by data source, those of one record side by side and in order."""

    def dice(name: str) -> Random:
        return Random(f"{seed} {name}")

    plans = list(production_plans(dice("plan"), films, places, calendar))
    sellers = list(vendors(dice("vendor"), places, calendar))
    bought = list(
        contracts(dice("vendor_contract"), plans, newest(sellers, Vendor), calendar),
    )
    history: Mapping[str, Iterable[Change]] = {
        "movie": movies(dice("movie"), films, plans, calendar),
        "person": people(dice("person"), places, calendar),
        "location": locations(places, calendar),
        "vendor": sellers,
        "production": productions(dice("production"), plans, calendar),
        "vendor_contract": bought,
        "invoice": invoices(dice("invoice"), newest(bought, VendorContract), calendar),
        "task": tasks(dice("task"), plans, CREW, calendar),
        "schedule_day": schedule_days(dice("schedule_day"), plans, calendar),
        "credit": cast_and_crew(dice("credit"), plans, TALENT, calendar),
        "note": notes(dice("note"), plans, CREW, calendar),
    }
    return {
        source: list(with_mishaps(dice(f"mishaps of {source}"), source, changes, calendar))
        for source, changes in history.items()
    }


def newest(changes: Iterable[Change], kind: type[R]) -> list[R]:
    """Each record as it was written last, without the deleted ones."""
    last = {key_of(change.record): change for change in sorted(changes, key=lambda each: each.at)}
    kept = (change.record for change in last.values() if change.op != "d")
    return [record for record in kept if isinstance(record, kind)]


def locations(places: Sequence[Location], calendar: Calendar) -> Iterator[Change]:
    """The places as first read; every third one got a sound stage later."""
    for number, place in enumerate(places):
        yield Change(calendar.opening, "r", place)
        if number % 3 == 0:
            built = midnight(calendar.day(-600 + 7 * number))
            yield Change(built, "u", place._replace(has_stage=True))


def people(rng: Random, places: Sequence[Location], calendar: Calendar) -> Iterator[Change]:
    """Everyone the studio works with, four in five of them known at its opening."""
    for number in PEOPLE:
        unusual = rng.random() < 0.02
        name = f"{rng.choice(words.GIVEN_NAMES)} {rng.choice(words.FAMILY_NAMES)}"
        record = Person(
            number,
            rng.choice(words.UNUSUAL_NAMES) if unusual else name,
            email=f"person{number}@example.com" if rng.random() < 0.9 else None,
            phone=_phone(rng),
            guild=rng.choice(words.GUILDS),
            desk=rng.choice(words.DESKS),
            home_id=rng.choice(places).location_id if rng.random() < 0.9 else None,
            hired_on=calendar.day(-rng.randint(730, 6_000)),
        )
        changes: list[Mapping[str, Any]] = [
            {"desk": rng.choice(words.DESKS)},
            {"phone": _phone(rng), "active": rng.random() < 0.95},
            {"home_id": rng.choice(places).location_id},
        ]
        known, *later = moments(rng, calendar.opening, calendar.close, rng.randint(1, 4))
        steps = list(zip(later, changes, strict=False))
        if rng.random() < 0.8:
            yield from lived(record, calendar.opening, steps, op="r")
        else:
            yield from lived(record, known, steps)


def _phone(rng: Random) -> str | None:
    """A number from the ranges kept free for stories, some with a plus in front."""
    last = rng.randrange(100)
    return rng.choice((f"+44 20 7946 00{last:02}", f"310-555-01{last:02}", None))


def vendors(rng: Random, places: Sequence[Location], calendar: Calendar) -> Iterator[Change]:
    """Companies the studio buys from, with postal codes that start with zeros."""
    kinds = ("INSURANCE", *words.VENDOR_KINDS)
    for number in VENDORS:
        place, kind = rng.choice(places), rng.choice(kinds)
        record = Vendor(
            f"V{number}",
            f"{rng.choice(words.VENDOR_WORDS[kind])} {place.city} {rng.choice(words.COMPANY_FORMS)}",
            kind,
            place.country,
            postal_code=f"{rng.randrange(1_000, 40_000):05}",
            contact_name=f"{rng.choice(words.GIVEN_NAMES)} {rng.choice(words.FAMILY_NAMES)}",
            phone=_phone(rng),
            rating=round(rng.uniform(1, 5), 1),
        )
        changed = moments(rng, calendar.opening, calendar.close, rng.randint(0, 4))
        steps = [(at, {"rating": round(rng.uniform(1, 5), 1)}) for at in changed]
        yield from lived(record, calendar.opening, steps, op="r")


KINDS = ("REMAKE", "REMAKE", "REMAKE", "SEQUEL", "SERIES", "RESTORATION")
REGIONS = {"UCAN": 7, "EMEA": 6, "APAC": 5, "LATAM": 2}  # of twenty productions


def production_plans(
    rng: Random, films: Sequence[Movie], places: Sequence[Location], calendar: Calendar
) -> Iterator[Plan]:
    """The productions as they stand, their shooting spread from a year ago to nine months ahead."""
    chosen = rng.sample(films, FILMS_MADE_AGAIN)
    chosen += rng.choices(chosen, k=len(PRODUCTIONS) - FILMS_MADE_AGAIN)  # some are made twice
    near = {region: [each for each in places if each.region == region] for region in REGIONS}
    for number, film in zip(PRODUCTIONS, chosen, strict=True):
        start = calendar.day(rng.randint(-420, 270))
        wrap = start + timedelta(days=rng.randint(22, 70))
        created = min(
            midnight(start) - timedelta(days=rng.randint(150, 260)),
            calendar.close - timedelta(days=rng.randint(3, 60), minutes=rng.randrange(1_440)),
        )
        region = rng.choices(list(REGIONS), weights=list(REGIONS.values()))[0]
        sites = rng.sample(near[region], 3)
        status = phase(start, wrap, calendar.day(-2))
        held = status == "DEV" and rng.random() < 0.08
        undecided = 0.25 if status == "DEV" else 0.0
        adjective, noun = rng.choice(words.ADJECTIVES), rng.choice(words.NOUNS)
        unusual = rng.random() < 0.04
        production = Production(
            number,
            film.movie_id,
            f"{adjective[:2]}{noun[:2]}-{number}".upper(),
            rng.choice(KINDS),
            "HOLD" if held else status,
            working_title=rng.choice(words.UNUSUAL_TITLES) if unusual else f"{adjective} {noun}",
            country=sites[0].country,
            start_date=None if held else start,
            wrap_date=None if held else wrap,
            budget=money(rng, 800, 95_000) * 1_000,
            line_producer_id=_unless(rng, undecided, rng.choice(LINE_PRODUCERS)),
            director_id=_unless(rng, undecided, rng.choice(DIRECTORS)),
            base_id=sites[0].location_id,
            is_test=rng.random() < 0.01,
        )
        yield Plan(production, created, start, wrap, sites)


def _unless(rng: Random, odds: float, person: int) -> int | None:
    return None if rng.random() < odds else person


def phase(start: date, wrap: date, day: date) -> str:
    """The status of a production that shoots from `start` until `wrap`."""
    if day < start - timedelta(days=90):
        return "DEV"
    if day < start:
        return "PREP"
    if day <= wrap:
        return "SHOOT"
    return "POST" if day < wrap + timedelta(days=90) else "DONE"


def productions(rng: Random, plans: Sequence[Plan], calendar: Calendar) -> Iterator[Change]:
    """How each production came to stand as it does: appointments, slips, budgets, phases."""
    for plan in plans:
        final = plan.production
        idea = final._replace(status_code="DEV", line_producer_id=None, director_id=None)
        steps = [*_decisions(rng, plan, calendar), *_phases(plan, calendar)]
        yield from lived(idea, plan.created, sorted(steps, key=itemgetter(0)))


def _decisions(rng: Random, plan: Plan, calendar: Calendar) -> Iterator[Step]:
    final = plan.production
    until = min(midnight(plan.start), calendar.close)
    hired, directed, *revised, settled = moments(rng, plan.created, until, rng.randint(5, 14))
    yield hired, {"line_producer_id": final.line_producer_id}
    yield directed, {"director_id": final.director_id}
    for at in revised:
        if rng.random() < 0.5:
            yield at, {"budget": money(rng, 800, 95_000) * 1_000}
        else:
            slip = timedelta(days=rng.choice((-14, -7, 7, 14, 28)))
            yield at, {"start_date": plan.start + slip, "wrap_date": plan.wrap + slip}
    settlement = {
        "start_date": final.start_date,
        "wrap_date": final.wrap_date,
        "budget": final.budget,
    }
    yield settled, settlement | ({"status_code": "HOLD"} if final.status_code == "HOLD" else {})


def _phases(plan: Plan, calendar: Calendar) -> Iterator[Step]:
    """The phases a production went through, each from its first morning on."""
    if plan.production.status_code == "HOLD":
        return
    begins = {
        "PREP": plan.start - timedelta(days=90),
        "SHOOT": plan.start,
        "POST": plan.wrap + timedelta(days=1),
        "DONE": plan.wrap + timedelta(days=90),
    }
    for status, day in begins.items():
        at = max(midnight(day), plan.created + timedelta(hours=1))
        if at < calendar.close:
            yield at, {"status_code": status}


def movies(
    rng: Random, films: Sequence[Movie], plans: Sequence[Plan], calendar: Calendar
) -> Iterator[Change]:
    """The films as first read, soon put right, with dates for those that will be shown."""
    made_again = {plan.production.movie_id: plan for plan in reversed(plans)}
    for film in films:
        rough = film._replace(runtime_minutes=None, directed_by=None, oscars=0)
        put_right = moments(rng, calendar.opening, midnight(calendar.day(-400)), 2)
        facts = (
            {"directed_by": film.directed_by, "oscars": film.oscars},
            {"runtime_minutes": film.runtime_minutes},
        )
        steps: list[Step] = list(zip(put_right, facts, strict=True))
        if plan := made_again.get(film.movie_id):
            steps += _release(rng, plan, calendar)
        elif rng.random() < 0.2:
            steps.append(_second_showing(rng, calendar))
        yield from lived(rough, calendar.opening, sorted(steps, key=itemgetter(0)), op="r")


def _release(rng: Random, plan: Plan, calendar: Calendar) -> Iterator[Step]:
    """Delivery and launch of a new version, put off a few times, now and then too tight."""
    tight = rng.random() < 0.08
    delivery = plan.wrap + timedelta(days=rng.randint(-20, -1) if tight else rng.randint(45, 120))
    launch = delivery + timedelta(days=rng.randint(30, 150))
    changed = moments(rng, plan.created, calendar.close, rng.randint(1, 4))
    for remaining, at in zip(reversed(range(len(changed))), changed, strict=True):
        early = timedelta(weeks=2 * remaining)
        yield at, {"delivery_date": delivery - early, "launch_date": launch - early}


def _second_showing(rng: Random, calendar: Calendar) -> Step:
    """A library film that is shown again as it is."""
    (at,) = moments(rng, midnight(calendar.day(-300)), calendar.close, 1)
    return at, {"launch_date": calendar.day(rng.randint(-200, 400))}


LOST = {"person": 0.01, "task": 0.02, "schedule_day": 0.02, "credit": 0.03, "note": 0.03}
BACK_AGAIN = 0.1  # of the lost ones
SAME_INSTANT = {"movie", "person", "task", "schedule_day", "credit", "note"}


def with_mishaps(
    rng: Random, source: str, changes: Iterable[Change], calendar: Calendar
) -> Iterator[Change]:
    """The changes as a real log has them: some deleted, some at one instant, some late."""
    for _, lives in groupby(changes, key=lambda change: key_of(change.record)):
        life = list(lives)
        if rng.random() < LOST.get(source, 0.0):
            life += _loss(rng, life[-1], calendar)
        previous = life[0]
        for change in life:
            if source in SAME_INSTANT and rng.random() < 0.003:
                change = change._replace(at=previous.at)
            elif rng.random() < 0.01:
                change = change._replace(late=timedelta(minutes=rng.randint(5, 4_000)))
            yield change
            previous = change


def _loss(rng: Random, last: Change, calendar: Calendar) -> Iterator[Change]:
    """A record's deletion, for a few of them with its return."""
    remaining = calendar.close - last.at
    yield last._replace(at=last.at + remaining / 2, op="d")
    if rng.random() < BACK_AGAIN:
        yield last._replace(at=last.at + remaining * 3 / 4, op="c")

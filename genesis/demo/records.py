"""What the studio writes down: one record type per data source, columns as in `definitions/`.

Values are what a system of record holds (dates, decimals, instants); how they travel as text is
decided in `wire`.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple


class Movie(NamedTuple):
    """A film the studio may make again."""

    movie_id: int
    title: str
    imdb_id: str | None = None
    release_year: int | None = None
    released_on: date | None = None
    runtime_minutes: int | None = None
    genres: str | None = None
    directed_by: str | None = None
    languages: str | None = None
    countries: str | None = None
    oscars: int = 0
    delivery_date: date | None = None
    launch_date: date | None = None


class Person(NamedTuple):
    """Someone the studio works with."""

    person_id: int
    full_name: str
    email: str | None = None
    phone: str | None = None
    guild: str | None = None
    desk: str | None = None
    home_id: str | None = None
    hired_on: date | None = None
    active: bool = True


class Location(NamedTuple):
    """A place to shoot in, named by its nearest airport."""

    location_id: str
    city: str
    subdivision: str | None
    country: str
    region: str
    time_zone: str
    airport: str
    latitude: float
    longitude: float
    has_stage: bool = False


class Vendor(NamedTuple):
    """A company the studio buys from."""

    vendor_id: str
    name: str
    kind: str
    country: str
    postal_code: str | None = None
    contact_name: str | None = None
    phone: str | None = None
    rating: float | None = None
    active: bool = True


class Production(NamedTuple):
    """One making of a film."""

    production_id: int
    movie_id: int | None
    code: str
    kind: str
    status_code: str
    working_title: str | None = None
    country: str | None = None
    start_date: date | None = None
    wrap_date: date | None = None
    budget: Decimal | None = None
    line_producer_id: int | None = None
    director_id: int | None = None
    base_id: str | None = None
    is_test: bool = False


class VendorContract(NamedTuple):
    """What a production buys from a vendor."""

    contract_id: int
    production_id: int
    vendor_id: str
    kind: str
    amount: Decimal
    starts_on: date | None = None
    ends_on: date | None = None
    signed: bool = False
    signed_on: date | None = None
    active: bool = True


class Invoice(NamedTuple):
    """An instalment of a contract."""

    invoice_id: int
    contract_id: int
    amount: Decimal
    invoiced_on: date
    due_on: date
    received_at: datetime  # without a zone, as the accounting system writes it: UTC
    paid_on: date | None = None


class Task(NamedTuple):
    """Something to do for a production."""

    task_id: int
    production_id: int
    title: str
    created_at: datetime
    department: str | None = None
    status: str = "TODO"
    priority: int = 3
    due_date: date | None = None
    assignee_id: int | None = None
    estimate_hours: Decimal | None = None


class ScheduleDay(NamedTuple):
    """A day of shooting of one unit."""

    schedule_day_id: int
    production_id: int
    shoot_date: date
    unit: str
    day_number: int
    location_id: str
    call_time: time  # on the wall at the location
    call_at: datetime  # the instant that is
    scenes: str | None = None
    status: str = "PLANNED"


class Credit(NamedTuple):
    """What a person does in a production; these three are the key."""

    production_id: int
    person_id: int
    role: str
    billing: int | None = None
    character_name: str | None = None
    fee: Decimal | None = None
    confirmed: bool = False


class Note(NamedTuple):
    """What somebody wrote about a production."""

    note_id: int
    production_id: int
    author_id: int | None
    created_at: datetime
    text: str
    pinned: bool = False


Record = (
    Movie
    | Person
    | Location
    | Vendor
    | Production
    | VendorContract
    | Invoice
    | Task
    | ScheduleDay
    | Credit
    | Note
)


SOURCES: Mapping[type[Record], str] = {
    Movie: "movie",
    Person: "person",
    Location: "location",
    Vendor: "vendor",
    Production: "production",
    VendorContract: "vendor_contract",
    Invoice: "invoice",
    Task: "task",
    ScheduleDay: "schedule_day",
    Credit: "credit",
    Note: "note",
}


def key_of(record: Record) -> tuple[object, ...]:
    """The primary key: the first column, of a credit the first three."""
    return record[:3] if isinstance(record, Credit) else record[:1]


class Change(NamedTuple):
    """A record as the system of record wrote it, when, and how much later than that it arrives."""

    at: datetime
    op: Literal["r", "c", "u", "d"]
    record: Record
    late: timedelta = timedelta()


def by_source(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """The changes of each data source, in the order given; every data source is there."""
    found: dict[str, list[Change]] = {source: [] for source in SOURCES.values()}
    for change in changes:
        found[SOURCES[type(change.record)]].append(change)
    return found

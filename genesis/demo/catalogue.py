"""The two files of real facts the made-up studio is built around: films and places."""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from genesis.demo.records import Location, Movie

FOLDER = Path(__file__).parent


def films() -> tuple[Movie, ...]:
    """The films the studio may make again, as Wikidata describes them."""
    return tuple(
        Movie(
            movie_id=int(row["movie_id"]),
            title=row["title"],
            imdb_id=row["imdb_id"],
            release_year=int(row["release_year"]),
            released_on=date.fromisoformat(row["released_on"]),
            runtime_minutes=int(row["runtime_minutes"]) if row["runtime_minutes"] else None,
            genres=row["genres"] or None,
            directed_by=row["directed_by"] or None,
            languages=row["languages"] or None,
            countries=row["countries"] or None,
            oscars=int(row["oscars"]),
        )
        for row in _rows("films.csv")
    )


def places() -> tuple[Location, ...]:
    """The places the studio shoots in, each named by its nearest airport."""
    return tuple(
        Location(
            location_id=row["location_id"],
            city=row["city"],
            subdivision=row["subdivision"] or None,
            country=row["country"],
            region=row["region"],
            time_zone=row["time_zone"],
            airport=row["airport"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
        )
        for row in _rows("places.csv")
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)

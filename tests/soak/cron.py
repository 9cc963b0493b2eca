"""Every zone that changes its clocks, three years, minute by minute: `next_fires` against Debian's cron.

    python -m tests.soak.cron --shapes 12 --seed 1

Beside the shapes that are always tried, each zone has so many of its own. Zones that change their clocks alike are
walked through once, and the days round their changes for each. The exit code tells whether anything differed.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.schedule import debian

TOLD = 20


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    start = datetime(asked.year, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=365 * asked.years)
    zones = debian.zones_with_changes(start, end)
    print(f"seed {seed}: {len(zones)} zones, {len(set(zones.values()))} of them unlike one another")
    fires, faults, began = 0, 0, time.process_time()
    for name, span in _spans(zones, start, end):
        zone = ZoneInfo(name)
        chance = random.Random(f"{seed} {name}")
        shown = debian.clocks(zone, *span)
        mine = [debian.random_shape(chance) for _ in range(asked.shapes)]
        for shape in (*debian.SHAPES, *mine):
            count, found = debian.compare(shape, zone, shown)
            fires += count
            faults += len(found)
            print(*(f"\n{fault}" for fault in found[:TOLD]), end="", sep="")
        print(f"\r{fires:,} fires, {faults} mismatches, {name}", end="\x1b[K", flush=True)
    print(f"\n{fires:,} fires, {faults} mismatches, {time.process_time() - began:.0f} CPU seconds")
    return 1 if faults else 0


def _spans(
    zones: dict[str, tuple[tuple[int, int], ...]], start: datetime, end: datetime
) -> Iterator[tuple[str, tuple[datetime, datetime]]]:
    walked = set()
    for name, when in zones.items():
        if when not in walked:
            walked.add(when)
            yield name, (start, end)
        else:
            for span in debian.windows(when, timedelta(hours=13)):
                yield name, span


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", type=int, default=12, help="random shapes of each zone")
    parser.add_argument("--seed", type=int, help="of the random shapes; chosen and told without it")
    parser.add_argument("--year", type=int, default=2026, help="the first year")
    parser.add_argument("--years", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

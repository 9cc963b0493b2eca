"""Weeks of scheduling in virtual time until a number of days: no slot missed, doubled or out of order.

    python -m tests.soak.schedule --trackers 10000 --days 30 --seed 1
    python -m tests.soak.schedule --url postgresql://postgres@127.0.0.1/empty

The exit code tells whether all was right; a seed that is not gives the same again.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from pathlib import Path

from tests.run.world import World


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}: {asked.trackers:,} trackers, {asked.days} days")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root), asked.url, seed, asked.trackers, asked.days)
        world.live()
        wrong = list(world.wrong())
        world.ledger.close()
    for line in wrong[:20]:
        print(line)
    counts = world.counts
    print(
        f"{len(world.places.writes):,} writes, {counts['died']:,} deaths, {counts['over']:,} taken over,"
        f" {len(wrong):,} wrong, {time.monotonic() - start:,.0f} s"
    )
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trackers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, help="chosen and told without it")
    parser.add_argument("--url", default="sqlite:///state.db", help="the ledger's database")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

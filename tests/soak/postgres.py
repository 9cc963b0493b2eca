"""Kills of PostgreSQL and of genesis under load until a count: nothing is lost, nothing doubled.

    python -m tests.soak.postgres --rounds 100 --seed 1

In a round writers write, and alter columns that nobody reads, while up to six things are killed, then source and target are compared; every
fifth round compacts the logs. The exit code tells whether all rounds were right.
"""

from __future__ import annotations

import argparse
import random
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lake.storm import Storm
from tests.postgres import Postgres, running


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    dice = random.Random(seed)
    print(f"seed {seed}: {asked.rounds:,} rounds")
    with running() as server, _storm(server, seed) as storm:
        start = time.monotonic()
        for number in range(1, asked.rounds + 1):
            storm.blow(kills=dice.randint(1, 6))
            if number % 5 == 0:
                storm.compact()
            kills = ", ".join(f"{what} {count:,}" for what, count in sorted(storm.kills.items()))
            print(
                f"\r{number:,} rounds, {time.monotonic() - start:,.0f} s, {storm.committed:,} transactions, {kills}",
                end="",
                flush=True,
            )
    print()
    return 0


@contextmanager
def _storm(server: Postgres, seed: int) -> Iterator[Storm]:
    with tempfile.TemporaryDirectory() as root, Storm(server, Path(root), seed) as storm:
        yield storm


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="rounds to blow")
    parser.add_argument("--seed", type=int, help="chosen and told without it")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

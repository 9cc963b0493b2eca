"""Nodes of a scheduler killed and stopped at random until a count: no slot lost, none done twice.

    python -m tests.soak.scheduler --kills 1000 --seed 1
    python -m tests.soak.scheduler --kills 1000 --postgres

Every fifty kills what is left is done, and slots are compared with what was written. The exit code
tells whether all was right.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.postgres import running
from tests.run.storm import Storm

ROUND = 50


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}: {asked.kills:,} kills")
    start, kills, runs = time.monotonic(), Counter[str](), Counter[str]()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running()) if asked.postgres else None
        for number in range(-(-asked.kills // ROUND)):
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = server.new_database() if server else "sqlite:///state.db"
            storm = Storm(root, url, seed + number)
            storm.blow(kills=min(ROUND, asked.kills - number * ROUND))
            storm.calm_down()
            kills, runs = kills + storm.kills, runs + storm.states()
            told = ", ".join(f"{what} {count:,}" for what, count in sorted(kills.items()))
            ended = ", ".join(f"{state} {count:,}" for state, count in sorted(runs.items()))
            print(f"{told}; {ended}; {time.monotonic() - start:,.0f} s", flush=True)
            if wrong := list(storm.wrong()):
                print("\n".join([f"wrong in round {number} of seed {seed}:", *wrong]))
                return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, help="chosen and told without it")
    parser.add_argument("--postgres", action="store_true", help="with the ledger in a PostgreSQL")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

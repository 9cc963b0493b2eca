"""Random scripts of data and people on an emulated service until a count: nobody's work is lost.

    python -m tests.soak.trackers --count 10000 --seed 1
    python -m tests.soak.trackers --sink airtable --count 1000

A script is its number: `--seed N --count 1` plays it again and tells what people did. The exit code
tells whether any failed.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.sinks.airtable_scripts import BaseScript, base_desk
from tests.sinks.sheets_scripts import Script, desk

PLAYERS: dict[str, tuple[type[Script], Callable[[Path], Any]]] = {
    "google_sheets": (Script, desk),
    "airtable": (BaseScript, base_desk),
}
BATCH = 50
TOLD = 5


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}: {asked.count:,} scripts")
    done, failed, start = 0, 0, time.monotonic()
    for played, faults in _batches(seed, asked):
        done += played
        for fault in faults:
            failed += 1
            if failed <= TOLD:
                print(f"\n{fault}")
        rate = done / (time.monotonic() - start)
        print(f"\r{done:,} of {asked.count:,}, {rate:.1f} a second, {failed} failed", end="", flush=True)  # fmt: skip
    print()
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="scripts to play")
    parser.add_argument("--sink", choices=PLAYERS, default="google_sheets")
    parser.add_argument("--seed", type=int, help="where to start; chosen and told without it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _batches(seed: int, asked: argparse.Namespace) -> Iterator[tuple[int, list[str]]]:
    seeds = range(seed, seed + asked.count)
    batches = [seeds[start : start + BATCH] for start in range(0, asked.count, BATCH)]
    with ProcessPoolExecutor(asked.jobs) as workers:
        yield from workers.map(partial(_play, asked.sink), batches)


def _play(sink: str, seeds: range) -> tuple[int, list[str]]:
    faults = []
    player, opened = PLAYERS[sink]
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as shared:
        for seed in seeds:
            script = player(seed, shared)
            try:
                script.play()
            except Exception:  # noqa: BLE001  # whatever a script ends in is told with what led there
                told = "\n".join(script.told)
                faults.append(f"script {seed}\n{told}\n{traceback.format_exc()}")
    return len(seeds), faults


if __name__ == "__main__":
    sys.exit(main())

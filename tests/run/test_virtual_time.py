"""Days in virtual time, with crashes at random: no slot missed, none done twice, none out of order.

`python -m tests.soak.schedule` lives longer, with more trackers and seeds of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.world import Faults, World

SEED = 20261123


def lived(root: Path, url: str = "sqlite:///state.db", **more: object) -> World:
    world = World(root, url, **{"seed": SEED, **more})  # type: ignore[arg-type]
    world.live()
    return world


def wrong(world: World) -> list[str]:
    """What is wrong, with the seed that gives the same again."""
    found = [f"seed {world.seed}: {what}" for what in world.wrong()]
    world.ledger.close()
    return found


def test_a_week_of_a_thousand_trackers(tmp_path: Path) -> None:
    """With some hundred deaths, clocks put by hand, and the end of a summer time."""
    world = lived(tmp_path, trackers=1_000, days=7)
    assert wrong(world) == []
    assert world.counts["died"] > 100
    assert world.counts["over"] > 50


def test_postgres_is_as_right(tmp_path: Path, database: str) -> None:
    assert wrong(lived(tmp_path, database, trackers=60, days=4)) == []


def test_a_seed_tells_the_same_again(tmp_path: Path) -> None:
    one, other = (lived(tmp_path / name, trackers=40, days=2) for name in ("one", "other"))
    one.ledger.close()
    other.ledger.close()
    assert one.log == other.log
    assert len(one.log) > 50


@pytest.mark.parametrize("faults", [Faults(answer_is_lost=0.2), Faults(stands_still=0.1)])
def test_a_place_that_is_written_unread_is_found_out(tmp_path: Path, faults: Faults) -> None:
    """The checker finds what comes of no look before the write, and of no look at the lease."""
    assert wrong(lived(tmp_path, trackers=60, days=2, faults=faults, checks=False))

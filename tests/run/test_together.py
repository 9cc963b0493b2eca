"""Calls of several threads, done by one of them: none returns too early, none fails for another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from genesis.errors import EngineBusy, Problem
from genesis.run.together import Together


class Desk:
    """Serves what is asked for; the first time, when it is told to."""

    def __init__(self) -> None:
        self.served: list[list[str]] = []
        self.opens = threading.Event()

    def __call__(self, requests: Sequence[str]) -> None:
        self.opens.wait(10)
        self.served.append(sorted(requests))
        if "away" in requests:
            raise EngineBusy(Problem("state-failed", "the server is away"))
        if "bad" in requests:
            raise ValueError("bad")


def served(*requests: str) -> tuple[list[list[str]], list[type[BaseException] | None]]:
    """What was served at once, after a first request that took its time; what each of the others raised."""
    desk = Desk()
    together: Together[str] = Together(desk)
    with ThreadPoolExecutor(len(requests) + 1) as threads:
        first = threads.submit(together, "first")
        while not together._is_led or together._waiting:
            pass
        others = [threads.submit(together, request) for request in requests]
        while len(together._waiting) < len(requests):
            pass
        assert not any(each.done() for each in (first, *others))
        desk.opens.set()
        raised = [type(error) if (error := each.exception()) else None for each in others]
    return desk.served, raised


def test_what_waits_is_served_at_once() -> None:
    assert served("a", "b", "c") == ([["first"], ["a", "b", "c"]], [None] * 3)


def test_one_that_fails_fails_alone() -> None:
    together, raised = served("a", "bad")
    assert together == [["first"], ["a", "bad"], ["a"], ["bad"]]
    assert raised == [None, ValueError]


def test_a_ledger_that_is_away_is_away_for_all() -> None:
    """What was done is not known; so it is not done again."""
    assert served("a", "away") == ([["first"], ["a", "away"]], [EngineBusy] * 2)


def test_after_a_failure_the_next_is_served() -> None:
    desk = Desk()
    desk.opens.set()
    together: Together[str] = Together(desk)
    with pytest.raises(ValueError, match="bad"):
        together("bad")
    together("a")
    assert desk.served == [["bad"], ["a"]]

"""Where examples come from: hypothesis, or a seed. A seed is ten times as fast, and replays by its number."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices:
    """Choices among things, the plainer ones first."""

    def __init__(self, number: Callable[[int, int], int]) -> None:
        self.number = number  # from the first to the last, both included

    def pick(self, things: Sequence[T]) -> T:
        return things[self.number(0, len(things) - 1)]

    def once_in(self, times: int) -> bool:
        return self.number(1, times) == times

    def flip(self) -> bool:
        return self.number(0, 1) == 1

    def several(self, things: Sequence[T], least: int, most: int) -> list[T]:
        """So many different ones of them."""
        left = list(things)
        times = min(self.number(least, most), len(left))
        return [left.pop(self.number(0, len(left) - 1)) for _ in range(times)]


def by_seed(seed: int) -> Choices:
    """Choices that a seed makes, the same ones each time."""
    draw = random.Random(seed).random
    return Choices(lambda low, high: low + int(draw() * (high - low + 1)))


def strategy(make: Callable[[Choices], T]) -> st.SearchStrategy[T]:
    """What is made by choices, as hypothesis chooses."""

    @st.composite
    def made(draw: Any) -> T:
        return make(Choices(lambda low, high: draw(st.integers(low, high))))

    return made()

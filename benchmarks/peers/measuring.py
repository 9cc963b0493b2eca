"""What each peer's script does with its model: answer one question, or time all of them."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

from questions import COLD, questions

M = TypeVar("M")


def answer(
    package: str, start: Callable[[], M], ask: Callable[[M, list[str], list[str]], str]
) -> None:
    """With `one`, print one question's SQL; else the times and the SQL of all, as JSON."""
    model = start()
    asked = questions()
    if sys.argv[1:] == ["one"]:
        print(ask(model, *asked[COLD]))
        return
    times, answers, said = [], [], ""
    for groups, numbers in asked:
        began = time.process_time()
        try:
            answers.append(ask(model, groups, numbers))
        except Exception as error:  # noqa: BLE001  (a question that a peer cannot answer is counted)
            answers.append(None)
            said = f"{type(error).__name__}: {error}"[:120]
            continue
        times.append(time.process_time() - began)
    figures = {
        "version": version(package),
        "median_ms": statistics.median(times) * 1e3 if times else None,
        "refused": answers.count(None),
        "said": said,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sql": answers,
    }
    print(json.dumps(figures))

"""One line of JSON for each thing that happens, without secrets.

The surprise: a log that cannot be written stops nothing; who lost a line is told by the next one that can be.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from genesis.redaction import redact_data
from genesis.run.queue import Claim, End


class Log:
    """Lines of what happens, on a stream; any thread may write."""

    def __init__(
        self, stream: TextIO | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._stream = stream
        self._now = now
        self._lock = threading.Lock()
        self._lost = 0

    @classmethod
    def to_file(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Log:
        """A log that is its owner's alone to read."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return cls(os.fdopen(number, "a", encoding="utf-8"), now)

    def write(self, event: str, error: BaseException | None = None, **facts: Any) -> None:
        """Write a line; facts that are `None` are left out."""
        said = {name: value for name, value in facts.items() if value is not None}
        if error is not None:
            said["error"] = "".join(traceback.format_exception(error))
        with self._lock:
            if self._lost:
                said["lost_lines"] = self._lost
            line = {"at": self._now().isoformat(), "event": event, **redact_data(said)}
            try:
                stream = self._stream or sys.stderr
                stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
                stream.flush()
            except (OSError, ValueError):  # a full disk, a reader that is gone
                self._lost += 1
            else:
                self._lost = 0

    def close(self) -> None:
        """Close the file, if it is one."""
        if self._stream is not None:
            self._stream.close()

    def claimed(self, claim: Claim) -> None:
        """An owner has a run."""
        self.write("run_claimed", **_of(claim), due_at=claim.run.due_at)

    def ended(self, claim: Claim, end: End) -> None:
        """A run ended, or will be tried again."""
        self.write(
            "run_ended",
            **_of(claim),
            outcome=end.state,
            reason=end.reason,
            error_class=end.error_class,
            rows=end.rows,
            durations=dict(end.phases or {}),
            problems=[f"{each['message']} [{each['code']}]" for each in end.problems] or None,
        )


def _of(claim: Claim) -> dict[str, Any]:
    run = claim.run
    return {
        "run": run.id,
        "key": run.run_key,
        "job": run.job,
        "attempt": run.attempt,
        "fence": claim.fence,
        "node": claim.owner,
        "phase": run.phase,
    }

"""The command line's door: an answer that was kept is told again before anything else is imported.

All else goes to `commands`. The surprise: nothing that is slow to import may be imported here.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from genesis.cli.kept import Kept, kept_for


def run_command(arguments: Sequence[str]) -> int:
    """The exit code of a command line; whatever goes wrong is told on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        kept = kept_for(arguments)
    except (OSError, RuntimeError, ValueError):
        kept = None  # a folder that is gone, a circle of links: the command tells it
    if kept is not None and _is_told_again(kept):
        return 0
    from genesis.cli.commands import run

    return run(arguments, kept)


def _is_told_again(kept: Kept) -> bool:
    answer = kept.read()
    if answer is None:
        return False
    try:
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    except OSError:
        return False  # the command meets it again, and tells it
    return True

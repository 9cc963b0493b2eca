"""`genesis`, and `python -m genesis`."""

from __future__ import annotations

import gc
import sys

# A command is short: looking for garbage while it imports is a tenth of the time it takes.
gc.set_threshold(50_000)

from genesis.cli import run_command  # noqa: E402


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()

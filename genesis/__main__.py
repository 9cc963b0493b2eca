"""`genesis`, and `python -m genesis`."""

from __future__ import annotations

import gc
import os
import sys

# A command is short: looking for garbage while it imports is a tenth of the time it takes.
gc.set_threshold(200_000)
# No plugin has a say in what YAML means, and to look for one is to read about every package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from genesis.cli import run_command  # noqa: E402


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = run_command(sys.argv[1:])
    if "duckdb" not in sys.modules:  # it would call what is frozen a leak, on stderr
        gc.freeze()  # the process ends: looking for garbage once more is a fifth of a `compile`
    sys.exit(code)


if __name__ == "__main__":
    main()

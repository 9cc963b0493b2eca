"""`genesis`, and `python -m genesis`."""

from __future__ import annotations

import gc
import os
import signal
import sys

# A command is short: looking for garbage while it imports is a tenth of the time it takes.
gc.set_threshold(200_000)
# No plugin has a say in what YAML means, and to look for one is to read about every package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

_INTERRUPTED = 130


class _Interrupt(KeyboardInterrupt):
    """Ctrl-C. Where Python meets its own in an `exec`, as dataclasses do, it ends itself by the signal, even if it is caught."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Who started it in the background may have had it ignore the signal.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        from genesis.cli import run_command  # people interrupt imports, too

        code = run_command(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = _INTERRUPTED
    if "duckdb" not in sys.modules:  # it would call what is frozen a leak, on stderr
        gc.freeze()  # the process ends: looking for garbage once more is a fifth of a `compile`
    sys.exit(code)


def _interrupt(*_: object) -> None:
    raise _Interrupt


if __name__ == "__main__":
    main()

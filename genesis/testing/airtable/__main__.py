"""Serve an empty base, `appStudio`, until somebody stops it."""

from __future__ import annotations

import contextlib
import sys
import threading

from genesis.clock import SystemClock
from genesis.testing.airtable import Airtable


def main(port: int) -> None:
    with Airtable(clock=SystemClock(), port=port) as airtable:
        airtable.base("appStudio")
        endpoint = f"sinks: {{airtable: {{endpoint: {airtable.url}}}}}"
        sys.stdout.write(f"{endpoint}  # in genesis.yaml; the base is appStudio\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)

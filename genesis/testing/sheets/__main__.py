"""Serve one empty spreadsheet, shared with the service account, until somebody stops it."""

from __future__ import annotations

import contextlib
import sys
import threading

from genesis.testing.sheets import SheetsEmulator


def main(port: int) -> None:
    """Say where it is, then wait."""
    with SheetsEmulator(port=port) as google:
        spreadsheet = google.new_spreadsheet("Trackers")
        sys.stdout.write(
            f"sinks: {{google_sheets: {{endpoint: {google.url}}}}}  # in genesis.yaml\n"
            f"google_sheets: {{spreadsheet: {spreadsheet}, tab: Sheet1}}  # a tracker's place\n"
            f"{google.url}/spreadsheets/d/{spreadsheet}/edit  # in a browser\n"
        )
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)

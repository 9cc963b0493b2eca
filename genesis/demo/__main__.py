"""`python -m genesis.demo [DIR]`: the studio's story, from change events to a tracker kept fresh.

It runs the same commands that anyone would, and tells what they do. Told twice, it goes on from
where it is: batches land once, and nobody's notes are touched.
"""

from __future__ import annotations

import sys
from pathlib import Path

from genesis.demo.story import tell

if __name__ == "__main__":
    sys.exit(tell(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))

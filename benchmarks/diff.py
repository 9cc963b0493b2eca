"""What `genesis diff` takes for an edit, of one report or of all, beside compiling every report once.

The generated project of `compile_many.py`, as texts: reading it from git is measured apart, on a repository
made for it. CPU time of one process; loading counts on both sides. Best of 3 where that is soon done.

    python benchmarks/diff.py [INPUTS ...]
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from compile_many import write_project

from genesis.cli.diff import Read
from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_texts
from genesis.review.diff import diff_projects
from genesis.revisions import Revision, files

_RECORDS = ("definitions/orders.yaml", "where: not is_test", "where: is_test = false")
_KEY = ("definitions/orders.yaml", "  order_id: integer\n  customer_id", "  order_id: {type: integer, column: id}\n  customer_id")  # fmt: skip
EDITS = {
    "nothing": [],
    "a comment": [("definitions/orders.yaml", "table: shop.orders", "table: shop.orders # all")],
    "a field that nobody uses": [("definitions/part.yaml", "size: integer", "size: string")],
    "one report": [("inputs/report_0.yaml", "source: orders", "source: orders\nlimit: 7")],
    "a field of a joined table": [("definitions/clerk.yaml", "name: string", "name: {type: string, label: Who}")],
    "the records that count, of all reports": [_RECORDS],
    "two edits, each of all reports": [_RECORDS, _KEY],
}  # fmt: skip


def main() -> None:
    for inputs in [int(word) for word in sys.argv[1:]] or [300, 3_000]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_project(root, inputs)
            measure(root, inputs)


def measure(root: Path, inputs: int) -> None:
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        who = ("-c", "user.name=n", "-c", "user.email=n@example.com")
        subprocess.run(["git", "-C", root, *who, *words], check=True)
    began = time.perf_counter()
    texts = files(root, Revision("HEAD", "HEAD")).texts
    print(f"{inputs} inputs: read from git in {time.perf_counter() - began:.2f} s")
    whole = best(lambda: compile_all(texts))
    print(f"  load and compile each once: {whole:.2f} s")
    for name, edits in EDITS.items():
        edited = dict(texts)
        for file, old, new in edits:
            assert old.encode() in edited[file]
            edited[file] = edited[file].replace(old.encode(), new.encode())
        counts: list[int] = []
        taken = best(lambda edited=edited, counts=counts: compare(texts, edited, counts))  # type: ignore[misc]
        print(f"  {name}: {taken:.2f} s, {taken / whole:.2f} of that; {counts[-1]} change")


_LONG = 10  # seconds: no need to do it again


def best(work: Callable[[], object]) -> float:
    found = []
    for _ in range(3):
        gc.collect()
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
        if found[0] > _LONG:
            break
    return min(found)


def compile_all(texts: dict[str, bytes]) -> None:
    project = load_texts(texts, Problems())
    for name in project.inputs:
        compile_input(project, name, "duckdb")


def compare(texts: dict[str, bytes], edited: dict[str, bytes], counts: list[int]) -> None:
    read = Read()
    before, after = (load_texts(each, Problems(), before=read) for each in (texts, edited))
    counts.append(len(diff_projects(before, after, "duckdb").changes))


if __name__ == "__main__":
    main()

"""Mutated YAML until a count: whatever a file holds is read, checked and told, soon and in little memory.

    python -m tests.soak.documents --count 1000000 --seed 1

A mutation is its number: `--seed N --count 1` makes it again. What ends in anything but problems,
takes a second of CPU or much memory, is kept with its traceback; the exit code tells whether any did.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from random import Random

from genesis.compile.check import check_project
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.console import show_problems
from genesis.errors import DefinitionError, Problems
from genesis.load import load_files
from tests.soak.mutations import mutated

ROOT = Path(__file__).parents[2]
BATCH = 250
MOST_SECONDS = 1.0  # of CPU
MOST_MEMORY = 1 << 30
KEPT_OF_A_KIND = 3


@dataclass(frozen=True)
class Fault:
    """A mutation that ended otherwise than in problems."""

    number: int
    kind: str
    told: str
    file: str
    text: str


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}: {asked.count:,} mutations of {len(_projects())} small projects")
    counts: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    start = time.monotonic()
    for batch, faults in _batches(seed, asked):
        counts += batch
        for fault in faults:
            kept[fault.kind] += 1
            if kept[fault.kind] <= KEPT_OF_A_KIND:
                _keep(asked.keep / f"mutation_{fault.number}", fault)
        done, faulty = sum(counts.values()), kept.total()
        rate = done / (time.monotonic() - start)
        print(f"\r{done:,} of {asked.count:,}, {rate:.0f} a second, {faulty} faulty", end="", flush=True)  # fmt: skip
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"\n{dict(sorted(counts.items()))}; at most {memory} MB\n{dict(kept)}")
    return 1 if kept else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="mutations to read")
    parser.add_argument("--seed", type=int, help="where to start; chosen and told without it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("build/mutations"))
    return parser.parse_args()


def _batches(seed: int, asked: argparse.Namespace) -> Iterator[tuple[Counter[str], list[Fault]]]:
    numbers = range(seed, seed + asked.count)
    batches = [numbers[start : start + BATCH] for start in range(0, asked.count, BATCH)]
    with ProcessPoolExecutor(asked.jobs, initializer=_bound_memory) as workers:
        yield from workers.map(_read_all, batches)


def _bound_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def _read_all(numbers: range) -> tuple[Counter[str], list[Fault]]:
    counts: Counter[str] = Counter()
    faults = []
    for number in numbers:
        outcome = read(number)
        if isinstance(outcome, Fault):
            faults.append(outcome)
            counts["faulty"] += 1
        else:
            counts[outcome] += 1
    return counts, faults


# --- one mutation ---------------------------------------------------------------------------------


def read(number: int) -> Fault | str:
    """What becomes of a mutation: refused, accepted, or its fault.

    One that took long is read once more: the first time it may have been the collector of garbage,
    which looks through all that this process read before.
    """
    outcome = _read(number)
    is_slow = isinstance(outcome, Fault) and outcome.kind == "slow"
    return _read(number) if is_slow else outcome


def _read(number: int) -> Fault | str:
    random = Random(number)
    project = random.choice(_projects())
    file = random.choice(project.files)
    text = mutated(random, file.read_text("utf-8"), _corpus())
    changed = _copy(project) / file.relative_to(project.root)
    try:
        changed.write_bytes(text.encode("utf-8", "surrogatepass"))
        outcome, seconds = _check(changed.parents[len(file.relative_to(project.root).parts) - 1])
    except Exception as failed:  # noqa: BLE001 - whatever it is, it is told
        where = traceback.extract_tb(failed.__traceback__)[-1]
        kind = f"{type(failed).__name__} in {Path(where.filename).name}:{where.name}"
        return Fault(number, kind, traceback.format_exc(), str(file), text)
    finally:
        shutil.copyfile(file, changed)
    if seconds > MOST_SECONDS:
        return Fault(number, "slow", f"{seconds:.1f} s", str(file), text)
    return outcome


def _check(root: Path) -> tuple[str, float]:
    """Read and check a project, tell its problems, and compile what has none; seconds of the first two."""
    problems = Problems()
    start = time.process_time()
    project = load_files(root, [root], problems)
    check_project(project, problems)
    seconds = time.process_time() - start
    with redirect_stderr(StringIO()):
        show_problems(problems, root=root)
    if problems.errors:
        return "refused", seconds
    for name in project.inputs:
        try:
            compile_input(project, name, "duckdb", Run())
        except DefinitionError as refused:
            codes = {problem.code for problem in refused.problems if problem.severity == "error"}
            assert codes <= {"wrong-parameter"}, f"checked without an error, but {codes}"
    return "accepted", seconds


# --- what is mutated ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Small:
    """A project of few files."""

    root: Path
    files: tuple[Path, ...]


@cache
def _projects() -> list[Small]:
    """The case folders and those of problems; studio's files one at a time would take too long each."""
    fixtures = ROOT / "tests" / "fixtures"
    roots = sorted([*(fixtures / "cases").iterdir(), *(fixtures / "errors").iterdir()])
    found = [Small(root, tuple(sorted(_yaml_in(root)))) for root in roots]
    return [project for project in found if project.files and len(project.files) < 8]


def _yaml_in(root: Path) -> Iterator[Path]:
    for file in root.rglob("*.yaml"):
        try:
            file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if file.name != "run.yaml":
            yield file


@cache
def _corpus() -> list[str]:
    """All YAML of the repository, to take parts of."""
    folders = [ROOT / "definitions", ROOT / "inputs", ROOT / "workflows"]
    studio = [file for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    small = [file for project in _projects() for file in project.files]
    return [file.read_text("utf-8") for file in (*studio, *small)]


@cache
def _scratch() -> Path:
    """A folder of this process, in memory where there is such a one."""
    memory = Path("/dev/shm")  # noqa: S108
    return Path(tempfile.mkdtemp(prefix="genesis_", dir=memory if memory.is_dir() else None))


@cache
def _copy(project: Small) -> Path:
    copied = _scratch() / f"{project.root.parent.name}_{project.root.name}"
    for file in project.files:
        target = copied / file.relative_to(project.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return copied


def _keep(folder: Path, fault: Fault) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / Path(fault.file).name).write_bytes(fault.text.encode("utf-8", "surrogatepass"))
    told = f"{fault.kind}\n{fault.file}\n{fault.told}"
    (folder / "told.txt").write_text(told, "utf-8")
    print(f"\n{fault.kind}: kept in {folder}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

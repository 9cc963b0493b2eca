"""The same 300 questions to genesis and to its peers: a cold start, each question, and whose rows are right.

    python benchmarks/peers/compare.py [PEER=PLACE ...]

Each peer lives in an environment of its own, since they pin what genesis pins otherwise. Its place is
its Python, `sidemantic=.../bin/python`, and so for `boring` and `metricflow`; Malloy's is the folder
with its `node_modules`, where npm's newest pre-release of antlr4ts breaks it (`"overrides": {"antlr4ts":
"0.5.0-alpha.4"}`). One that is not named, or is not installed there, is told and left out. Cold, a
process starts, reads or builds the model and prints one question's SQL: genesis from 309 YAML files
through its command, without a kept answer; the peers from a model in their script, which spares them
the reading. Medians of CPU time, in turns. `rows.py` says what the rows are compared with.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {
    "sidemantic": "with_sidemantic.py",
    "boring": "with_boring.py",
    "metricflow": "with_metricflow.py",
}
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def main(places: dict[str, str], rounds: int) -> None:
    from questions import COLD, ENTITIES, questions
    from with_genesis import write_project

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_project(project)
        asked = questions()
        known = {"entities": ENTITIES, "questions": asked, "cold": COLD}
        (project / "questions.json").write_text(json.dumps(known))
        ENVIRONMENT["GENESIS_PROJECT"] = folder
        question = f"report_{COLD}"
        cold = {"genesis": [sys.executable, "-m", "genesis", "-C", folder, "compile", question]}
        warm = {"genesis": [sys.executable, str(HERE / "with_genesis.py")]}
        for peer, script in SCRIPTS.items():
            warm[peer] = [places.get(peer, sys.executable), str(HERE / script)]
        warm["malloy"] = ["node", str(HERE / "with_malloy.mjs"), places.get("malloy", ".")]
        for peer, command in list(warm.items())[1:]:
            cold[peer] = [*command, "one"]
            if not _works(cold[peer]):
                print(f"{peer}: not installed in {places.get(peer, 'this environment')}; left out")
                del warm[peer], cold[peer]
        seconds: dict[str, list[float]] = {peer: [] for peer in cold}
        for _ in range(rounds):
            for peer, command in cold.items():
                shutil.rmtree(project / ".genesis", ignore_errors=True)
                seconds[peer].append(_cpu(command))
        figures = {peer: json.loads(_output(command)) for peer, command in warm.items()}
    ours = statistics.median(seconds["genesis"]), figures["genesis"]["median_ms"]
    for peer, found in figures.items():
        start, question = statistics.median(seconds[peer]), found["median_ms"]
        print(
            f"{peer:11} {found['version']:8} cold {start:5.2f} s {start / ours[0]:5.2f} x   "
            f"a question {question:6.2f} ms {question / ours[1]:6.2f} x   "
            f"{found['megabytes']:4.0f} MB {found['megabytes'] / figures['genesis']['megabytes']:4.2f} x   "
            f"refused {found['refused']} {found['said']!r}"
        )
    _tell_rows({peer: found["sql"] for peer, found in figures.items()}, asked)


def _tell_rows(
    answers: dict[str, list[str | None]], asked: list[tuple[list[str], list[str]]]
) -> None:
    """How many questions each peer answers with other rows than the right ones, and the first of them."""
    from rows import differing

    for world, peers in differing(answers, asked).items():
        for peer, questions in peers.items():
            answered = sum(sql is not None for sql in answers[peer])
            first = f"   as {questions[0]}" if questions else ""
            print(f"{world:13} {peer:11} {len(questions):3} of {answered} differ{first}")


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, env=ENVIRONMENT).returncode == 0
    except FileNotFoundError:
        return False


def _cpu(command: list[str]) -> float:
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    named = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    main(named, rounds=int(named.pop("rounds", 5)))

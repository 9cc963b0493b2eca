"""The same 300 questions to genesis and to its peers, in one run: a cold start, and each question.

    python benchmarks/peers/compare.py [PEER=PYTHON ...]

Each peer lives in an environment of its own, since they pin what genesis pins otherwise:
`sidemantic=/path/to/its/python boring=/path/to/its/python`. One that is not named, or that its
Python lacks, is told and left out. Cold, a process starts, reads or builds the model and prints one
question's SQL: genesis from 309 YAML files through its command, without a kept answer; the peers from
a model in Python, which spares them the reading. Medians of CPU time, in turns.
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
SCRIPTS = {"sidemantic": "with_sidemantic.py", "boring": "with_boring.py"}
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def main(pythons: dict[str, str], rounds: int) -> None:
    from with_genesis import write_project

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_project(project)
        ENVIRONMENT["GENESIS_PROJECT"] = folder
        cold = {"genesis": [sys.executable, "-m", "genesis", "-C", folder, "compile", "report_0"]}
        warm = {"genesis": [sys.executable, str(HERE / "with_genesis.py")]}
        for peer, script in SCRIPTS.items():
            warm[peer] = [pythons.get(peer, sys.executable), str(HERE / script)]
            cold[peer] = [*warm[peer], "one"]
            if not _works(cold[peer]):
                print(f"{peer}: not installed in {warm[peer][0]}; left out")
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
            f"{found['megabytes']:4.0f} MB   refused {found['refused']} {found['said']}"
        )


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, env=ENVIRONMENT).returncode == 0


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
    main(named, rounds=5)

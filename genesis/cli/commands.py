"""The command line: what each command takes, and how each failure ends.

stdout is data, stderr is talk. A command is imported when it is called, so that `--help` and
`check` load no engine. Exit codes: 0 done, 1 in part, 2 definitions, 3 engine, 4 sink, 5 an audit or a test, 64 a wrong
command line, 70 a bug of ours, 75 try again, 130 interrupted; 6 is what `diff --exit-code` says of a change.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from genesis.cli.kept import Kept
from genesis.errors import GenesisError, Problem, UsageError, did_you_mean
from genesis.redaction import redact

BUG, INTERRUPTED = 70, 130

_COMMANDS = {
    "init": "start a project, or a demo of one",
    "check": "tell every problem of the project's YAML",
    "explain": "tell why an input's SQL is as it is, or what a code means",
    "lineage": "tell which table columns a report's columns are made of, and draw it",
    "impact": "tell what a data source, a field, a join or a table reaches",
    "compile": "print the SQL of inputs",
    "test": "hold reports of rows that are given against what they should say",
    "preview": "show the rows of an input",
    "diff": "tell which trackers a change reaches, and why",
    "import": "take over reports of hand-written SQL, with proof",
    "run": "refresh trackers now",
    "approve": "let a change through that a run held back",
    "ingest": "take change events into the lake",
    "sinks": "tell whether services let us in, and do what we rely on",
    "views": "write views of newest records on the engine",
    "register": "make a lake's tables known to another catalog",
    "compact": "rewrite change logs to their newest records",
    "audit": "compare the lake with the systems of record",
    "heartbeat": "tell whether the path of a data source is alive",
    "schedule": "keep the trackers fresh, or tell when workflows are due",
    "export": "write what another scheduler needs to start workflows",
    "status": "tell how fresh the trackers are",
    "runs": "tell what ran, runs and waits, and why",
    "pause": "let a schedule ask for nothing for a while",
    "resume": "let it ask again",
    "cancel": "end runs that wait or go on",
    "retry": "queue again what failed",
    "alerts": "show what is wrong now, and who was told",
    "state": "make a new run ledger in the place of a damaged one",
    "introspect": "draft data sources from tables that are there",
    "schema": "write JSON Schemas of the YAML, for editors",
    "demo-sheets": "watch trackers in an emulated Google spreadsheet",
}


class _Commands(click.Group):
    """Commands by name, each in the module of that name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--target NAME` is the same behind the command: there most people write it."""
        return super().parse_args(ctx, _target_first(args))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in _COMMANDS:
            return None
        module = "import_" if name == "import" else name.replace("-", "_")  # a word of Python's
        command: click.Command = importlib.import_module(f"genesis.cli.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """The command's result; problems are told with excerpts of the project's files."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except GenesisError as error:
            from genesis.console import show_problems

            show_problems(error.problems, root=getattr(ctx.obj, "shown_root", None))
            return error.exit_code
        except BrokenPipeError:  # `genesis compile x | head`: the reader has what it wanted
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            from genesis.console import show_problems

            what = f"`{error.filename}`" if error.filename else "a file, or the output,"
            message = f"{what} cannot be used: {str(error.strerror).lower()}"
            show_problems([Problem("unreadable-file", message)])
            return GenesisError.exit_code
        return result

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and name not in _COMMANDS and not name.startswith("-"):
            hint = did_you_mean(name, _COMMANDS) or "`genesis --help` lists them"
            raise UsageError(Problem("wrong-usage", f"there is no command `{name}`", hint=hint))
        return super().resolve_command(ctx, args)


def _target_first(arguments: Sequence[str]) -> list[str]:
    first: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return [*first, *rest, argument, *waiting]
        if argument == "--target":
            first += [argument, *([name] if (name := next(waiting, None)) is not None else [])]
        else:
            (first if argument.startswith("--target=") else rest).append(argument)
    return [*first, *rest]


def _tell_version(context: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import (  # a third of what `--help` takes
            PackageNotFoundError,
            version,
        )

        try:
            number = version("genesis-trackers")
        except PackageNotFoundError:
            number = "from source"
        click.echo(f"genesis, version {number}")
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version and exit.",
)
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The project's root; by default the nearest folder upwards with a genesis.yaml.",
)
@click.option("--target", metavar="NAME", help="The target of genesis.yaml that runs the SQL.")
@click.pass_context
def genesis(context: click.Context, folder: Path | None, target: str | None) -> None:
    """Keep trackers in step with what YAML definitions mean.

    \b
    genesis init --demo studio     a project to try, with data
    genesis check                  is the YAML right?
    genesis run production_tracker refresh a tracker
    """
    from genesis.cli.session import Session

    context.obj = Session(folder, target, context.obj)


def run(arguments: Sequence[str], kept: Kept | None) -> int:
    """The exit code of a command line, and its answer into `kept`; what goes wrong is told on stderr."""
    try:
        result = genesis.main(list(arguments), prog_name="genesis", standalone_mode=False, obj=kept)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return UsageError.exit_code
    except click.ClickException as error:
        _tell_wrong_usage(error)
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the last door: a bug is told as one)
        return _tell_bug(error)
    return result if isinstance(result, int) else 0


def _tell_wrong_usage(error: click.ClickException) -> None:
    """Tell what click refuses as any other problem is told."""
    from genesis.console import show_problems

    said = error.format_message().rstrip(".")
    message = re.sub(r"'([^']*)'", r"`\1`", said[:1].lower() + said[1:])
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"`{context.command_path if context else 'genesis'} --help` shows what it takes"
    if isinstance(error, click.NoSuchOption):
        message = f"there is no option `{error.option_name}`"
        hint = did_you_mean(error.option_name, error.possibilities or ()) or hint
    show_problems([Problem("wrong-usage", message, hint=hint)])


def _tell_bug(error: Exception) -> int:
    click.echo(redact(f"error: a bug in genesis: {type(error).__name__}: {error}"), err=True)
    if os.environ.get("GENESIS_TRACEBACK"):
        click.echo(redact("".join(traceback.format_exception(error))), err=True, nl=False)
    else:
        click.echo("hint: GENESIS_TRACEBACK=1 shows where; please report it with that", err=True)
    return BUG

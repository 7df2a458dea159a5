"""The commands, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterable
from functools import cache
from typing import Any

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, NoSuchOption

from cluster.errors import EXIT_BUG, EXIT_OK, Interrupted, Misconfigured, StreamproofError
from streamproof.console import print_error, stderr
from streamproof.flags.sample import counterparts
from streamproof.logs import configure_logs
from streamproof.streams import output_failure, ready_streams

# What typer returns when Ctrl-C comes where nobody waits for it.
_TYPERS_INTERRUPT = 130
# What a command does when it is given again after it was torn out of its work.
_AFTER_INTERRUPT = {
    "produce": "The same command with the --run-id of this run finds out what landed and continues",
    "replay": "The same command with the --run-id of this run finds out what landed and continues",
    "count": "The transaction at hand is rolled back. The same command continues",
    "consume": "What was not stored is read again. The same command goes on where it was",
    "load": "The batch at hand was rolled back. The same command continues",
    "lake": "The batch at hand was not published. The same command continues",
}

# Which module has which command, in the order of the help. One that is asked for is loaded alone: its start takes
# a fifth less of a processor than that of all of them.
COMMANDS = {
    "up": "stack",
    "down": "stack",
    "status": "stack",
    "topics": "topics",
    "schemas": "schemas",
    "preview": "preview",
    "produce": "produce",
    "replay": "click_stream.replay",
    "samples": "click_stream.samples",
    "load": "load",
    "tail": "tail",
    "count": "count",
    "live": "live",
    "consume": "consume",
    "ledger": "ledger",
    "audit": "proof",
    "check": "proof",
    "publish": "proof",
    "realism": "realism",
    "report": "report",
    "quarantine": "quarantine",
    "verify": "verify",
    "lake": "click_stream.lake",
    "demo": "demo",
    "demo-lake": "demo",
}


def app_of(modules: Iterable[str]) -> typer.Typer:
    """Return the commands of some modules under ``streamproof/commands``."""
    made = typer.Typer(
        name="streamproof",
        help="Rehearse a Kafka pipeline, and prove that nothing was lost.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    made.callback()(_together)
    for module in dict.fromkeys(modules):
        importlib.import_module(f"streamproof.commands.{module}").register(made)
    return made


def _together() -> None:
    """Keep the name of a command that is the only one: Typer would make the program of it."""


@cache
def whole_app() -> typer.Typer:
    """Return all commands."""
    return app_of(COMMANDS.values())


def __getattr__(name: str) -> Any:
    """Give whoever asks for ``app``, such as Typer's own tools, all commands."""
    if name == "app":
        return whole_app()
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted([*globals(), "app"])


def main() -> None:
    """Run the command line and exit with the code of the error tree."""
    ready_streams()
    code = run(sys.argv[1:])
    unwritten = output_failure()
    if unwritten is not None:
        print_error(unwritten, as_json=False)
        code = code or unwritten.exit_code
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    as_json = "--json" in arguments
    try:
        configure_logs()
        _refuse_empty(arguments)
        return _invoke(arguments)
    except StreamproofError as error:
        print_error(error, as_json=as_json)
        return error.exit_code
    except NoArgsIsHelpError as error:
        stderr.print(error.format_message())
        return Misconfigured.exit_code
    except ClickException as error:
        wrong = _wrong_usage(error, arguments)
        print_error(wrong, as_json=as_json)
        return wrong.exit_code
    except (typer.Abort, KeyboardInterrupt):
        stopped = Interrupted("interrupted", hint=_AFTER_INTERRUPT.get(arguments[0], "The same command starts anew"))
        print_error(stopped, as_json=as_json)
        return stopped.exit_code
    except Exception:  # noqa: BLE001 - the outermost frame: report the bug and exit 70
        stderr.print(traceback.format_exc(), markup=False, soft_wrap=True)
        bug = StreamproofError("a bug: Streamproof did something that it should not", hint="The trace above says where")
        print_error(bug, as_json=as_json)
        return EXIT_BUG


def _wrong_usage(error: ClickException, arguments: list[str]) -> Misconfigured:
    known = counterparts(arguments) if arguments[:1] == ["produce"] else []
    if isinstance(error, NoSuchOption) and known:
        return Misconfigured(
            f"flags of the AWS sample producer have other names here: {'; '.join(known)}",
            hint="docs/clickstream.md compares them",
        )
    return Misconfigured(error.format_message().rstrip("."), hint="Run the command with --help")


def _refuse_empty(arguments: list[str]) -> None:
    """An empty value is a variable of the shell that is not set; taken for "not given" it would mean another place."""
    for place, argument in enumerate(arguments):
        flag = argument.removesuffix("=") if argument.startswith("--") else ""
        if argument and flag in {"", argument}:
            continue
        flag = flag or (arguments[place - 1] if place and arguments[place - 1].startswith("-") else "")
        raise Misconfigured(
            f"the value of {flag} is empty" if flag else "an argument is empty",
            hint="Leave it out, or give a value: perhaps a variable of the shell is not set",
        )


def _let_help_flow(commands: typer.Typer) -> None:
    """Break help where the terminal does: Typer keeps the line breaks of a docstring, of which many are wider."""
    for command in commands.registered_commands:
        paragraphs = (command.help or inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _let_help_flow(group.typer_instance)


def _invoke(arguments: list[str]) -> int:
    asked = COMMANDS.get(arguments[0]) if arguments else None
    app = whole_app() if asked is None else app_of([asked])
    _let_help_flow(app)
    result = app(args=arguments, prog_name="streamproof", standalone_mode=False)
    if result == _TYPERS_INTERRUPT:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else EXIT_OK

"""`rstan-lite`: one command for each thing the package does. `--help` imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from rstan_lite import __version__
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.interruption import run_command
from rstan_lite.system.ranks import ranks_of_environment, refuse_several
from rstan_lite.system.settings import nearest, one_of


def build_parser() -> tuple[argparse.ArgumentParser, Any]:
    """The parser, and the action that holds the commands' own parsers."""
    from rstan_lite.cli import classroom, doctor, idt, ledger, puppets, sweep, training, tuning

    parser = argparse.ArgumentParser(
        prog="rstan-lite",
        description="RSTAN: recurrent spatial-temporal attention for action recognition.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rstan-lite {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for family in (doctor, puppets, tuning, training, idt, ledger, classroom, sweep):
        family.add_parsers(subparsers)
    return parser, subparsers


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code, see `run_command`."""
    ranks = ranks_of_environment()
    return run_command(lambda: _run(argv), ranks.complain, ranks.leads)


def _run(argv: Sequence[str] | None) -> int:
    parser, subparsers = build_parser()
    _check_command(sys.argv[1:] if argv is None else argv, list(subparsers.choices))
    arguments, unknown = parser.parse_known_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    if unknown:
        raise _unknown(unknown, arguments.command, subparsers.choices[arguments.command])
    if arguments.command != "train":
        refuse_several(arguments.command)
    return int(arguments.func(arguments) or 0)


def _check_command(argv: Sequence[str], commands: list[str]) -> None:
    """Complain about a command that there isn't as about an option, not as argparse does."""
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        hint = nearest(argv[0], commands)
        raise ConfigError("rstan-lite", f"the command {argv[0]}", one_of(commands), hint)


def _unknown(unknown: list[str], command: str, parser: argparse.ArgumentParser) -> ConfigError:
    """The complaint about an option that a command lacks, with those that it has."""
    options = [o for o in parser._option_string_actions if o.startswith("--")]
    name = unknown[0].partition("=")[0]
    hint = nearest(name, options)
    return ConfigError(f"rstan-lite {command}", f"the option {name}", one_of(options), hint)

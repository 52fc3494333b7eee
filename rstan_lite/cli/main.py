"""`rstan-lite`: one command for each thing the package does. `--help` imports no torch."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rstan_lite import __version__
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.interruption import run_command
from rstan_lite.system.settings import check_choice, nearest, one_of, require_libraries
from rstan_lite.system.threads import cores, prepare

_COMMANDS = {  # by the file of this folder that holds them
    "doctor": "doctor", "puppets": "puppets", "training": "extract tune train predict",
    "testing": "evaluate fuse idt", "experiments": "ledger sweep bench",
    "classroom": "run tour lab copies assignments",
}  # fmt: skip
FAMILIES = {command: family for family, names in _COMMANDS.items() for command in names.split()}


def build_parser(command: str = "") -> tuple[argparse.ArgumentParser, Any]:
    """The parser, and the action that holds the commands' own parsers.

    command: the only one that is wanted, with its family; any other text: all of them.
    """
    parser = argparse.ArgumentParser(
        prog="rstan-lite",
        description="RSTAN: recurrent spatial-temporal attention for action recognition.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rstan-lite {__version__}")
    parser.add_argument(
        "--completion", choices=("bash", "zsh", "tcsh"),
        help="print a script with which this shell completes commands and options",
    )  # fmt: skip
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    wanted = [FAMILIES[command]] if command in FAMILIES else dict.fromkeys(FAMILIES.values())
    for family in wanted:
        import_module(f"rstan_lite.cli.{family}").add_parsers(subparsers)
    return parser, subparsers


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code, see `run_command`."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a Windows pipe may lack a name's letters
        sys.stdout.reconfigure(errors="backslashreplace")
    return run_command(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    given = (word.rpartition("=") for word in (sys.argv[1:] if argv is None else argv))
    words = [head + sign + os.path.expanduser(tail) for head, sign, tail in given]  # --root=~/x
    command = words[0] if words else "--help"
    if not command.startswith("-"):  # as about an option, not as argparse complains
        check_choice("rstan-lite COMMAND", command, tuple(FAMILIES))
    if "" not in sys.path:  # the working folder, where modules of the user's may lie
        sys.path.append("")
    if command != "bench":  # which starts commands as a user does
        prepare(cores() if command == "idt" else 1)  # idt is all BLAS, in large matrices
    parser, subparsers = build_parser(command)
    arguments, unknown = parser.parse_known_args(words)
    if arguments.completion:
        require_libraries("--completion", {"shtab": "shtab"}, "completion")
        import_module("rstan_lite.cli.training").name_choices(subparsers.choices)
        print(import_module("shtab").complete(parser, arguments.completion))
        return 0
    if arguments.command is None and not unknown:
        parser.print_help()
        return 0
    if "others" in arguments:  # another program's options
        arguments.others = unknown
    elif unknown:
        choices = subparsers.choices
        raise _unknown(unknown, arguments.command or "", choices.get(arguments.command, parser))
    return int(arguments.func(arguments) or 0)


def _unknown(unknown: list[str], command: str, parser: argparse.ArgumentParser) -> ConfigError:
    """The complaint about an option that a command lacks, with those that it has."""
    options = [o for o in parser._option_string_actions if o.startswith("--")]
    name = unknown[0].partition("=")[0]
    if not name.startswith("-"):
        expected = "words that it takes: the values of a list have commas between them"
        return ConfigError(f"rstan-lite {command}".strip(), f"the word {name}", expected)
    hint = nearest(name, options)
    return ConfigError(f"rstan-lite {command}".strip(), f"the option {name}", one_of(options), hint)

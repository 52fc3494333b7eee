"""The command `rstan-lite doctor`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from rstan_lite.cli import doctor_inputs as inputs
from rstan_lite.system import machine
from rstan_lite.system.check import Check, as_json, as_table, exit_code
from rstan_lite.system.settings import default_cache


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command `doctor`; its `func` takes the parsed arguments and returns an exit code."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="say what works on this machine and what to do about the rest",
        description="Look at Python, the libraries, the machine, the data and the weights. "
        "Exit code 1 where something necessary fails.",
    )
    environment = os.environ.get
    parser.add_argument(
        "--jhmdb", metavar="DIR", default=environment("RSTAN_JHMDB"), help="JHMDB's folder"
    )
    for name in ("ucf101", "hmdb51"):
        variable = f"RSTAN_{name.upper()}"
        parser.add_argument(
            f"--{name}",
            metavar="DIR",
            default=environment(variable),
            help=f"{name.upper()}'s folder",
        )
    parser.add_argument(
        "--puppets", metavar="DIR", help="folder of generated clips (those in the cache)"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        default=environment("RSTAN_SQUEEZENET"),
        help="ImageNet weights of SqueezeNet 1.0",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="folder of stores and tuned networks ($RSTAN_CACHE, runs/cache)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(func=main)
    return parser


def examine(
    jhmdb: str | None = None,
    weights: str | None = None,
    puppets: str | None = None,
    cache: str | None = None,
    others: Mapping[str, str | None] | None = None,
) -> list[Check]:
    """All checks, in the order in which they are shown.

    others: folders of UCF101 and HMDB51, by name; the ones that are not given are not looked at.
    """
    said = machine.probe_torch()
    libraries = machine.check_libraries(
        machine.versions(list(machine.LIBRARIES)),
        {name: machine.has_module(module) for name, module in machine.LIBRARIES.items()},
    )
    checks = [
        machine.check_python(sys.version_info[:2], sys.executable),
        machine.check_torch(said),
        libraries,
    ]
    if libraries.state == "ok":
        checks.append(machine.check_flow())
    checks += [
        machine.check_gpu(said, shutil.which("nvidia-smi") is not None),
        machine.check_threads(os.cpu_count() or 1, said, os.environ.get("OMP_NUM_THREADS")),
        machine.check_memory(machine.available_memory()),
        machine.check_disk("."),
    ]
    if libraries.state == "ok":
        checks += [
            *inputs.check_jhmdb(jhmdb),
            *(
                c
                for name, root in (others or {}).items()
                if root
                for c in inputs.check_clips(name, root)
            ),
            *map(inputs.check_puppets, inputs.puppet_folders(puppets, cache or default_cache())),
        ]
    if checks[1].state == "ok" and libraries.state == "ok":
        checks.append(inputs.check_weights(weights))
    return [
        *checks,
        inputs.check_shipped(),
        inputs.check_tuned(cache or default_cache()),
        machine.check_jupyter(machine.versions(machine.JUPYTER)),
        machine.check_compiler(),
    ]


def main(arguments: argparse.Namespace) -> int:
    """Run what `add_parser` parsed."""
    checks = examine(
        arguments.jhmdb,
        arguments.weights,
        arguments.puppets,
        arguments.cache,
        {"ucf101": arguments.ucf101, "hmdb51": arguments.hmdb51},
    )
    print(as_json(checks) if arguments.json else as_table(checks))
    return exit_code(checks)

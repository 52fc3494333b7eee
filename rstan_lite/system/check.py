"""What a single look at the machine found, and how it is shown. Standard library only."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]
WIDTH = 100


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    state: "ok"; "warn" for what the project can do without; "fail" for what it can't.
    found: what is there. advice: what to do, where the state is not "ok".
    """

    name: str
    state: State
    found: str
    advice: str = ""


def exit_code(checks: Sequence[Check]) -> int:
    """1 where something necessary fails, else 0."""
    return int(any(check.state == "fail" for check in checks))


def as_table(checks: Sequence[Check]) -> str:
    """The checks as lines of text: state, name, what was found; advice below."""
    left = max(len(check.name) for check in checks) + 8
    lines = []
    for check in checks:
        first = f"{check.state:<6}{check.name}"
        lines += textwrap.wrap(
            check.found,
            WIDTH,
            initial_indent=first.ljust(left),
            subsequent_indent=" " * left,
            break_on_hyphens=False,
        ) or [first]
        if check.advice:
            indent = " " * left
            lines += textwrap.wrap(
                check.advice,
                WIDTH,
                initial_indent=indent + "-> ",
                subsequent_indent=indent + "   ",
                break_on_hyphens=False,
            )
    counts = {state: sum(c.state == state for c in checks) for state in ("ok", "warn", "fail")}
    lines += ["", ", ".join(f"{number} {state}" for state, number in counts.items())]
    return "\n".join(lines)


def as_json(checks: Sequence[Check]) -> str:
    """The checks as a JSON list."""
    return json.dumps([asdict(check) for check in checks], indent=2)

"""The paper's symbols, which all notebooks take their rows from.

`symbols.csv` has them: the name in code, the paper's symbol, the meaning, the shape, and where the
symbol is first. Shapes are those of one video in one stream, as the notebooks derive everything.
The package puts an axis of B videos in front of those that each video has its own of. Sizes: T time
steps, N attended frames, K x K = P places, C actions.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import nearest
from rstan_lite.system.tables import Table

COLUMNS = ("symbol", "in code", "meaning", "shape", "first in")


class Symbol(NamedTuple):
    """One row: the paper's symbol, its meaning, its shape for one video, and where it is first."""

    paper: str
    meaning: str
    shape: str
    first: str


def _read_symbols() -> dict[str, Symbol]:
    with Path(__file__).with_name("symbols.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return {name: Symbol(*row) for name, *row in rows}


SYMBOLS = _read_symbols()


def symbols(*names: str) -> Table:
    """Return the rows of these symbols, in the order given; of all symbols where none is named.

    names: as in code, for example "CV", "A_h", "gamma_alpha". Raises ConfigError for a name that
    is no symbol, with the nearest one and the list.
    """
    unknown = [name for name in names if name not in SYMBOLS]
    if unknown:
        found, hint = ", ".join(map(repr, unknown)), nearest(unknown[0], SYMBOLS)
        raise ConfigError("symbols", found, f"names out of {', '.join(SYMBOLS)}", hint)
    rows = [(name, SYMBOLS[name]) for name in names or SYMBOLS]
    return Table(COLUMNS, tuple((s.paper, name, s.meaning, s.shape, s.first) for name, s in rows))

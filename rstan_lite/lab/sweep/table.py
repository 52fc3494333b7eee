"""The table of a sweep: a row a job, in Parquet and CSV."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.lab.sweep.jobs import ROW, Row, read_row
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

PARQUET, CSV = "results.parquet", "results.csv"
SHARE = 0.1  # of the time, at most, goes into writing a table that grows


class Table:
    """The rows in a sweep's folder, written to both files as they come.

    order: names of jobs; their rows stand first. Rows of jobs of earlier calls are kept.
    """

    def __init__(self, out: Path, order: Sequence[str]):
        self.out, self.order = out, list(order)
        self.rows: dict[str, Row] = {}
        self._next = 0.0
        self.read()

    def read(self) -> None:
        """Take the rows that lie in the jobs' folders. Raises CheckpointError for a damaged one."""
        found = (read_row(path.parent) for path in sorted(self.out.glob(f"*/{ROW}")))
        self.rows |= {row["job"]: row for row in found if row is not None}

    def add(self, row: Row) -> None:
        """Take a row; the files follow at once unless they were written just now."""
        self.rows[row["job"]] = row
        if time.monotonic() >= self._next:
            self.write()

    def write(self) -> None:
        """Write both files where they change, each whole or not at all. StoreError (disk)."""
        start = time.monotonic()
        table, parquet = self.frame(), io.BytesIO()
        table.to_parquet(parquet, index=False)
        csv = table.to_csv(index=False).encode()
        for path, content in ((self.out / PARQUET, parquet.getvalue()), (self.out / CSV, csv)):
            if not path.exists() or path.read_bytes() != content:
                write_atomically(path, content)
        end = time.monotonic()
        self._next = end + (end - start) * (1 / SHARE - 1)

    def frame(self) -> pd.DataFrame:
        """The rows as a data frame: those of the order first, then others by name."""
        others = sorted(set(self.rows) - set(self.order))
        return frame([self.rows[name] for name in (*self.order, *others) if name in self.rows])


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a data frame whose columns hold one kind of value each.

    A column of both texts and numbers becomes one of texts: Parquet has no other way.
    """
    import pandas as pd

    table = pd.DataFrame([dict(row) for row in rows])
    for name in table.columns:
        values = [value for value in table[name].tolist() if value is not None and value == value]
        kinds = {float if type(value) is int else type(value) for value in values}
        if len(kinds) > 1:
            table[name] = [None if v is None or v != v else str(v) for v in table[name].tolist()]
    return table


def read_table(path: str | Path) -> pd.DataFrame:
    """A sweep's table, from its folder or its Parquet file; CheckpointError where it is none."""
    import pandas as pd

    path = Path(path)
    file = path / PARQUET if path.is_dir() else path
    if not file.exists():
        raise CheckpointError(file, "no such file", "the table of a sweep")
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:  # pyarrow's complaints are both
        raise CheckpointError(file, str(error), "the table of a sweep") from error

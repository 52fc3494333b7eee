"""What a sweep is, before its parameters are checked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Description:
    """A sweep before its parameters are checked.

    run: "train" or a notebook's path. common: values of all jobs. grids: each one's product of
    values makes jobs.
    """

    run: str
    common: Mapping[str, Any] = field(default_factory=dict)
    grids: tuple[Values, ...] = ()

    def points(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(what varies, all parameters) of each job."""
        for grid in self.grids or ({},):
            for values in itertools.product(*grid.values()):
                varied = dict(zip(grid, values, strict=True))
                yield varied, {**self.common, **varied}

    def with_values(self, given: Values) -> Description:
        """The same with further values in each grid, in the place of what it has of that name."""
        common = {name: value for name, value in self.common.items() if name not in given}
        grids = tuple({**grid, **given} for grid in self.grids or ({},))
        return replace(self, common=common, grids=grids)

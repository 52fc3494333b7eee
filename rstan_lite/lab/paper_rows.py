"""The rows of the paper's tables for JHMDB: what each trains with, and its number. No torch.

The one table that `sweep ablations` and `ledger` read; its variants are those of `train --variant`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rstan_lite.system.errors import ConfigError
from rstan_lite.training.profiles import VARIANTS

FULL = "silhouettes"  # the variant of all parts, which Table III and Fig. 6 start from
SHARPNESS = (2.0, 5.0, 10.0)  # beside 1; ours: Fig. 6 draws its values, the text names none


@dataclass(frozen=True)
class Row:
    """A model of the paper's tables.

    table: where it stands. paper: accuracy there on JHMDB in per cent, None where none is given.
    variant: of VARIANTS. beside: options of TrainConfig beside the variant's.
    fused: names of the rows whose scores this one averages, seed by seed; it trains nothing.
    """

    name: str
    table: str
    label: str
    paper: float | None
    variant: str
    beside: Mapping[str, Any] = field(default_factory=dict)
    fused: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Of TrainConfig, beside those that all rows share."""
        return {**VARIANTS[self.variant], **self.beside}


def sharper(which: str, value: float) -> Row:
    """A row of Fig. 6: one sharpness, gamma_alpha or gamma_beta, is `value`; the other is 1."""
    other = "gamma_beta" if which == "gamma_alpha" else "gamma_alpha"
    name = f"{which.replace('_', '-')}-{value:g}"
    return Row(name, "Fig. 6", f"with {which} {value:g}", None, FULL, {which: value, other: 1.0})


_APPEARANCE, _MOTION = {"streams": ("appearance",)}, {"streams": ("motion",)}
ROWS = (
    Row("appearance-lstm", "I", "appearance: LSTM", 45.5, "lstm", _APPEARANCE),
    Row("appearance-st", "I", "appearance: S-T", 47.0, "attention", _APPEARANCE),
    Row("motion-lstm", "I", "motion: LSTM", 58.6, "lstm", _MOTION),
    Row("motion-st", "I", "motion: S-T", 62.0, "attention", _MOTION),
    Row("lstm", "I", "both: LSTM", 61.2, "lstm", fused=("appearance-lstm", "motion-lstm")),
    Row("st", "I, II", "both: S-T", 65.7, "attention", fused=("appearance-st", "motion-st")),
    Row("am-mean", "II", "S-T + A-M (mean)", 67.2, "fusion-mean"),
    Row("am-max", "II", "S-T + A-M (max)", 67.4, "fusion-max"),
    Row("aa-ce", "II", "S-T + A-M (max) + A-A (CE)", 70.2, "silhouettes-ce"),
    Row("aa-l2", "II, III", "S-T + A-M (max) + A-A (L2)", 73.5, FULL),
    Row("current", "III", "attention to the current frame", 70.9, "current-frame"),
    Row("all", "III", "attention to all frames", None, FULL, {"attention": "all"}),
    *(sharper("gamma_alpha", value) for value in SHARPNESS),
    *(sharper("gamma_beta", value) for value in SHARPNESS),
)


def rows_of(names: Iterable[str] | None = None) -> list[Row]:
    """Rows by name, with those that they fuse, in the order of the tables; None for all.

    Raises ConfigError for an unknown name.
    """
    by_name = {row.name: row for row in ROWS}
    wanted: set[str] = set(by_name if names is None else names)
    for name in sorted(wanted - by_name.keys()):
        raise ConfigError("--rows", repr(name), f"some of {', '.join(by_name)}")
    for name in tuple(wanted):
        wanted.update(by_name[name].fused)
    return [row for row in ROWS if row.name in wanted]

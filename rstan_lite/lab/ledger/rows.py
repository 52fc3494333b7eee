"""The rows of the paper's tables for JHMDB, and the claims that it draws from them. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rstan_lite.system.errors import ConfigError

NO_NUMBER = "drawn in a figure, without a number"


@dataclass(frozen=True)
class Row:
    """A model of the paper's tables.

    table: where it stands. paper: accuracy there on JHMDB in per cent, None where none is given.
    options: of TrainConfig, beside those that all rows share.
    fused: names of the rows whose scores this one averages, seed by seed; it trains nothing.
    """

    name: str
    table: str
    label: str
    paper: float | None
    options: Mapping[str, Any] = field(default_factory=dict)
    fused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A statement of the paper: the row `better` has a higher accuracy than the row `worse`."""

    name: str
    text: str
    place: str
    better: str
    worse: str


@dataclass(frozen=True)
class NotRun:
    """A row of the paper that this package does not run, and why."""

    table: str
    label: str
    paper: float
    why: str


_ALONE: dict[str, Any] = {"fusion": "none", "classifier": "score", "aa_kind": "none"}
_LSTM: dict[str, Any] = {"attention": "none", **_ALONE}
_FULL: dict[str, Any] = {"fusion": "max", "classifier": "joint", "aa_kind": "l2"}

SHARP = (2.0, 5.0, 10.0)  # values of gamma beside 1, for Fig. 6


def _sharp(which: str) -> list[Row]:
    symbol = which.removeprefix("gamma_")
    return [
        Row(
            f"{which.replace('_', '-')}-{value:g}",
            "Fig. 6",
            f"with gamma_{symbol} {value:g}",
            None,
            {**_FULL, which: value},
        )
        for value in SHARP
    ]


ROWS = (
    Row("appearance-lstm", "I", "appearance: LSTM", 45.5, {**_LSTM, "streams": ("appearance",)}),
    Row("appearance-st", "I", "appearance: S-T", 47.0, {**_ALONE, "streams": ("appearance",)}),
    Row("motion-lstm", "I", "motion: LSTM", 58.6, {**_LSTM, "streams": ("motion",)}),
    Row("motion-st", "I", "motion: S-T", 62.0, {**_ALONE, "streams": ("motion",)}),
    Row("lstm", "I", "both: LSTM", 61.2, fused=("appearance-lstm", "motion-lstm")),
    Row("st", "I, II", "both: S-T", 65.7, fused=("appearance-st", "motion-st")),
    Row("am-mean", "II", "S-T + A-M (mean)", 67.2, {**_FULL, "fusion": "mean", "aa_kind": "none"}),
    Row("am-max", "II", "S-T + A-M (max)", 67.4, {**_FULL, "aa_kind": "none"}),
    Row("aa-ce", "II", "S-T + A-M (max) + A-A (CE)", 70.2, {**_FULL, "aa_kind": "ce"}),
    Row("aa-l2", "II, III", "S-T + A-M (max) + A-A (L2)", 73.5, _FULL),
    Row(
        "current", "III", "attention to the current frame", 70.9, {**_FULL, "attention": "current"}
    ),
    Row("all", "III", "attention to all frames", None, {**_FULL, "attention": "all"}),
    *_sharp("gamma_alpha"),
    *_sharp("gamma_beta"),
)

NOT_RUN = (
    NotRun("V", "RSTAN with GPCNN, three splits", 72.0, "GPCNN's weights can't be had"),
    NotRun("V", "RSTAN with TSN, three splits", 79.2, "TSN's weights can't be had"),
    NotRun("V", "iDT-FV, three splits", 65.9, "`rstan-lite idt` is its own experiment"),
)

CLAIMS = (
    Claim(
        "st-appearance", "S-T over LSTM, appearance", "Table I", "appearance-st", "appearance-lstm"
    ),
    Claim("st-motion", "S-T over LSTM, motion", "Table I", "motion-st", "motion-lstm"),
    Claim("st-both", "S-T over LSTM, both streams", "Table I", "st", "lstm"),
    Claim("two-appearance", "both streams over appearance", "Table I", "st", "appearance-st"),
    Claim("two-motion", "both streams over motion", "Table I", "st", "motion-st"),
    Claim("am-max", "A-M (max) over averaged scores", "Table II", "am-max", "st"),
    Claim("am-mean", "A-M (mean) over averaged scores", "Table II", "am-mean", "st"),
    Claim("max-mean", "A-M by max over mean", "Table II", "am-max", "am-mean"),
    Claim("aa-ce", "A-A (CE) over none", "Table II", "aa-ce", "am-max"),
    Claim("aa-l2", "A-A (L2) over none", "Table II", "aa-l2", "am-max"),
    Claim("l2-ce", "A-A by L2 over CE", "Table II", "aa-l2", "aa-ce"),
    Claim("window", "two frames over the current one", "Table III", "aa-l2", "current"),
    Claim("all", "all frames over the current one", "Table III", "all", "current"),
    Claim("sharp-alpha", "gamma_alpha 1 over 10", "Fig. 6", "aa-l2", "gamma-alpha-10"),
    Claim("sharp-beta", "gamma_beta 1 over 10", "Fig. 6", "aa-l2", "gamma-beta-10"),
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

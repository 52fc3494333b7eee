"""The claims that the paper draws from its tables, and its rows that are not run. No torch."""

from __future__ import annotations

from dataclasses import dataclass

NO_NUMBER = "drawn in a figure, without a number"


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

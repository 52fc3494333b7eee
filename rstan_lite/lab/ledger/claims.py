"""What the paper claims of its rows, and what runs say of it: a difference and its uncertainty."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

NO_NUMBER = "drawn in a figure, without a number"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper: the row `better` has a higher accuracy than the row `worse`."""

    text: str
    place: str
    better: str
    worse: str


# Rows of Table V that this package does not run, and why.
NOT_RUN = tuple(
    {"table": "V", "model": f"{model}, three splits", "paper": paper, "why_not": why}
    for model, paper, why in (
        ("RSTAN with GPCNN", 72.0, "GPCNN's weights can't be had"),
        ("RSTAN with TSN", 79.2, "TSN's weights can't be had"),
        ("iDT-FV", 65.9, "`rstan-lite idt` is its own experiment"),
    )
)

CLAIMS = (
    Claim("S-T over LSTM, appearance", "Table I", "appearance-st", "appearance-lstm"),
    Claim("S-T over LSTM, motion", "Table I", "motion-st", "motion-lstm"),
    Claim("S-T over LSTM, both streams", "Table I", "st", "lstm"),
    Claim("both streams over appearance", "Table I", "st", "appearance-st"),
    Claim("both streams over motion", "Table I", "st", "motion-st"),
    Claim("A-M (max) over averaged scores", "Table II", "am-max", "st"),
    Claim("A-M (mean) over averaged scores", "Table II", "am-mean", "st"),
    Claim("A-M by max over mean", "Table II", "am-max", "am-mean"),
    Claim("A-A (CE) over none", "Table II", "aa-ce", "am-max"),
    Claim("A-A (L2) over none", "Table II", "aa-l2", "am-max"),
    Claim("A-A by L2 over CE", "Table II", "aa-l2", "aa-ce"),
    Claim("two frames over the current one", "Table III", "aa-l2", "current"),
    Claim("all frames over the current one", "Table III", "all", "current"),
    Claim("gamma_alpha 1 over 10", "Fig. 6", "aa-l2", "gamma-alpha-10"),
    Claim("gamma_beta 1 over 10", "Fig. 6", "aa-l2", "gamma-beta-10"),
)

DRAWS = 10_000
LEVEL, POWER = 0.95, 0.8
SHOWN, NOT_SHOWN, CONTRADICTED = "shown", "not shown", "contradicted"


@dataclass(frozen=True)
class Difference:
    """Accuracy of one model minus another's, shares of 1.

    by_seed: of each pair of runs. low, high: ends of the interval of the mean. p: two-sided, of a
    mean of zero, from the same draws.
    """

    by_seed: tuple[float, ...]
    mean: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """What it says of the claim that the first model is better."""
        if self.low > 0:
            return SHOWN
        return CONTRADICTED if self.high < 0 else NOT_SHOWN

    def clips_needed(self, gain: float, clips: int) -> int:
        """Test clips with which a true gain, a share of 1 above 0, is shown with chance POWER.

        clips: how many the interval stands on. It is taken for a normal distribution's that narrows
        with the root of the clips, with as many clips of a video and as many seeds as now.
        """
        wide = norm.ppf((1 + LEVEL) / 2)
        error = (self.high - self.low) / 2 / wide
        return math.ceil(clips * ((wide + norm.ppf(POWER)) * error / gain) ** 2)


def holm(found: Sequence[Difference]) -> list[str]:
    """The verdicts of several claims, corrected for their number by Holm's step-down procedure.

    With probability LEVEL none of them errs, whatever the claims have in common. A claim keeps its
    verdict if its p, times the number of claims that have no smaller p, stays within 1 - LEVEL, and
    so does that of every claim with a smaller p (Holm 1979, Scandinavian Journal of Statistics 6).
    """
    verdicts, largest = [NOT_SHOWN] * len(found), 0.0
    order = sorted(range(len(found)), key=lambda i: found[i].p)
    for place, i in enumerate(order):
        largest = max(largest, (len(found) - place) * found[i].p)
        if largest <= 1 - LEVEL:
            verdicts[i] = found[i].verdict
    return verdicts


def difference(
    first: np.ndarray, second: np.ndarray, sources: Sequence[str], draws: int = DRAWS, seed: int = 0
) -> Difference:
    """Compare two models by runs that share their seeds and clips; ValueError for other shapes.

    first, second: bool (seeds, clips), whether a run names a clip rightly. sources: each clip's
    video. The interval (percentiles of the bootstrap, 95 %) comes from drawing seeds and sources
    with replacement: clips of one video are alike, so that drawing them singly would promise too
    much. With few seeds it is somewhat narrow: a bootstrap's variance of n things is (n - 1) / n of
    the true one.
    """
    if first.shape != second.shape or first.ndim != 2 or first.shape[1] != len(sources):
        raise ValueError(f"runs {first.shape} and {second.shape} of {len(sources)} clips")
    if first.size == 0:
        raise ValueError("no runs or no clips to compare")
    gain = first.astype(np.float64) - second  # (seeds, clips)
    names, group = np.unique(np.asarray(sources), return_inverse=True)
    members = np.eye(len(names))[group]  # (clips, groups)
    totals, sizes = gain @ members, members.sum(0)  # (seeds, groups), (groups,)
    rng = np.random.default_rng(seed)
    n_seeds, n_groups = totals.shape
    of_seed = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), draws) / n_seeds
    of_group = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), draws)
    means = np.einsum("ds,sg,dg->d", of_seed, totals, of_group, optimize=True) / (of_group @ sizes)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    beyond = 1 + min((means <= 0).sum(), (means >= 0).sum())  # 1: never exactly zero
    p = min(1.0, 2 * float(beyond) / (draws + 1))
    by_seed = tuple(gain.mean(1).tolist())
    return Difference(by_seed, float(gain.mean()), float(low), float(high), p)


def mcnemar(fixed: int, broken: int) -> float:
    """The exact two-sided p of McNemar's test of two models on the same clips; 1 without a change.

    fixed, broken: how many the second model alone has right, and the first alone; if both were
    equally good, either has chance 1/2. Count whole videos where several clips are cut from one.
    """
    changed = fixed + broken
    return float(binomtest(fixed, changed).pvalue) if changed else 1.0

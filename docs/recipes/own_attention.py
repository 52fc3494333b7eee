"""Replace Eq. 5 by a dot product, train both, and compare: python own_attention.py RUN OUT

RUN is a finished run: its settings and features serve again. Whoever opens the new run must
replace Eq. 5 in the same way. A warning says so. The difference and its interval are a ledger's.
"""

import sys
from dataclasses import replace

from rstan_lite.lab.ledger.claims import difference
from rstan_lite.lab.scores import read_predictions
from rstan_lite.model import rstan
from rstan_lite.training.config import read_config
from rstan_lite.training.train import train


def dot_product(h, L, B_h, B_L, v_b, b_b):
    """Scores (B, N): the query B_h h against the keys B_L L, over the root of their length."""
    query, keys = h @ B_h.T, L @ B_L.T  # (B, d_att), (B, N, d_att)
    return (keys @ query[..., None])[..., 0] / len(v_b) ** 0.5


run, out, right = sys.argv[1], sys.argv[2], {}
# the fast loop has Eq. 5 in it
config = replace(read_config(f"{run}/config.json"), recurrence="plain")
for name, scores in (("additive", rstan.frame_scores), ("dot-product", dot_product)):
    rstan.frame_scores = scores  # every training and every prediction calls this function
    print(name, train(config, f"{out}/{name}", progress=False)["test_accuracy"])
    found = read_predictions(f"{out}/{name}/predictions.npz")
    right[name] = (found.scores.argmax(1) == found.labels)[None]  # (seeds, clips)
gain = difference(right["dot-product"], right["additive"], sources=found.names)
print(f"difference {gain.mean:+.1%} (95 %: {gain.low:+.1%} to {gain.high:+.1%}): {gain.verdict}")

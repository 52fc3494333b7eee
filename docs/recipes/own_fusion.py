"""Learn how much each stream's attention counts, in the place of Eq. 14-15's maximum.

The configuration's recurrence must be "plain", which it is by default.
"""

from unittest.mock import patch

import torch
from torch import nn

from rstan_lite import RSTAN
from rstan_lite.model import rstan


class GatedRSTAN(RSTAN):
    """RSTAN whose fused weights are g * appearance + (1 - g) * motion, with a learned g."""

    def __init__(self, config):
        super().__init__(config)
        self.gate = nn.Parameter(torch.zeros(()))  # g = sigmoid(gate), one half at first

    def forward(self, *arguments, **options):
        g = torch.sigmoid(self.gate)
        gated = lambda scores, *_: g * scores[0] + (1 - g) * scores[1]  # noqa: E731
        with patch.object(rstan, "fuse_scores", gated):
            return super().forward(*arguments, **options)

"""The paper's Sections III-B to III-D on tensors alone: `rstan.py` and `losses.py`."""

from rstan_lite.model.checks import STREAMS
from rstan_lite.model.losses import (
    AA_KINDS,
    actor_attention_loss,
    main_loss,
    multi_task_loss,
    total_loss,
)
from rstan_lite.model.output import Attention, RSTANOutput, average_scores, last_step
from rstan_lite.model.parameters import GATES
from rstan_lite.model.rstan import (
    RSTAN,
    RSTANConfig,
    classify,
    frame_scores,
    fuse_scores,
    gather_frames,
    gather_places,
    location_scores,
    lstm_step,
    sharpened_softmax,
)

__all__ = [
    "AA_KINDS",
    "GATES",
    "RSTAN",
    "STREAMS",
    "Attention",
    "RSTANConfig",
    "RSTANOutput",
    "actor_attention_loss",
    "average_scores",
    "classify",
    "frame_scores",
    "fuse_scores",
    "gather_frames",
    "gather_places",
    "last_step",
    "location_scores",
    "lstm_step",
    "main_loss",
    "multi_task_loss",
    "sharpened_softmax",
    "total_loss",
]

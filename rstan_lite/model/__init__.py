"""The paper's Sections III-B to III-D on tensors alone: `rstan.py` and `losses.py`."""

from rstan_lite.model.losses import actor_attention_loss, main_loss, multi_task_loss, total_loss
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

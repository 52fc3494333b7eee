"""The recurrence of the paper's Sections III-B to III-D, on tensors alone."""

from rstan_lite.model.attention import (
    attend_frames,
    attend_places,
    cube_places,
    frame_scores,
    gather_frames,
    gather_places,
    location_scores,
    project_cubes,
    sharpened_softmax,
)
from rstan_lite.model.config import ATTENTIONS, CLASSIFIERS, FUSIONS, STREAMS, RSTANConfig
from rstan_lite.model.fusion import average_scores, classify, fuse_scores
from rstan_lite.model.losses import (
    AA_KINDS,
    actor_attention_loss,
    main_loss,
    multi_task_loss,
    total_loss,
)
from rstan_lite.model.lstm import GATES, lstm_step, project_inputs
from rstan_lite.model.output import Attention, RSTANOutput, last_step
from rstan_lite.model.rstan import RSTAN

__all__ = [
    "AA_KINDS",
    "ATTENTIONS",
    "CLASSIFIERS",
    "FUSIONS",
    "GATES",
    "RSTAN",
    "STREAMS",
    "Attention",
    "RSTANConfig",
    "RSTANOutput",
    "actor_attention_loss",
    "attend_frames",
    "attend_places",
    "average_scores",
    "classify",
    "cube_places",
    "frame_scores",
    "fuse_scores",
    "gather_frames",
    "gather_places",
    "last_step",
    "location_scores",
    "lstm_step",
    "main_loss",
    "multi_task_loss",
    "project_cubes",
    "project_inputs",
    "sharpened_softmax",
    "total_loss",
]

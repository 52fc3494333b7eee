"""A second data set beside the first: its classifier, its task, and what metrics say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rstan_lite.data.datasets import DATASETS
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import one_of
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.logs import EpochLog
from rstan_lite.training.step import Task

if TYPE_CHECKING:
    from rstan_lite.training.train import Parts


def second_config(config: TrainConfig) -> TrainConfig:
    """A run's configuration with its second data set in the first one's place, and none beside it.

    Networks, views and frames stay the same; nothing is held out of the training part.
    Raises ConfigError where the run has no second data set.
    """
    if config.second_dataset == "none":
        raise ConfigError("--second-dataset", "none", one_of(DATASETS))
    return replace(
        config,
        dataset=config.second_dataset,
        root=config.second_root,
        split=config.second_split,
        validation=0.0,
        fold=0,
        second_dataset="none",
        second_root="",
    )


def heads(
    config: TrainConfig, first: ClipFeatures, second: ClipFeatures | None = None
) -> dict[str, int]:
    """Numbers of classes by the names of the classifiers, one a data set."""
    found = {config.dataset: len(first.classes)}
    if second is not None:
        found[config.second_head] = len(second.classes)
    return found


def second_task(config: TrainConfig, second: ClipFeatures | None) -> Task | None:
    """The second data set's task, whose loss is Eq. 17 alone; None where the run has none.

    Raises ConfigError where there are clips of it but no settings, or the reverse.
    """
    if (config.second_dataset == "none") != (second is None):
        found = f"{config.second_dataset} and {'no' if second is None else 'some'} clips of it"
        raise ConfigError("--second-dataset", found, "a second data set with its clips, or neither")
    if second is None:
        return None
    return Task(second, config.second_head, config.second_batch_size, config.second_weight)


def second_metrics(config: TrainConfig, parts: Parts, last: EpochLog) -> dict[str, Any] | None:
    """What a second data set was, and how well the last epoch named its training clips."""
    second = parts.second
    if second is None:
        return None
    return {
        "dataset": config.second_dataset,
        "split": config.second_split,
        "n_train": len(second),
        "n_classes": len(second.classes),
        "batch_size": config.second_batch_size,
        "weight": config.second_weight,
        "missing_clips": list(parts.second_missing),
        "damaged_clips": {part: dict(found) for part, found in parts.second_damaged.items()},
        "judged_clips_in_it": list(parts.second_shared),
        "train_loss": last.second_loss,
        "train_accuracy": last.second_accuracy,
    }

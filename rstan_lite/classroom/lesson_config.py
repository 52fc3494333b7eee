"""The settings that all lessons share: few clips, small networks, seconds on two cores."""

from collections.abc import Iterator
from typing import Any

from rstan_lite.training.batches import Batch, ClipFeatures, epoch_rows, training_batch
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.parts import PUPPETS, cache_folder, generated
from rstan_lite.training.profiles import resolve

FOLDER = "puppets-lessons"  # inside the cache, beside the tour's clips
CLIPS_PER_CLASS = 8
# Six actions that look least alike, so that a few seconds of training tell them apart: two that
# cross the picture or rise in it, two with the arms, two that bend.
ACTIONS = ("climb_stairs", "golf", "jump", "pullup", "sit", "wave")

ITERATIONS = 200  # mini-batches, where a lesson does not choose its own number
LAMBDA_AA = 2.0  # few mini-batches need a strong hint


def lesson_config(
    dataset: str = "puppets", root: str = "", cache: str = "", seed: int = 0,
    variant: str = "silhouettes-ce", **options: Any,
) -> TrainConfig:  # fmt: skip
    """Return the configuration of a lesson: the profile `tiny`, with a small set of clips.

    dataset, root: "puppets", or "jhmdb" with the folder of its clips. Puppets without a root are
    drawn once, six actions of eight clips, in the cache. cache: "" is the default one, see
    `default_cache`. seed: of weights and sampling. variant: a row of the paper's tables. options:
    further fields of TrainConfig. ConfigError for an unknown variant or option, or a wrong value.
    """
    chosen = {"dataset": dataset, "root": root, "cache": cache, "seed": seed}
    chosen |= {"iterations": ITERATIONS, "lambda_aa": LAMBDA_AA, **options}
    config = resolve("tiny", chosen, variant)
    if root or dataset != PUPPETS:
        return config
    folder = generated(
        cache_folder(config) / FOLDER, clips_per_class=CLIPS_PER_CLASS, classes=ACTIONS
    )
    return resolve("tiny", chosen | {"root": str(folder)}, variant)


def mini_batches(features: ClipFeatures, config: TrainConfig) -> Iterator[Batch]:
    """The mini-batches that the package's training of these clips would draw, in their order."""
    epoch, drawn = 0, 0
    while drawn < config.iterations:
        rows_of = epoch_rows(len(features), config.batch_size, config.seed, epoch)
        for rows in rows_of[: config.iterations - drawn]:
            yield training_batch(features, rows, config.frames, config.seed, drawn, "cpu")
            drawn += 1
        epoch += 1

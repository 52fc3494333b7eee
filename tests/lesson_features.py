"""The clips and features of the notebooks, made once; else each of them makes them again."""

from rstan_lite.classroom.lesson_config import lesson_config
from rstan_lite.lab import protocols
from rstan_lite.puppets import TOUR, generate
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.parts import (
    FOLDER,
    cache_folder,
    feature_settings,
    find_sources,
    load_parts,
)

TOUR_CLIPS = 6  # of an action, in place of 24


def make_features() -> None:
    """Fill the cache with what training reads, and with the other clips and crops of lesson 11."""
    load_parts(lesson_config(validation=0.3))
    config = lesson_config()
    load_parts(config)
    found = find_sources(config)
    settings = feature_settings(config, found.networks)
    sequences = protocols.test_sequences("22", frames=config.test_frames)
    protocols.prepare_sequences(found.dataset, "test", settings, sequences, cache_folder(config))


def make_tour_clips() -> None:
    """Put a quarter of the tour's clips where its notebook looks for them.

    All of them would take nbval a fifth of the time of all tests; `make tour` has them.
    """
    folder = cache_folder(TrainConfig()) / FOLDER
    generate(folder, **{**TOUR, "clips_per_class": TOUR_CLIPS}, progress=False)


if __name__ == "__main__":
    make_features()
    make_tour_clips()

"""The clips and features of the lessons, made once; else every one of them makes them again."""

from rstan_lite.classroom.lesson_config import lesson_config
from rstan_lite.lab import protocols
from rstan_lite.training.parts import cache_folder, feature_settings, find_sources, load_parts


def make_features() -> None:
    """Fill the cache with what training reads, and with the other clips and crops of lesson 11."""
    load_parts(lesson_config(validation=0.3))
    config = lesson_config()
    load_parts(config)
    found = find_sources(config)
    settings = feature_settings(config, found.networks)
    sequences = protocols.test_sequences("22", frames=config.test_frames)
    protocols.prepare_sequences(found.dataset, "test", settings, sequences, cache_folder(config))


if __name__ == "__main__":
    make_features()

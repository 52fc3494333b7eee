"""Features of test sequences: the right frames and crops, made once, for the judged clips alone."""

import numpy as np
import pytest
import torch

from rstan_lite.data.sampling import ClipSequence
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import view
from rstan_lite.features import extraction as module
from rstan_lite.features.backbones import STREAMS
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.flow import encode, flow_sequence, stack
from rstan_lite.features.pipeline import prepare_parts
from rstan_lite.lab import protocols as sequences
from rstan_lite.lab.protocols import prepare_sequences

SIZE, FRAMES = 112, 4
SOME = (
    ClipSequence("top-left-mirror", "whole", FRAMES),
    ClipSequence("centre@256", "last", FRAMES),
    ClipSequence("centre@192-mirror", "first", FRAMES),
    ClipSequence("centre@192-mirror", "whole", FRAMES),
)


@pytest.fixture(scope="module")
def settings(networks):
    return FeatureSettings(networks, backbone="puppetnet", frames=5, size=SIZE, camera="none")


@pytest.fixture(scope="module")
def found(data, inputs, cache, settings):
    return prepare_sequences(data, "test", settings, SOME, cache, workers=1)


def test_each_scale_has_its_own_number_of_places(data, found):
    assert tuple(found) == SOME
    for one, k in zip(SOME, (7, 8, 6, 6), strict=True):
        for stream in STREAMS:
            assert found[one].cubes[stream].shape[:4] == (len(data.test), 1, FRAMES, k * k)
        assert found[one].target.shape == (len(data.test), 1, FRAMES, k * k)


def test_sequences_keep_no_file_open(data, found):
    """Twenty-two of them would need more maps of files than a process may have."""
    assert found[SOME[0]].cubes["motion"][0] is not found[SOME[0]].cubes["motion"][0]
    assert found[SOME[0]].target[0] is not found[SOME[0]].target[0]


@pytest.mark.parametrize("one", SOME[1:3], ids=lambda one: one.name)
def test_features_are_the_networks_on_the_extents_frames(data, settings, found, one):
    """From the clip on disk, step by step, for one clip."""
    row, clip = 2, data.test[2]
    frames = data.frames(clip)
    index = one.index(len(frames))
    third = len(frames) - -(-2 * len(frames) // 3)
    assert index.min() >= third if one.extent == "last" else index.max() < len(frames) - third
    geometry = view(one.view, frames.shape[1:3], SIZE)
    flow = encode(flow_sequence(frames))
    images = {
        "appearance": np.stack([geometry.frame(frames[i]) for i in index]),
        "motion": np.stack([geometry.flow(stack(flow, i)) for i in index]),
    }
    for stream, batch in images.items():
        net = module.load_network(settings, stream)
        with torch.no_grad():
            alone = net.features(torch.from_numpy(batch.copy()))
        for name, rows in (("cubes", found[one].cubes), ("vectors", found[one].vectors)):
            torch.testing.assert_close(
                rows[stream][row][0].float(), alone[name], atol=4e-3, rtol=4e-3
            )
    masks = data.silhouettes(clip, frames)[index]
    seen = np.stack([geometry.mask(mask) for mask in masks])
    k = round(found[one].target.shape[3] ** 0.5)
    np.testing.assert_allclose(found[one].target[row][0], target(seen, k))


def test_features_are_made_once_and_go_on_where_they_stopped(
    data, cache, settings, found, monkeypatch
):
    true, made = module.image_features, []

    def counted(*args):
        made.append(len(args[1]))
        if len(made) == 3:
            raise KeyboardInterrupt
        return true(*args)

    monkeypatch.setattr(module, "image_features", counted)
    prepare_sequences(data, "test", settings, SOME, cache, workers=1)
    assert not made
    more = (*SOME, ClipSequence("centre@192-mirror", "last", FRAMES))
    for _ in range(2):
        try:
            prepare_sequences(data, "test", settings, more, cache, workers=1)
        except KeyboardInterrupt:
            continue
    assert len(made) == 2 * len(data.test) + 1  # two streams a clip; one was interrupted


def test_training_clips_get_none_and_whole_crops_share_the_stores_of_training(
    data, cache, settings, found, monkeypatch
):
    for clip in data.train:
        for folder in cache.iterdir():
            if '"extent"' in (folder / "key.json").read_text(encoding="utf-8"):
                assert not (folder / clip.action / f"{clip.name}.safetensors").exists()
    one = ClipSequence("centre", "whole", settings.frames)
    prepare_parts(data, ("test",), settings, cache, workers=1)  # as a training run leaves them
    monkeypatch.setattr(module, "over_clips", lambda *_: pytest.fail("made again"))
    again = prepare_sequences(data, "test", settings, [one], cache)
    assert again[one].cubes["motion"].shape == (len(data.test), 1, settings.frames, 49, 128)


def test_frames_that_extents_share_are_computed_once(data, cache, settings, monkeypatch):
    true, made = module.image_features, []
    monkeypatch.setattr(module, "image_features", lambda *a: made.append(len(a[1])) or true(*a))
    monkeypatch.setattr(data, "validation", data.test[:1])
    length = len(data.frames(data.test[0]))
    scaled = [s for s in sequences.test_sequences(frames=64) if s.view == "centre@256"]
    assert len(scaled) == 3
    prepare_sequences(data, "validation", settings, scaled, cache, workers=1)
    assert made == [length, length]  # each frame once a stream, for 3 x 64 rows

"""Fine-tuning a stream's network: samples, resumption, complaints."""

import numpy as np
import pytest
import torch
from clips import clip_arrays, write_avi
from small_runs import content

from rstan_lite.cli import main
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.extraction import FeatureSettings, load_network
from rstan_lite.features.networks import split_name
from rstan_lite.lab.network_tuning import Tuner, places_loss, tune
from rstan_lite.lab.tuning_images import Samples, TuneSettings, actor_crop
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.tensor_files import read_state


def tune_here(data, inputs, path, workers=0, **more):
    settings = TuneSettings(
        **{
            "stream": "appearance", "backbone": "puppetnet", "weights": "none", "epochs": 3,
            "batch": 4, "size": 48, "test_size": 64, **more,
        }
    )  # fmt: skip
    return tune(
        inputs, data.train, data.validation, data.classes, split_name(data), settings, path,
        workers=workers,
    )  # fmt: skip


def test_tuning_learns_and_writes_its_card(data, inputs, tmp_path):
    path = tmp_path / "motion.safetensors"
    card = tune_here(data, inputs, path, stream="motion", epochs=12, lr=0.02, average=0.5)
    assert card["best"]["validation_accuracy"] > 0.6  # three directions of motion; chance: 1/3
    assert card == content(path.with_suffix(".json"))
    assert card["history"][-1]["loss"] < card["history"][0]["loss"]
    best = max(row.get("validation_accuracy", 0) for row in card["history"])
    assert card["best"]["validation_accuracy"] == best
    assert not path.with_suffix(".resume").exists()


def test_tsns_network_is_tuned_on_its_own_stacks(data, inputs, tmp_path):
    """Ten channels from the samples to the file, which an extraction reads."""
    path = tmp_path / "tsn.safetensors"
    card = tune_here(
        data, inputs, path, stream="motion", backbone="bninception", epochs=1, segments=1, size=64
    )
    assert (card["pairs"], card["flow_unit"]) == (5, 1)
    settings = FeatureSettings({"motion": path}, "bninception", size=64)
    assert settings.places_of(["centre"]) == {"centre": 4}
    net = load_network(settings, "motion")
    first = read_state(path)["trunk.conv1_7x7_s2.weight"]
    assert first.shape == (64, 10, 7, 7)
    torch.testing.assert_close(net.trunk.state_dict()["conv1_7x7_s2.weight"], first.float())


def test_processes_are_spawned_and_change_nothing(data, inputs, tmp_path):
    """A forked process may inherit a lock that a thread holds. Two epochs, one set of processes."""
    paths = [tmp_path / f"{n}.safetensors" for n in (0, 2)]
    for path, workers in zip(paths, (0, 2), strict=True):
        tune_here(data, inputs, path, workers, stream="motion", epochs=2)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    settings = TuneSettings("motion", "puppetnet", "none", size=48)
    tuner = Tuner(inputs, data.train, len(data.classes), settings, "cpu", workers=2)
    assert tuner.loader.multiprocessing_context.get_start_method() == "spawn"


def test_without_a_clip_to_choose_an_epoch_on_nothing_begins(small_root, inputs, tmp_path, capsys):
    words = ["tune", "--root", str(small_root), "--cache", str(tmp_path), "--validation", "0"]
    assert main([*words, "--weights", "none", "--backbone", "puppetnet", "--device", "cpu"]) == 2
    assert "--validation: found no clip held out; expected some" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.safetensors"))
    data = JHMDB(small_root)  # all of its validation clips may turn out to be damaged, too
    settings, path = TuneSettings("motion", "puppetnet", "none"), tmp_path / "a.safetensors"
    with pytest.raises(ConfigError, match="no clip held out"):
        tune(inputs, data.train, [], data.classes, split_name(data), settings, path)


def test_a_rate_at_which_the_loss_is_not_finite_is_named_and_leaves_no_network(
    data, inputs, tmp_path
):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ConfigError, match="--lr: found nan"):
        tune_here(data, inputs, path, epochs=1, lr=float("nan"))
    assert not path.exists()


def test_own_clips_of_the_same_names_are_not_taken_for_those_tuned_on(tmp_path, capsys):
    words = ["tune", "--dataset", "folder", "--epochs", "1", "--size", "64", "--workers", "0"]
    for seed in (0, 1):
        for action in ("push", "jump"):
            for i in range(4):
                frames = clip_arrays(action, 10 * seed + i, 6)[0]
                write_avi(tmp_path / str(seed) / action / f"{i}.avi", frames)
        root = ["--root", str(tmp_path / str(seed)), "--cache", str(tmp_path / "cache")]
        assert main([*words, *root]) == 0
        assert len([*(tmp_path / "cache" / "tuned").glob("*.safetensors")]) == seed + 1
        assert main([*words, *root]) == 0  # again: it only reports
        first, again = capsys.readouterr().out.splitlines()
        assert first == again


def test_crops_follow_the_actor_through_the_clip(data, inputs):
    """An image of a training clip, drawn again from its seed, epoch and place."""
    settings = TuneSettings(
        "appearance", "puppetnet", "none", size=64, actor=1.0, segments=1, colour=0.0
    )
    images, label, actor = Samples(inputs, data.train, settings, k=4)[3, 2]
    clip = data.train[2]
    assert label == clip.label
    rng = np.random.default_rng([0, 3, 2])
    row = int(rng.random() * 5)
    rng.random()  # the draw between a crop about the actor and another
    geometry = actor_crop(inputs.read(clip, "masks")[row].numpy(), 64, rng)
    frame = inputs.read(clip, "frames")[row].numpy()
    np.testing.assert_array_equal(images[0], geometry.frame(frame))
    seen = geometry.mask(inputs.read(clip, "masks")[row].numpy())
    blocks = seen.reshape(4, 16, 4, 16).any((1, 3))
    np.testing.assert_array_equal(actor[0], blocks.ravel())


def test_places_loss_counts_actor_and_nobody_half_each():
    scores = torch.randn(2, 4, 9, dtype=torch.float64)  # three classes and nobody
    labels, actor = torch.tensor([2, 0]), torch.zeros(2, 9, dtype=torch.bool)
    actor[0, :2], actor[1, 5] = True, True
    log = scores.log_softmax(1)
    on = -(log[0, 2, 0] + log[0, 2, 1] + log[1, 0, 5]) / 3
    off = -(log[0, 3, 2:].sum() + log[1, 3, :5].sum() + log[1, 3, 6:].sum()) / 15
    torch.testing.assert_close(places_loss(scores, labels, actor), (on + off) / 2)
    alone = places_loss(scores, labels, torch.zeros_like(actor))
    torch.testing.assert_close(alone, -log[:, 3].mean())

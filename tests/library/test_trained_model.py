"""The package as a library: four names, a finished run as an object, torch's own data sets."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from measured import python
from small_runs import train_command
from torch import nn
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

import rstan_lite
from rstan_lite.cli.main import main
from rstan_lite.data.datasets import open_clips
from rstan_lite.lab.library.network_object import use_network
from rstan_lite.lab.library.torch_datasets import ClipFrames, StoredFeatures
from rstan_lite.lab.library.trained_model import TrainedModel
from rstan_lite.model import RSTAN, RSTANConfig, losses
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.training.config import read_config
from rstan_lite.training.parts import load_parts, scaled
from rstan_lite.training.train import train

VIDEO = "clips/push/push0.avi"


def test_four_names_stand_at_the_top_and_load_nothing_before_their_use():
    assert (rstan_lite.RSTAN, rstan_lite.RSTANConfig, rstan_lite.losses) == (
        RSTAN, RSTANConfig, losses,
    )  # fmt: skip
    assert set(rstan_lite.__all__) <= set(dir(rstan_lite))
    with pytest.raises(AttributeError, match="no attribute 'RTSAN'"):
        _ = rstan_lite.RTSAN
    python("-c", "import rstan_lite, sys; assert 'torch' not in sys.modules", check=True)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_run_answers_like_the_command(place, tmp_path, kind):
    model = rstan_lite.load(kind(place / "run"))
    answer = model.predict(kind(place / VIDEO), top=2)
    command = ["predict", str(place / VIDEO), "--run", str(place / "run"), "--out", str(tmp_path)]
    assert main(command) == 0
    said = json.loads((tmp_path / "push0-prediction.json").read_text(encoding="utf-8"))
    assert answer == dict(list(said["classes"].items())[:2])
    look = model.attend(kind(place / VIDEO))
    assert look.frames.tolist() == said["attended_frames"]
    assert set(look.maps) == {"appearance", "motion", "fused"}
    np.testing.assert_allclose(look.maps["motion"].sum((1, 2)), 1, rtol=1e-5)
    assert look.maps["fused"].shape == (4, 4, 4)  # T, K, K of pictures of 64 pixels


def test_tensors_in_tensors_out(place):
    model = rstan_lite.load(place / "run")
    config = read_config(place / "run" / "config.json")
    clips = next(iter(DataLoader(StoredFeatures(scaled(config, load_parts(config)).test, 4), 8)))
    output = model(clips["cubes"], clips["vectors"])
    with np.load(place / "run" / "predictions.npz") as saved:
        scores = output.logits[:, -1].softmax(-1).detach().numpy()
        np.testing.assert_allclose(scores, saved["scores"], rtol=1e-4, atol=1e-5)
        assert clips["label"].tolist() == saved["labels"].tolist()


def test_a_saved_folder_opens_elsewhere(place, tmp_path):
    model = rstan_lite.load(place / "run")
    model.save_pretrained(tmp_path / "saved")
    moved = (tmp_path / "saved").rename(tmp_path / "moved")
    assert {"README.md", "config.json", "checkpoint.safetensors", "motion.safetensors"} <= {
        path.name for path in moved.iterdir()
    }
    assert (moved / "README.md").read_text(encoding="utf-8").startswith("# RSTAN on clips")
    assert str(place) not in (moved / "config.json").read_text(encoding="utf-8")
    again = TrainedModel.from_pretrained(moved, device="cpu")
    again.save_pretrained(moved)  # into the folder that it came from
    assert again.predict(place / VIDEO) == model.predict(place / VIDEO)
    (moved / "motion.safetensors").unlink()
    with pytest.raises(CheckpointError, match="motion"):
        TrainedModel.from_pretrained(moved).predict(place / VIDEO)


def test_what_is_no_run_is_said(place, tmp_path):
    with pytest.raises(CheckpointError, match="no such folder; expected the folder of a finished"):
        rstan_lite.load(tmp_path / "none")
    with pytest.raises(ConfigError, match="at least 1"):
        rstan_lite.load(place / "run").predict(place / VIDEO, top=0)


def test_frames_and_masks_turn_together(place, small_root):
    data = open_clips("jhmdb", small_root, validation=0)
    plain = ClipFrames(data, "train", steps=3)
    frames, masks, label = plain[0]
    assert (frames.shape, masks.shape) == ((3, 3, 48, 64), (3, 48, 64))
    assert data.classes[label] == data.train[0].action
    assert masks.any()
    mirror = ClipFrames(data, "train", 3, v2.RandomHorizontalFlip(1.0))[0]
    assert isinstance(mirror[0], tv_tensors.Video)
    assert torch.equal(mirror[0].flip(-1), frames)
    assert torch.equal(mirror[1].flip(-1), masks)
    assert next(iter(DataLoader(plain, batch_size=2)))[0].shape == (2, 3, 3, 48, 64)
    without = ClipFrames(open_clips("folder", place / "clips", validation=0), "test", 3)
    assert not without[0][1].any(), "these clips have no silhouettes"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("python:no_such_module.make:0:1", "No module named"),
        ("python:json.nothing:0:1", "no attribute 'nothing'"),
        ("python:make:0:1", "Empty module name"),
        ("python:builtins.list:0:1", "found a list; expected python:module.function"),
    ],
)
def test_a_name_that_is_no_network_is_said(name, found, place, tmp_path, refused):
    options = {"backbone": name, "motion_backbone": "puppetnet", "out": tmp_path / "run"}
    refused(train_command(place, "own", dataset="folder", **options), found)


def test_the_plain_network_is_exported_with_its_numbers(place):
    network = rstan_lite.load(place / "run", device="cpu").network
    sizes = network.config
    torch.manual_seed(0)

    def inputs(videos):
        cubes = {s: torch.randn(videos, 4, 16, sizes.d_cv[s]) for s in sizes.streams}
        return cubes, {s: torch.randn(videos, 4, sizes.d_fc[s]) for s in sizes.streams}

    videos = torch.export.Dim("videos", min=1, max=64)
    shapes = tuple({s: {0: videos} for s in sizes.streams} for _ in range(2))
    exported = torch.export.export(network, inputs(2), dynamic_shapes=shapes).module()
    given = inputs(5)
    torch.testing.assert_close(exported(*given).logits, network(*given).logits)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*given).logits, network(*given).logits)


OBJECT = """
from torch import nn


class Both(nn.Module):
    def __init__(self, slope=0.0):
        super().__init__()
        self.body, self.slope = nn.Conv2d(3, 8, 3, 16, 1), slope

    def forward(self, images):
        cube = nn.functional.leaky_relu(self.body(images), self.slope)
        return cube, cube.mean((2, 3))
"""


def test_an_object_becomes_the_network_of_a_stream(place, tmp_path, monkeypatch):
    (tmp_path / "own_object.py").write_text(OBJECT, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own, weights = import_module("own_object"), tmp_path / "both.safetensors"
    config, network = read_config(place / "run" / "config.json"), import_module("own_object").Both()
    for other, words in (
        (own.Both(0.5), "another answer of own_object.Both"),
        (nn.Sequential(network.body), "torch.nn.modules.container.Sequential .*Unexpected key"),
        (nn.Conv2d(3, 8, 3), "missing 3 required positional arguments"),
    ):
        with pytest.raises(ConfigError, match=words):
            use_network(config, "appearance", other, weights)
    assert not weights.exists()
    config = use_network(config, "appearance", network, weights)
    train(config, tmp_path / "run", progress=False)
    model = rstan_lite.load(tmp_path / "run")
    assert model.config.backbone == "python:own_object.Both"
    assert model.network.config.d_fc["appearance"] == 8
    assert model.attend(place / VIDEO).maps["appearance"].shape == (4, 4, 4)
    third = replace(config, inputs=("pose=own_object:f",), streams=("pose", "motion"))
    third = use_network(third, "pose", network, weights, nodes="body:body")
    assert third.input_networks == ("pose=python:own_object.Both:body:body",)
    assert third.input_weights == (f"pose={weights}",)

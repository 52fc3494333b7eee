"""From clips to features: inputs, tuning, extraction, resumption, complaints."""

import json
import shutil
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_runs import content

from rstan_lite.cli import main
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import view
from rstan_lite.features import extraction, pipeline
from rstan_lite.features.backbones import STREAMS, FeatureNet, backbone, build
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.flow import encode, flow_sequence, stack
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import find_network, load_imagenet, shipped, split_name
from rstan_lite.features.pipeline import prepare_parts
from rstan_lite.lab.network_tuning import tuned_path
from rstan_lite.lab.tuning_images import TuneSettings, fill_inputs
from rstan_lite.system.errors import CheckpointError, ConfigError, DataError
from rstan_lite.system.tensor_files import read_state


def settings_for(networks, **more):
    options = {"backbone": "puppetnet", "frames": 5, "size": 96, "camera": "none", **more}
    return FeatureSettings(weights=networks, **options)


def test_inputs_are_the_clips_frames_flow_and_masks(data, inputs):
    clip = data.test[3]
    frames = data.frames(clip)
    index = equally_spaced(len(frames), 5)
    np.testing.assert_array_equal(inputs.read(clip, "index"), index)
    np.testing.assert_array_equal(inputs.read(clip, "frames"), frames[index])
    np.testing.assert_array_equal(inputs.read(clip, "masks"), data.silhouettes(clip, frames)[index])
    np.testing.assert_array_equal(inputs.read(clip, "flow"), encode(flow_sequence(frames)))


def test_features_are_the_networks_on_the_views(data, inputs, cache, networks):
    """Cubes, vectors and M of one clip, mirrored view, computed again step by step."""
    settings = settings_for(networks)
    found = prepare_parts(data, ("train",), settings, cache, workers=1)["train"]
    clip, row = data.train[4], 4
    assert found.cubes["motion"].shape == (len(data.train), 2, 5, 36, 128)
    flow = inputs.read(clip, "flow").numpy()
    geometry = view("centre-mirror", flow.shape[1:3], 96)
    index = inputs.read(clip, "index").tolist()
    images = np.stack([geometry.flow(stack(flow, t)) for t in index])  # the other way round
    net = FeatureNet(backbone("puppetnet"), "motion").eval()
    net.load_state_dict(read_state(networks["motion"]))
    with torch.no_grad():
        alone = net.features(torch.from_numpy(images))
    for name, rows in (("cubes", found.cubes), ("vectors", found.vectors)):
        stored = rows["motion"][row][1].float()
        torch.testing.assert_close(stored, alone[name], atol=2e-3, rtol=2e-3)
    masks = inputs.read(clip, "masks").numpy()
    seen = np.stack([view("centre-mirror", m.shape, 96).mask(m) for m in masks])
    np.testing.assert_allclose(found.target[row][1], target(seen, 6))
    plain = np.stack([view("centre", m.shape, 96).mask(m) for m in masks])
    np.testing.assert_array_equal(plain[:, :, ::-1], seen)


def test_tsns_motion_network_sees_five_pairs(data, inputs, cache, tmp_path):
    """Its stack, coding and key are its own; the appearance network's input is BGR."""
    torch.manual_seed(0)
    weights = tmp_path / "w.safetensors"
    save_file(build(backbone("bninception")).state_dict(), weights)
    settings = settings_for(dict.fromkeys(STREAMS, weights), backbone="bninception", size=64)
    found = prepare_parts(data, ("test",), settings, cache, workers=1)["test"]
    clip = data.test[2]
    flow, index = inputs.read(clip, "flow").numpy(), inputs.read(clip, "index").tolist()
    seen = np.stack([stack(flow, t, view("centre", flow.shape[1:3], 64), 5) for t in index])
    net = FeatureNet(backbone("bninception"), "motion").eval()
    load_imagenet(net, weights)
    with torch.no_grad():
        alone = net.features(torch.from_numpy(seen))
    assert alone["cubes"].shape == (5, 4, 1024)
    for name, features in (("cubes", found.cubes), ("vectors", found.vectors)):
        stored = features["motion"][2][0].float()
        torch.testing.assert_close(stored, alone[name], atol=2e-3, rtol=2e-3)
    keys = [content(path) for path in cache.glob("*/key.json")]
    keys = {key["content"]: key for key in keys if key.get("backbone") == "bninception"}
    assert (keys["features 2, motion"]["pairs"], keys["features 2, motion"]["flow_unit"]) == (5, 1)
    assert keys["features 2, appearance"]["pixels"]["bgr"] is True
    usual = FeatureNet(backbone("puppetnet"), "motion").spec
    assert usual.content("motion") == usual.content("appearance") == {}  # old stores stay valid


def test_sides_and_networks_are_checked_before_any_work(small_root, tmp_path, capsys):
    """By `tune` for both streams, and by `train`, before a clip is decoded."""
    cache = tmp_path / "cache"
    here = ["--root", str(small_root), "--cache", str(cache), "--device", "cpu"]
    for words, said in (
        (
            ["--backbone", "vit_b_16"],
            "images of vit_b_16: found a side of",
        ),
        (["--backbone", "bninception", "--size", "112"], "expected a multiple of 32"),
        (["--backbone", "resnet18:layer5:avgpool"], "nodes 'layer5', 'avgpool'"),
    ):
        assert main(["tune", *here, *words]) == 2
        assert said in capsys.readouterr().err
    weights = tmp_path / "w.pth"
    torch.save({}, weights)
    files = ["--appearance-weights", str(weights), "--motion-weights", str(weights)]
    for words, said in (
        (["--backbone", "bninceptoin"], "backbone: found 'bninceptoin'; expected one of"),
        (["--backbone", "bninception", "--size", "240"], "found a side of 240 pixels"),
        (["--backbone", "vgg16", "--motion-size", "192"], "'appearance': 49, 'motion': 36"),
    ):
        command = ["train", "--dataset", "jhmdb", "--profile", "paper", *here, *files]
        command += ["--second-dataset", "none"]
        assert main([*command, "--out", str(tmp_path / "run"), *words]) == 2
        assert said in capsys.readouterr().err
    assert not list(cache.glob("*/push"))  # nothing was stored of a clip


def test_tests_see_the_first_view_only(data, inputs, cache, networks):
    found = prepare_parts(data, ("test",), settings_for(networks), cache, workers=1)["test"]
    assert found.cubes["appearance"].shape[:2] == (6, 1)


@pytest.mark.parametrize("stored", [False, True], ids=["from the files", "from stored inputs"])
def test_a_clip_is_read_once_for_all_streams_and_views(
    data, inputs, cache, networks, tmp_path, monkeypatch, stored
):
    """One decode and one fingerprint a clip; no decode where its inputs are stored."""
    decoded, hashed, true = [], [], pipeline.fingerprint
    frames = JHMDB.frames
    monkeypatch.setattr(JHMDB, "frames", lambda s, c: decoded.append(c) or frames(s, c))
    for module in (pipeline, extraction):
        monkeypatch.setattr(module, "fingerprint", lambda p: hashed.append(p) or true(p))
    # other views than the other tests', so that the shared cache has none of them yet
    settings = settings_for(networks, views=("top-left", "top-left-mirror"))
    folder = cache if stored else tmp_path
    found = prepare_parts(data, ("train",), settings, folder, workers=1)["train"]
    assert found.cubes["motion"].shape[:2] == (len(data.train), 2)
    assert decoded == ([] if stored else data.train)
    videos = [path for path in hashed if path.suffix != ".mat"]  # the others are silhouettes
    assert sorted(videos) == sorted(clip.path for clip in data.train)


def test_damaged_clips_are_named_together_and_the_others_are_kept(small_root, tmp_path):
    root = tmp_path / "own"
    shutil.copytree(small_root, root)
    data = JHMDB(root)
    broken = [data.test[1], data.test[4]]
    raw = broken[0].path.read_bytes()
    broken[0].path.write_bytes(raw[: len(raw) // 2])
    broken[1].mask_path.write_bytes(b"nothing")
    store = inputs_store(data, tmp_path / "cache", frames=4)
    with pytest.raises(DataError, match="2 damaged clips") as caught:
        fill_inputs(store, data, data.test, workers=1)
    assert broken[0].name in str(caught.value)
    assert broken[1].name in str(caught.value)
    assert store.missing(data.test) == broken
    broken[0].path.write_bytes(raw)
    with pytest.raises(DataError, match=r"puppet_mask\.mat: found an unreadable file"):
        fill_inputs(store, data, data.test, workers=1)


def test_networks_by_name(data, inputs, cache, tmp_path):
    assert find_network(data, "puppetnet", "motion", cache) == shipped("motion")
    with pytest.raises(
        CheckpointError, match=r"rstan-lite tune --dataset jhmdb --root .*--backbone resnet18"
    ):
        find_network(data, "resnet18", "motion", cache)
    with pytest.raises(CheckpointError, match="no such file"):
        find_network(data, "resnet18", "motion", cache, tmp_path / "absent")
    settings = TuneSettings("appearance", "resnet18", "none", epochs=1)
    path = tuned_path(cache, inputs, split_name(data), settings)
    assert path != tuned_path(cache, inputs, {**split_name(data), "split": 2}, settings)
    path.parent.mkdir()
    path.write_bytes(b"")

    def write_card(split, **more):
        card = {"backbone": "resnet18", "split": split, "best": {"validation_accuracy": 1}, **more}
        path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")

    write_card(split_name(data))
    assert find_network(data, "resnet18", "appearance", cache) == path
    whole = JHMDB(data.root, validation=0)  # trains on what the network was validated on
    assert find_network(whole, "resnet18", "appearance", cache) == path
    other = JHMDB(data.root, split=2, validation=0.4)
    with pytest.raises(CheckpointError, match="split 2"):
        find_network(other, "resnet18", "appearance", cache)
    fold = JHMDB(data.root, validation=0.4)
    fold.fold = 1  # of more videos than there are here: the network may have seen its test clips
    with pytest.raises(CheckpointError, match=r"of split 1, fold 1; .*--split 1 --fold 1 "):
        find_network(fold, "resnet18", "appearance", cache)
    write_card(split_name(fold))
    assert find_network(fold, "resnet18", "appearance", cache) == path
    taught = {"clips": [fold.test[0].name]}  # by folds of another version
    write_card(split_name(fold), trained_on=taught)
    with pytest.raises(CheckpointError, match="fold 1"):
        find_network(fold, "resnet18", "appearance", cache)
    split = split_name(data)
    split["validation"].pop()  # as if the network had seen a clip that is held out here
    write_card(split)
    with pytest.raises(CheckpointError, match="split 1"):
        find_network(data, "resnet18", "appearance", cache)


def test_streams_may_have_other_networks_but_not_other_grids(data, inputs, cache, networks):
    settings = settings_for(networks, motion_backbone="puppetnet", motion_size=80)
    with pytest.raises(ConfigError, match=r"'appearance': 36, 'motion': 25.* as many places"):
        prepare_parts(data, ("test",), settings, cache, workers=1)
    other = settings_for(networks, size=112, motion_size=100)  # 7 x 7 places both
    found = prepare_parts(data, ("test",), other, cache, workers=1)["test"]
    assert {s: found.cubes[s].shape[3] for s in STREAMS} == {"appearance": 49, "motion": 49}


OWN = """
import numpy as np
import torch
from torch import nn


def six(frames, path, index):
    assert path.is_file() and list(index) == sorted(index)
    return np.concatenate([frames, 255 - frames], -1)[:, ::2, ::2]


def network():
    return nn.Sequential(nn.Conv2d(6, 8, 3, 16, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))


listed, one, tall = (lambda f, *_: list(f)), (lambda f, *_: f[:1]), (lambda f, *_: f[:, :9])
flat, real = (lambda f, *_: f[..., 0]), (lambda f, *_: f / 2)
"""


@pytest.fixture
def own(monkeypatch, tmp_path, networks):
    """A module `own_pictures`, and settings whose third stream a function of it makes."""
    (tmp_path / "own_pictures.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_pictures", raising=False)
    weights = tmp_path / "own.safetensors"
    torch.manual_seed(0)
    save_file(import_module("own_pictures").network().state_dict(), weights)
    own_network = "pose=python:own_pictures.network:1:2"

    def made(function: str, network: str = own_network):
        files = {**networks, "pose": weights if network else networks["appearance"]}
        asked = {"inputs": (f"pose={function}",), "input_networks": (network,) if network else ()}
        return settings_for(files, **asked)

    return made


def test_a_stream_of_ones_own_is_the_network_on_the_functions_pictures(
    data, inputs, cache, own, tmp_path
):
    settings, clip = own("own_pictures:six"), data.test[1]
    found = prepare_parts(data, ("test",), settings, cache, workers=1)["test"]
    frames = inputs.read(clip, "frames").numpy()
    pictures = np.concatenate([frames, 255 - frames], -1)[:, ::2, ::2]
    geometry = view("centre", pictures.shape[1:3], 96)
    seen = [np.dstack([geometry.frame(p[..., :3]), geometry.frame(p[..., 3:])]) for p in pictures]
    net = extraction.load_network(settings, "pose")
    with torch.no_grad():
        alone = net.trunk(torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2) / 255)
    stored = found.vectors["pose"][1][0].float()
    torch.testing.assert_close(stored, alone["2"].flatten(1), atol=2e-3, rtol=2e-3)
    assert sum(1 for _ in cache.glob("pose-*")) == 1
    with (tmp_path / "own_pictures.py").open("a", encoding="utf-8") as file:
        file.write("\n\nsame = six\n")  # another text of the module may mean other pictures
    prepare_parts(data, ("test",), settings, cache, workers=1)
    assert sum(1 for _ in cache.glob("pose-*")) == 2


@pytest.mark.parametrize(
    ("function", "network", "words"),
    [
        ("own_pictures:absent", "pose=python:own_pictures.network:1:2", "no attribute 'absent'"),
        ("nowhere:six", "", "No module named 'nowhere'"),
        ("own_pictures:six", "", r"images of puppetnet: found 6 channels \(pose\); expected 3"),
        ("own_pictures:listed", "", "found a list; expected uint8"),
        ("own_pictures:one", "", r"found uint8 \(1, 48, 64, 3\); expected uint8 \(5, h, w"),
        ("own_pictures:tall", "", r"\(5, 9, 64, 3\); .*48 to 64 of the frames"),
        ("own_pictures:flat", "", r"uint8 \(5, 48, 64\)"),
        ("own_pictures:real", "", r"float64 \(5, 48, 64, 3\)"),
    ],
)
def test_pictures_that_do_not_fit_are_named_with_their_function(
    data, inputs, tmp_path, own, function, network, words
):
    with pytest.raises(ConfigError, match=words):
        prepare_parts(data, ("test",), own(function, network), tmp_path / "cache", workers=1)

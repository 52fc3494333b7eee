"""Every preset through the whole pipeline: clips, store, a training step, the test, at three sides.

The weights are random. A layer of more than a million weights is a window that moves over a few
random numbers, so that no test writes VGG-16's half a gigabyte.
"""

import json

import pytest
import torch
from clips import write_dataset
from safetensors.torch import load_file

from rstan_lite.cli import main
from rstan_lite.features.backbones import backbone, build

BOTH = ("appearance", "motion")
SIDES = {224: (7, BOTH), 256: (8, ("motion",)), 192: (6, ("appearance",))}  # K, streams
SIZES = {  # d_fc, d_cv
    "squeezenet1_0": (512, 512),
    "vgg16": (4096, 512),
    "bninception": (1024, 1024),
    "resnet18": (512, 512),
    "resnet50": (2048, 2048),
    "convnext_tiny": (768, 768),
    "swin_t": (768, 768),
    "vit_b_16": (768, 768),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two clips: one to train on and one to test, so that VGG-16 sees few images."""
    folder = write_dataset(tmp_path_factory.mktemp("two"), per_class=1)
    for split in (folder / "splits").iterdir():
        split.unlink()
    for action, part in (("push", 1), ("jump", 2)):
        path = folder / "splits" / f"{action}_test_split1.txt"
        path.write_text(f"src0_{action}_f_nm_np1_fr_med_0.avi {part}\n", encoding="utf-8")
    return folder


def write_weights(name, path):
    """A file of a network's whole state, random, and small even where its layers are big."""
    state = build(backbone(name)).state_dict()
    for key, tensor in state.items():
        if not key.endswith("weight") or tensor.ndim < 2:
            if key.endswith("bias"):
                tensor.zero_()
            continue
        scale = (2 / tensor[0].numel()) ** 0.5
        if tensor.numel() > 1_000_000 and tensor.ndim == 2:
            few = torch.randn(sum(tensor.shape)) * scale
            state[key] = few.as_strided(tensor.shape, (1, 1))
        else:
            tensor.normal_(0, scale)
    torch.save(state, path)
    return path


def stored(cache, kind, side):
    """The tensors of each clip in a store."""
    for folder in cache.glob(f"{kind}-*"):
        if json.loads((folder / "key.json").read_text(encoding="utf-8"))["size"] == side:
            yield from (load_file(path) for path in sorted(folder.rglob("*.safetensors")))


@pytest.mark.parametrize("name", SIZES)
def test_clips_become_features_a_trained_model_and_its_test(name, root, tmp_path):
    d_fc, d_cv = SIZES[name]
    weights = write_weights(name, tmp_path / "weights.pth")
    assert weights.stat().st_size < 120e6
    for side, (k, streams) in SIDES.items():
        run = tmp_path / f"run-{side}"
        options = {
            "--dataset": "jhmdb", "--root": root, "--cache": tmp_path / "cache", "--out": run,
            "--profile": "paper", "--backbone": name, "--size": side,
            "--appearance-weights": weights, "--motion-weights": weights, "--flow": "dis",
            "--views": "centre", "--stored-frames": 1, "--frames": 1, "--test-frames": 1,
            "--validation": 0, "--iterations": 1, "--d-h": 8, "--d-att": 8, "--scale": "rms",
            "--device": "cpu", "--second-dataset": "none", "--streams": ",".join(streams),
            "--fusion": "max" if streams == BOTH else "none",
        }  # fmt: skip
        assert main(["train", "--quiet", *(str(x) for pair in options.items() for x in pair)]) == 0
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        assert (metrics["n_train"], metrics["n_test"], metrics["iterations"]) == (1, 1, 1)
        assert metrics["test_accuracy"] in (0, 1)
        model = json.loads((run / "checkpoint.json").read_text(encoding="utf-8"))["model"]
        assert model["d_cv"] == dict.fromkeys(streams, d_cv)
        assert model["d_fc"] == dict.fromkeys(streams, d_fc)
        for stream in streams:
            found = list(stored(tmp_path / "cache", stream, side))
            assert len(found) == 2
            for tensors in found:
                assert tensors["cubes"].shape == (1, k * k, d_cv)
                assert tensors["vectors"].shape == (1, d_fc)
            for kind in ("cubes", "vectors"):
                one, other = (tensors[kind].float() for tensors in found)
                assert one.isfinite().all()
                assert one.std() > 0
                assert not torch.equal(one, other)  # of two clips
        for tensors in stored(tmp_path / "cache", "target", side):
            assert tensors["target"].shape == (1, k * k)
    assert main(["evaluate", str(run), "--device", "cpu"]) == 0  # from the store, of the last side
    evaluated = json.loads((run / "evaluation-test-1.json").read_text(encoding="utf-8"))
    assert evaluated["test_accuracy"] == metrics["test_accuracy"]

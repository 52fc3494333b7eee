"""Networks through the whole pipeline: clips, store, a training step, the test; random weights.

One with its channels last. What nodes and sides of every preset give:
tests/features/test_backbones.py.
"""

import pytest
import torch
from clips import write_dataset
from safetensors.torch import load_file
from small_runs import content

from rstan_lite.cli import main
from rstan_lite.features.backbones import backbone, build


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two clips: one to train on and one to test."""
    folder = write_dataset(tmp_path_factory.mktemp("two"), per_class=1)
    for split in (folder / "splits").iterdir():
        split.unlink()
    for action, part in (("push", 1), ("jump", 2)):
        path = folder / "splits" / f"{action}_test_split1.txt"
        path.write_text(f"src0_{action}_f_nm_np1_fr_med_0.avi {part}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "side", "k", "d", "streams"),
    [
        ("swin_t", 192, 6, 768, ("appearance",)),
    ],
)
def test_clips_become_features_a_trained_model_and_its_test(
    name, side, k, d, streams, root, tmp_path
):
    weights, run, cache = (tmp_path / part for part in ("weights.pth", "run", "cache"))
    torch.save(build(backbone(name)).state_dict(), weights)
    options = {
        "--dataset": "jhmdb", "--root": root, "--cache": cache, "--out": run, "--size": side,
        "--profile": "paper", "--backbone": name, "--appearance-weights": weights,
        "--motion-weights": weights, "--flow": "dis", "--views": "centre", "--stored-frames": 1,
        "--frames": 1, "--test-frames": 1, "--validation": 0, "--iterations": 1, "--d-h": 8,
        "--d-att": 8, "--scale": "rms", "--device": "cpu", "--second-dataset": "none",
        "--streams": ",".join(streams), "--fusion": "max" if len(streams) > 1 else "none",
    }  # fmt: skip
    assert main(["train", "--quiet", *(str(x) for pair in options.items() for x in pair)]) == 0
    metrics = content(run / "metrics.json")
    assert (metrics["n_train"], metrics["n_test"], metrics["iterations"]) == (1, 1, 1)
    assert (metrics["n_validation"], metrics["validation_accuracy"]) == (0, None)
    assert metrics["best_epoch"] == metrics["epochs"]  # the last one, where nothing validates
    model = content(run / "checkpoint.json")["model"]
    assert model["d_cv"] == model["d_fc"] == dict.fromkeys(streams, d)
    for stream in streams:
        one, other = (load_file(path) for path in cache.glob(f"{stream}-*/*/*.safetensors"))
        assert (one["cubes"].shape, one["vectors"].shape) == ((1, k * k, d), (1, d))
        for kind in ("cubes", "vectors"):
            assert one[kind].isfinite().all()
            assert one[kind].float().std() > 0
            assert not torch.equal(one[kind], other[kind])  # of two clips
    for path in cache.glob("target-*/*/*.safetensors"):
        assert load_file(path)["target"].shape == (1, k * k)
    assert main(["evaluate", str(run), "--device", "cpu"]) == 0  # from the store
    evaluated = content(run / "evaluation-test-1.json")
    assert evaluated["test_accuracy"] == metrics["test_accuracy"] in (0, 1)

"""A folder with one good file of every kind that the package reads."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.backbones import STREAMS
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import split_name
from rstan_lite.features.store import Store
from rstan_lite.lab.scores import write_csv
from rstan_lite.lab.tuning_images import fill_inputs
from rstan_lite.model.rstan import RSTAN, RSTANConfig
from rstan_lite.system.tensor_files import weights_hash
from rstan_lite.training import run_folder as runs
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import Description, save_model
from rstan_lite.training.train import train
from tests import clips
from tests.classroom import made
from tests.fetch.made import write_rar, write_tar, write_zip
from tests.small_runs import write_networks
from tests.training.synthetic import SMALL, make_parts

CLASSES = ("jump", "pick", "push")
SIZE = 64  # pixels of the small run's networks
MEMBERS = (("clips/a/one.avi", b"1" * 300), ("clips/b/two.avi", b"2" * 40))


def build(root: Path) -> None:
    """Write everything under root, once."""
    torch.manual_seed(0)
    clips.write_dataset(root / "avi", per_class=2, frames=5)
    (root / "avi" / "puppets.json").write_text(json.dumps({"seed": 1}), encoding="utf-8")
    clips.write_dataset(root / "png", per_class=2, frames=3, images=True)
    clips.write_ucf101(root / "ucf101", frames=2)
    clips.write_hmdb51(root / "hmdb51", frames=2)
    frames = clips.clip_arrays("push", 0, 5)[0]
    clips.write_turned(root / "phone.mp4", frames.transpose(0, 2, 1, 3), (0, 1, -1, 0))
    clips.write_video(root / "clip.mkv", frames)
    data = JHMDB(root / "avi", validation=0)
    clip = data.test[0]
    inputs = inputs_store(data, root / "cache", frames=3)
    fill_inputs(inputs, data, [clip], workers=1)
    store = Store(root / "store", {"content": "features", "size": 7})
    store.write(clip, {"cubes": torch.rand(3, 9, 4).half(), "vectors": torch.rand(3, 4).half()})
    (root / "nets" / "tuned").mkdir(parents=True)
    written = write_networks(root / "nets" / "tuned")
    networks = {s: str(path.rename(path.with_stem(f"{s}-0"))) for s, path in written.items()}
    card = {"backbone": "puppetnet", "split": split_name(data), "best": {"validation_accuracy": 1}}
    (root / "nets" / "tuned" / "motion-0.json").write_text(json.dumps(card), encoding="utf-8")
    torch.save({"fc.weight": torch.rand(3, 4), "fc.bias": torch.rand(3)}, root / "state.pth")
    _run(root / "run", root, networks)
    for write, name in ((write_zip, "a.zip"), (write_tar, "a.tar.gz"), (write_rar, "a.rar")):
        write(root / name, *MEMBERS)
    solved = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
    declared = 'split: int = 1  # of three\nout: str = "runs"\nlr: float = 0.1\n'
    made.write(
        root / "n.ipynb",
        made.code(declared, "p", "parameters"),
        made.code(solved, "blank-1", "blank"),
        made.code("assert f() == 1", "check-1", "check"),
    )
    config = resolve("tiny", {**SMALL, "iterations": 4, "batch_size": 4})
    train(config, root / "stopped", make_parts(8, 2, 2), progress=False, stop_after=1)
    shutil.copy(root / "stopped" / "log.csv", root / "log.csv")


def _run(folder: Path, root: Path, networks: dict[str, str]) -> None:
    """A finished run: a model drawn at random, behind random networks."""
    config = resolve(
        "tiny",
        {
            "root": str(root / "avi"), "size": SIZE, "stored_frames": 3, "frames": 2,
            "test_frames": 3, "device": "cpu", "d_h": 8, "d_att": 4, "cache": str(root / "cache"),
        },
    )  # fmt: skip
    runs.write_config(folder, replace(config, **{"iterations": SMALL["iterations"]}))
    sizes = dict.fromkeys(STREAMS, 128)
    model = RSTAN(RSTANConfig(STREAMS, sizes, sizes, {"puppets": 3}, d_h=8, d_att=4))
    hashes = {stream: (path, weights_hash(path)) for stream, path in networks.items()}
    scales = dict.fromkeys(STREAMS, (1.0, 1.0))
    text = Description(asdict(model.config), "puppets", CLASSES, scales, hashes, 1, {})
    save_model(folder, model, text)
    runs.write_json(folder / runs.METRICS, {"test_accuracy": 0.5, "n_test": 4})
    scores = np.full((4, 3), 1 / 3, np.float32)
    found = runs.Predictions(tuple("abcd"), np.array([0, 1, 2, 0]), scores, CLASSES)
    runs.write_predictions(folder / runs.PREDICTIONS["test"], found)
    write_csv(root / "scores.csv", found)

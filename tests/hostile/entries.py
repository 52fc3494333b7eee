"""A good file of every kind that the package reads, and the entry points that read them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from data_scripts.fetch.archives import extract
from rstan_lite.classroom.copies import make_copy
from rstan_lite.classroom.notebook_parameters import notebook_parameters
from rstan_lite.data.datasets import open_clips
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.silhouettes import read_masks
from rstan_lite.data.splits import read_split
from rstan_lite.data.video import read_frames, read_images
from rstan_lite.features.backbones import STREAMS
from rstan_lite.features.extraction import FeatureSettings, load_network
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import find_network, look, split_name
from rstan_lite.features.store import Store
from rstan_lite.lab.predict import predict, sample_video
from rstan_lite.lab.scores import fuse, read_scores, write_csv
from rstan_lite.lab.tuning_images import fill_inputs
from rstan_lite.model.rstan import RSTAN, RSTANConfig
from rstan_lite.system.tensor_files import read_state, weights_hash
from rstan_lite.training import run_folder as runs
from rstan_lite.training.config import read_config
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import Description, load_model, read_log, save_model
from rstan_lite.training.train import train
from tests import clips
from tests.classroom import made
from tests.fetch.made import write_rar, write_tar, write_zip
from tests.hostile.damage import BYTES
from tests.small_runs import write_networks
from tests.training.synthetic import SMALL, make_parts


@dataclass(frozen=True)
class Entry:
    """Something that reads a file.

    good: the file in the world. tree: the folder of the world that is copied for a case, the file's
    own place in it being `good`; empty where the file is read by itself. call: reads it, given the
    case's folder (a copy of the tree, or a folder with the file alone). kinds: of damage. weight:
    how often it is drawn.
    """

    good: str
    call: Callable[[Path, Path], object]
    kinds: tuple[str, ...] = ()
    tree: str = ""
    weight: int = 4


CLIP = "src0_push_f_nm_np1_fr_med_1"
VIDEO = f"ReCompress_Videos/push/{CLIP}.avi"
FRAME = f"Rename_Images/push/{CLIP}/00002.png"


def _clips(name: str) -> Callable[[Path, Path], object]:
    return lambda case, file: open_clips(name, case, missing="skip", validation=0.2).identity()


def _frames(case: Path, file: Path) -> object:
    data = JHMDB(case, validation=0)
    clip = next(clip for clip in data.train + data.test if clip.name == CLIP)
    return data.silhouettes(clip, data.frames(clip))


def _sampled(case: Path, file: Path) -> object:
    return [read_frames(file), sample_video(file, lambda n: range(0, n, 3), 24, enlarge=True)]


def _store(case: Path, file: Path) -> object:
    world = case.parent / "world"
    clip = JHMDB(world / "avi", validation=0).test[0]
    store = Store(case, {"content": "features", "size": 7})
    store.missing([clip])
    return [store.read(clip, name).float().sum() for name in ("cubes", "vectors")]


def _inputs(case: Path, file: Path) -> object:
    data = JHMDB(case.parent / "world" / "avi", validation=0)
    return [
        inputs_store(data, case, frames=3).read(data.test[0], name)
        for name in ("frames", "flow", "masks", "index")
    ]


def _network(case: Path, file: Path) -> object:
    settings = FeatureSettings({"motion": file}, "puppetnet", size=SIZE)
    return load_network(settings, "motion")


def _tuned(case: Path, file: Path) -> object:
    data = JHMDB(case.parent / "world" / "avi", validation=0)
    look(case / "tuned" / "motion-0.safetensors", data, "jhmdb")
    return find_network(data, "puppetnet", "motion", case)


def _archive(case: Path, file: Path) -> object:
    return extract(file, case / "target", "clips", progress=False)


def _predict(case: Path, file: Path) -> object:
    return predict(file, case.parent / "world" / "run", case / "out", device="cpu")


def _predict_run(case: Path, file: Path) -> object:
    return predict(case.parent / "world" / "avi" / VIDEO, case, case / "out", device="cpu")


def _resume(case: Path, file: Path) -> object:
    config = resolve("tiny", {**SMALL, "iterations": 4, "batch_size": 4})
    return train(config, case, make_parts(8, 2, 2), progress=False)


def _notebook(case: Path, file: Path) -> object:
    return [notebook_parameters(file), make_copy(file, "student"), make_copy(file, "teacher")]


ENTRIES: dict[str, Entry] = {
    "split list": Entry("avi/splits/push_test_split1.txt", lambda c, f: read_split(f), ("lines",)),
    "open jhmdb": Entry("splits/push_test_split1.txt", _clips("jhmdb"), ("lines",), "avi"),
    "open ucf101": Entry(
        "ucfTrainTestlist/trainlist01.txt", _clips("ucf101"), ("lines",), "ucf101"
    ),
    "ucf101 classes": Entry(
        "ucfTrainTestlist/classInd.txt", _clips("ucf101"), ("lines",), "ucf101"
    ),
    "open hmdb51": Entry(
        "testTrainMulti_7030_splits/wave_test_split1.txt", _clips("hmdb51"), ("lines",), "hmdb51"
    ),
    "puppets.json": Entry("puppets.json", _clips("puppets"), ("json",), "avi"),
    "video": Entry(f"avi/{VIDEO}", lambda c, f: read_frames(f), weight=12),
    "phone": Entry("phone.avi", _sampled, weight=8),
    "matroska": Entry("clip.mkv", _sampled, weight=8),
    "clip of a video": Entry(VIDEO, _frames, tree="avi"),
    "frame": Entry(FRAME, lambda c, f: read_images(f.parent), (), "png", 8),
    "silhouettes": Entry(
        f"avi/puppet_mask/push/{CLIP}/puppet_mask.mat", lambda c, f: read_masks(f, (6, 48, 64)),
        weight=12,
    ),
    "feature store": Entry("*/*.safetensors", _store, (), "store", 8),
    "store's key": Entry("key.json", _store, ("json",), "store"),
    "input store": Entry("inputs-*/*/*.safetensors", _inputs, (), "cache", 8),
    "network": Entry("nets/tuned/motion-0.safetensors", _network),
    "weights .pth": Entry("state.pth", lambda c, f: read_state(f), weight=10),
    "card": Entry("tuned/motion-0.json", _tuned, ("json",), "nets"),
    "run's weights": Entry("checkpoint.safetensors", lambda c, f: load_model(c), (), "run", 6),
    "run's description": Entry("checkpoint.json", lambda c, f: load_model(c), ("json",), "run", 8),
    "config": Entry("run/config.json", lambda c, f: read_config(f), ("json",), weight=6),
    "metrics": Entry("run/metrics.json", lambda c, f: runs.read_metrics(f.parent), ("json",)),
    "scores .npz": Entry("run/predictions.npz", lambda c, f: read_scores(f), weight=6),
    "scores .csv": Entry("EXCEL.CSV", lambda c, f: read_scores(f), ("lines",), weight=6),
    "fuse": Entry("scores.csv", lambda c, f: fuse([c.parent / "world" / "run", f]), ("lines",)),
    "log.csv": Entry("log.csv", lambda c, f: read_log(f), ("lines",), weight=2),
    "resumed training": Entry("resume.pt", _resume, (), "stopped", 3),
    "notebook": Entry("n.ipynb", _notebook, ("json",), weight=8),
    "zip": Entry("a.zip", _archive, weight=8),
    "tar": Entry("a.tar.gz", _archive, weight=8),
    "rar": Entry("a.rar", _archive, weight=4),
    "predict": Entry(f"avi/{VIDEO}", _predict, weight=1),
    "predict with a run": Entry("checkpoint.json", _predict_run, ("json",), "run", 1),
}  # fmt: skip


def kinds(entry: Entry) -> list[str]:
    """The kinds of damage that an entry's file can get."""
    return [*BYTES, *entry.kinds * 4]


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
    frames = clips.clip_arrays("push", 0, 12)[0]
    phone = {"times": [0, 0.1, 0.2, 0.9, 1], "pixel": Fraction(4, 3)}  # under another ending
    turned = frames[:5].transpose(0, 2, 1, 3)
    clips.write_turned(root / "phone.mp4", turned, (0, 1, -1, 0), **phone)
    (root / "phone.mp4").rename(root / "phone.avi")
    clips.write_cut(root / "clip.mkv", frames)
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
    text = (root / "scores.csv").read_text(encoding="utf-8").replace(",", ";").replace(".", ",")
    (root / "EXCEL.CSV").write_text(text, encoding="utf-8-sig")

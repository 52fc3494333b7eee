"""The package's public entry points, each with the good file that it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_scripts.fetch.archives import extract
from rstan_lite.classroom.copies import make_copy
from rstan_lite.classroom.notebook_parameters import notebook_parameters
from rstan_lite.data.datasets import open_clips
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.silhouettes import read_masks
from rstan_lite.data.splits import read_split
from rstan_lite.data.video import read_frames, read_images
from rstan_lite.features.extraction import FeatureSettings, load_network
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import find_network, look
from rstan_lite.features.store import Store
from rstan_lite.lab.predict import predict, sample_video
from rstan_lite.lab.scores import fuse, read_scores
from rstan_lite.system.tensor_files import read_state
from rstan_lite.training import run_folder as runs
from rstan_lite.training.config import read_config
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import load_model, read_log
from rstan_lite.training.train import train
from tests.hostile.damage import BYTES
from tests.hostile.world import SIZE
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
    "phone": Entry("phone.mp4", _sampled, weight=8),
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
    "scores .csv": Entry("scores.csv", lambda c, f: read_scores(f), ("lines",), weight=6),
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

"""A training or tuning that stops anywhere goes on to the same bits."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from interruption.test_files import HOLD
from training.synthetic import SMALL, make_parts

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import split_name
from rstan_lite.lab.network_tuning import Tuner, tune
from rstan_lite.lab.tuning_images import TuneSettings, fill_inputs
from rstan_lite.system.errors import BusyError, ConfigError
from rstan_lite.system.interruption import Interrupted
from rstan_lite.training import loop
from rstan_lite.training import run_folder as runs
from rstan_lite.training import train as whole_run
from rstan_lite.training.checkpoint import Versions
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import read_log
from rstan_lite.training.train import train

# four mini-batches an epoch; the last one ends in the middle; dropout draws from torch's source
CONFIG = resolve(
    "tiny",
    {**SMALL, "iterations": 10, "batch_size": 4, "dropout": 0.4, "d_h": 8, "d_att": 4,
     "save_seconds": 0.0},
)  # fmt: skip
POINTS = 10 + 3  # of a training: after each mini-batch, and after each epoch
TIMED = ("seconds", "peak_memory")


@pytest.fixture(scope="module")
def parts():
    return make_parts(train=19, validation=6, test=6)


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory):
    """The folder and metrics of a training that was left alone."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, train(CONFIG, out, parts, progress=False)


def die(*_):
    raise KeyboardInterrupt


def check(whole, out, metrics) -> None:
    """Weights, predictions, log and metrics are those of the whole run, and nothing is left."""
    for name in ("checkpoint.safetensors", "checkpoint.json", "log.csv", "predictions.npz",
                 "predictions_validation.npz", "confusion.csv"):  # fmt: skip
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes(), name
    expected, found = (
        {k: v for k, v in json.loads(json.dumps(some)).items() if k not in TIMED}
        for some in (whole[1], metrics)
    )
    assert found == expected
    left = {path.name for path in out.iterdir() if "events" not in path.name}
    assert left == {path.name for path in whole[0].iterdir() if "events" not in path.name}


def stopped_at_each(stride, ctrl_c_at, monkeypatch, done, run):
    """How often a run was stopped at every stride-th safe point, and what it gave in the end."""
    stops = 0
    while not done.exists():
        ctrl_c_at(stride)
        try:
            found = run()
        except Interrupted:
            stops += 1
            torch.manual_seed(stops)  # another process has another state
        monkeypatch.undo()
    return stops, found


@pytest.mark.parametrize("stride", [1, 3])  # 1: at every safe point
def test_ctrl_c_again_and_again(parts, whole, tmp_path, ctrl_c_at, monkeypatch, stride):
    run = partial(train, CONFIG, tmp_path, parts, progress=False)
    done = tmp_path / "metrics.json"
    stops, metrics = stopped_at_each(stride, ctrl_c_at, monkeypatch, done, run)
    assert stops >= (POINTS - 1) // (stride + 1)
    check(whole, tmp_path, metrics)


def test_ctrl_c_during_each_validation(parts, whole, tmp_path, monkeypatch):
    true, calls = loop.evaluate, []

    def evaluate(*args, **options):
        found = true(*args, **options)
        calls.append(1)
        if len(calls) % 2:  # the first of each epoch's two
            signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(loop, "evaluate", evaluate)
    for epochs in range(3):
        with pytest.raises(Interrupted):
            train(CONFIG, tmp_path, parts, progress=False)
        assert len(read_log(tmp_path / "log.csv")) == epochs
    check(whole, tmp_path, train(CONFIG, tmp_path, parts, progress=False))


@pytest.mark.parametrize(
    ("place", "write"),
    [(runs, "save_model"), (whole_run, "save_predictions"), (runs, "write_json"),
     (Versions, "remove")],
)  # fmt: skip
def test_a_kill_while_the_results_are_written(parts, whole, tmp_path, monkeypatch, place, write):
    """Before the weights, before predictions, before metrics.json, and just after it."""
    monkeypatch.setattr(place, write, die)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path, parts, progress=False)
    assert (tmp_path / "resume.pt").exists()
    monkeypatch.undo()
    check(whole, tmp_path, train(CONFIG, tmp_path, parts, progress=False))


def test_a_log_that_lags_behind_the_checkpoint_catches_up(parts, whole, tmp_path, monkeypatch):
    config = replace(CONFIG, save_every=1)
    stop = {"progress": False, "stop_after": 2}
    train(config, tmp_path, parts, **stop)
    (tmp_path / "log.csv").write_bytes(b"")  # the checkpoint was written, then came the kill
    train(config, tmp_path, parts, **stop)
    assert read_log(tmp_path / "log.csv") == read_log(whole[0] / "log.csv")[:2]


def test_a_run_with_the_version_before_alone_is_a_begun_one(parts, tmp_path):
    train(CONFIG, tmp_path, parts, progress=False, stop_after=1)
    (tmp_path / "resume.pt").rename(tmp_path / "resume.pt.previous")
    with pytest.raises(ConfigError, match="seed 0"):
        train(replace(CONFIG, seed=3), tmp_path, parts, progress=False)


def test_how_often_is_saved_may_change_underway(parts, whole, tmp_path):
    train(replace(CONFIG, save_every=3), tmp_path, parts, progress=False, stop_after=1)
    config = replace(CONFIG, save_seconds=1e-9, save_every=0)
    check(whole, tmp_path, train(config, tmp_path, parts, progress=False))


def test_parts_that_a_kill_left_are_cleared_and_never_read(parts, whole, tmp_path):
    train(CONFIG, tmp_path, parts, progress=False, stop_after=1)
    code = (
        "import os, sys, pathlib; from rstan_lite.system import files\n"
        "files.os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "files.write_atomically(pathlib.Path(sys.argv[1]), b'half')\n"
    )
    for name in ("resume.pt", "metrics.json"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)])
    assert len(list(tmp_path.glob(".*.part"))) == 2
    check(whole, tmp_path, train(CONFIG, tmp_path, parts, progress=False))


def test_a_second_process_in_a_run_folder_is_refused(parts, tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(BusyError, match="a run that is trained by another process"):
            train(CONFIG, tmp_path, parts, progress=False)
        other.kill()
    assert train(CONFIG, tmp_path, parts, progress=False, stop_after=1) is None


# -- tuning


@pytest.fixture(scope="module")
def clips(small_root, tmp_path_factory):
    """A data set, and the store of its inputs."""
    data = JHMDB(small_root, validation=0.4)
    store = inputs_store(data, tmp_path_factory.mktemp("cache"), frames=5)
    fill_inputs(store, data, data.train + data.validation, workers=1)
    return data, store


def tuned(clips, path, **more) -> dict:
    data, store = clips
    settings = TuneSettings(
        "appearance", "puppetnet", "none", epochs=3, frozen=1, batch=3, segments=1, size=48,
        test_size=48, places=0.5, validate_every=2,
    )  # fmt: skip
    args = (store, data.train, data.validation, data.classes, split_name(data), settings, path)
    return tune(*args, workers=0, **{"save_seconds": 0.0, **more})


@pytest.fixture(scope="module")
def network(clips, tmp_path_factory):
    """The file and the card of a tuning that was left alone."""
    path = tmp_path_factory.mktemp("tuned") / "whole.safetensors"
    return path, tuned(clips, path)


def check_network(network, path, card) -> None:
    assert path.read_bytes() == network[0].read_bytes()
    assert card == network[1]
    assert {p.name for p in path.parent.iterdir()} == {path.name, path.with_suffix(".json").name}


def test_a_tuning_that_is_stopped_goes_on(clips, network, tmp_path, monkeypatch):
    true, calls = Tuner.run_epoch, []

    def run_epoch(tuner):
        found = true(tuner)
        calls.append(tuner.epoch)
        if len(calls) in (2, 4):  # the second and the third epoch, each just before it is kept
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Tuner, "run_epoch", run_epoch)
    path = tmp_path / "a.safetensors"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tuned(clips, path, save_seconds=1e-9)
    check_network(network, path, tuned(clips, path))
    assert calls == [0, 1, 1, 2, 2]


def test_a_kill_just_after_a_network_is_written(clips, network, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr(Versions, "remove", die)
        with pytest.raises(KeyboardInterrupt):
            tuned(clips, path, save_seconds=1e-9)
    assert path.exists()
    assert path.with_suffix(".resume").exists()
    check_network(network, path, tuned(clips, path))

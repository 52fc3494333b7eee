"""Extraction over a cluster: the same bytes as alone, past a damaged clip and a lost worker."""

import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from small_runs import write_networks

from rstan_lite.cli import main
from rstan_lite.lab.sweep.sweeping import connect, extract
from rstan_lite.system.errors import DataError
from rstan_lite.training.parts import load_parts
from rstan_lite.training.profiles import resolve
from tests.sweep.small import until


def stored(cache: Path) -> dict[str, bytes]:
    """Every file of the stores, by its path."""
    files = (path for path in cache.rglob("*") if path.is_file())
    return {str(path.relative_to(cache)): path.read_bytes() for path in files}


def test_the_same_bytes_past_a_damaged_clip_and_a_lost_worker(small_root, tmp_path, capsys):
    shutil.copytree(small_root, tmp_path / "clips")
    clip = sorted((tmp_path / "clips").rglob("*.avi"))[0]
    clip.write_bytes(clip.read_bytes()[:2000])
    options = {"dataset": "jhmdb", "root": str(tmp_path / "clips"), "size": 64, "stored_frames": 4,
             "test_frames": 4, "frames": 3, "device": "cpu"}  # fmt: skip
    for stream, path in write_networks(tmp_path).items():
        options[f"{stream}_weights"] = str(path)
    words = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    here = ["--profile", "tiny", *words, "--cache", str(tmp_path / "alone")]
    assert main(["extract", *here]) == 2
    complaint = capsys.readouterr().err
    alone = stored(tmp_path / "alone")
    assert sum(name.endswith(".safetensors") for name in alone) > 3 * 17

    over = tmp_path / "over"
    for name in sorted(n for n in alone if n.startswith("motion-"))[::3]:  # what is stored stays
        (over / name).parent.mkdir(parents=True, exist_ok=True)
        (over / name).write_bytes(alone[name])
    before = {path: path.stat().st_mtime_ns for path in over.rglob("*") if path.is_file()}
    config = resolve("tiny", {**options, "cache": str(over)})
    made = len(before)
    with connect(None, 2) as client:
        (one, _) = client.scheduler_info()["workers"]

        def kill_one() -> None:
            until(lambda: len(stored(over)) > made + 3)
            os.kill(client.run(os.getpid)[one], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        assert extract(client, config, progress=False) == 18
        killer.join()
    assert stored(over) == alone
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(DataError) as raised:
        load_parts(config)
    assert str(raised.value) in complaint


def test_a_scheduler_that_does_not_answer_is_a_complaint(tmp_path, capsys):
    words = ["--scheduler", str(tmp_path / "no.json"), "--cache", str(tmp_path / "none")]
    assert main(["extract", "--profile", "tiny", *words]) == 2
    assert "--scheduler: found" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()

"""Extraction over a cluster: the same bytes as alone, past a damaged clip and a lost worker."""

import os
import shutil
import signal
import threading

import pytest
from clips import contents
from small_runs import as_words, small_options, write_networks

from rstan_lite.cli import main
from rstan_lite.lab.sweep.sweeping import connect, extract
from rstan_lite.system.errors import DataError
from rstan_lite.training.parts import load_parts
from rstan_lite.training.profiles import resolve
from tests.sweep.small import until


def test_the_same_bytes_past_a_damaged_clip_and_a_lost_worker(small_root, tmp_path, capsys):
    shutil.copytree(small_root, tmp_path / "clips")
    clip = sorted((tmp_path / "clips").rglob("*.avi"))[0]
    clip.write_bytes(clip.read_bytes()[:2000])
    write_networks(tmp_path)
    over, options = tmp_path / "over", small_options(tmp_path, dataset="jhmdb")
    here = {**options, "profile": "tiny", "cache": tmp_path / "alone"}
    assert main(["extract", *as_words(here)]) == 2
    complaint = capsys.readouterr().err
    alone = contents(tmp_path / "alone")
    assert sum(name.endswith(".safetensors") for name in alone) > 3 * 17

    for name in sorted(n for n in alone if n.startswith("motion-"))[::3]:  # what is stored stays
        (over / name).parent.mkdir(parents=True, exist_ok=True)
        (over / name).write_bytes(alone[name])
    before = {path: path.stat().st_mtime_ns for path in over.rglob("*") if path.is_file()}
    config = resolve("tiny", {**options, "cache": str(over)})
    made = len(before)
    with connect(None, 2) as client:
        (one, _) = client.scheduler_info()["workers"]

        def kill_one() -> None:
            until(lambda: len(contents(over)) > made + 3)
            os.kill(client.run(os.getpid)[one], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        assert extract(client, config, progress=False) == 18
        killer.join()
    assert contents(over) == alone
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(DataError) as raised:
        load_parts(config)
    assert str(raised.value) in complaint


def test_a_scheduler_that_does_not_answer_is_a_complaint(tmp_path, capsys):
    words = ["--scheduler", str(tmp_path / "no.json"), "--cache", str(tmp_path / "none")]
    assert main(["extract", "--profile", "tiny", *words]) == 2
    assert "--scheduler: found" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()

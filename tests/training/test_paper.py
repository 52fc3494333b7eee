"""The profile `paper` against the paper's values, read once more and written down here by hand."""

import re
from dataclasses import fields

import numpy as np
import pytest

from rstan_lite.cli import main
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.lab.paper_settings import REASONS
from rstan_lite.lab.paper_settings import beside_paper as rows
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import resolve

# Sections IV-B and IV-C, word by word. Not to be taken from the package.
EVERYWHERE = {
    "split": 1, "size": 224, "streams": ("appearance", "motion"), "d_h": 1024, "fusion": "max",
    "classifier": "joint", "renormalize": False, "test_frames": 32, "lr": 0.01,
    "iterations": 20000, "milestone": 12000, "momentum": 0.9, "weight_decay": 0.0005,
}  # fmt: skip
UCF101 = {
    "backbone": "vgg16", "batch_size": 16, "frames": 16, "attention": "all", "gamma_alpha": 5,
    "gamma_beta": 10, "aa_kind": "none", "second_dataset": "none",
}  # fmt: skip
HMDB51 = {**UCF101, "backbone": "bninception", "batch_size": 32, "frames": 8}
JHMDB = {
    "backbone": "vgg16", "batch_size": 8, "attention": "window", "window": 2, "gamma_alpha": 1,
    "gamma_beta": 1, "aa_kind": "l2", "lambda_aa": 0.5, "second_dataset": "ucf101",
    "second_batch_size": 8, "second_weight": 0.1,
}  # fmt: skip
WRITTEN = {"ucf101": UCF101, "hmdb51": HMDB51, "jhmdb": JHMDB}
each = pytest.mark.parametrize("dataset", WRITTEN)


@each
def test_the_profile_has_the_papers_values(dataset: str):
    config, expected = resolve("paper", {"dataset": dataset}), EVERYWHERE | WRITTEN[dataset]
    assert {name: getattr(config, name) for name in expected} == expected


@each
def test_the_table_names_a_value_and_a_place_or_a_reason_for_every_setting(dataset: str):
    found = {row.name: row for row in rows(resolve("paper", {"dataset": dataset}))}
    assert list(found) == [spec.name for spec in fields(TrainConfig)]
    for name, row in found.items():
        if row.stated is None:
            assert row.source.startswith("ours: "), name
            assert len(row.source) > 10, name
        else:
            assert row.source.startswith(("Sec. I", "Eq. ")), name
        assert not row.differs, name
    written = {name for name in EVERYWHERE | WRITTEN[dataset]}
    assert {name for name, row in found.items() if row.stated is not None} == written | {"dataset"}
    for name in written:
        assert found[name].stated == (EVERYWHERE | WRITTEN[dataset])[name], name


@pytest.mark.parametrize(("frames", "phases"), [(16, 2), (8, 4)])
def test_the_stored_frames_have_as_many_phases_as_the_table_says(frames: int, phases: int):
    stored = resolve("paper", {"dataset": "jhmdb"}).stored_frames
    drawn = equally_spaced(stored, frames, np.linspace(0, 1, 100, endpoint=False))
    assert len(np.unique(drawn, axis=0)) == phases
    assert re.search(rf"\b{phases}( phases)? with {frames}\b", REASONS["stored_frames"])


def test_puppets_take_jhmdbs_settings_alone():
    puppets, jhmdb = resolve("paper"), resolve("paper", {"dataset": "jhmdb"})
    differing = {
        spec.name
        for spec in fields(TrainConfig)
        if getattr(puppets, spec.name) != getattr(jhmdb, spec.name)
    }
    assert differing == {"dataset", "second_dataset", "batch_size"}
    assert (puppets.second_dataset, puppets.batch_size) == ("none", 16)


def test_other_profiles_are_marked_where_they_differ():
    found = {row.name: row for row in rows(resolve("tiny", {"dataset": "jhmdb"}))}
    assert found["d_h"].differs
    assert (found["d_h"].value, found["d_h"].stated) == (64, 1024)
    assert not found["gamma_alpha"].differs
    assert found["flow"].source.endswith("(profile paper: tvl1)")
    assert not found["flow"].differs  # the paper states none


@pytest.mark.parametrize("dataset", ["jhmdb", "puppets"])
def test_dry_run_prints_and_touches_nothing(dataset: str, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["train", "--profile", "paper", "--dataset", dataset, "--root", "no such folder"]
    assert main([*command, "--d-h", "512", "--dry-run"]) == 0
    text = capsys.readouterr().out
    lines = {line[3:].split("  ")[0]: line for line in text.splitlines()}
    assert lines["d_h"].startswith("*")
    assert lines["gamma_beta"].startswith(" ")
    assert "Sec. IV-B, third point" in lines["gamma_beta"]
    assert "not stated" in lines["clip_norm"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--backbone", "vit_small_patch16_224"), "'vit_small_patch16_224'"),
        (("--backbone", "resnet18:layer9:avgpool"), "nodes 'layer9'"),
        (("--motion-size", "64"), "as many places"),
    ],
)
def test_dry_run_refuses_the_networks_that_training_refuses(options, words, refused):
    refused(["train", "--profile", "tiny", "--dry-run", *options], words)


def test_a_fold_has_a_run_folder_of_its_own(capsys):
    command = ["train", "--dataset", "puppets", "--profile", "tiny", "--fold", "2", "--dry-run"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "write the run folder runs/puppets-1-fold2-tiny-seed0" in said

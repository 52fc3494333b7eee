"""The ledger's rows, its runs, where they look, and what is written of them."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import as_words, small_options, write_networks
from training.synthetic import SMALL, make_parts

from rstan_lite.cli import main
from rstan_lite.cli.experiments import write_files
from rstan_lite.lab.ledger.claims import CLAIMS, difference
from rstan_lite.lab.ledger.error_analysis import attended, row_sums
from rstan_lite.lab.ledger.ledger_runs import CHOSEN, FAILURE, Plan, make, open_plan, read, train_on
from rstan_lite.lab.ledger.ledger_tables import Pool, ledger_text, pool_text, write_tables
from rstan_lite.lab.paper_rows import ROWS, rows_of
from rstan_lite.lab.scores import read_predictions
from rstan_lite.lab.sweep.job_process import run_here
from rstan_lite.lab.sweep.sweep_plan import Job
from rstan_lite.show.comparisons import claim_figure, row_figure
from rstan_lite.show.style import alt_text
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import Predictions

# Tables I to III of the paper, JHMDB's column, typed once more
PAPER = {
    "appearance-lstm": 45.5, "appearance-st": 47.0, "motion-lstm": 58.6, "motion-st": 62.0,
    "lstm": 61.2, "st": 65.7, "am-mean": 67.2, "am-max": 67.4, "aa-ce": 70.2, "aa-l2": 73.5,
    "current": 70.9,
}  # fmt: skip


def test_rows_have_the_papers_numbers_and_a_configuration_each():
    assert {row.name: row.paper for row in ROWS if row.paper is not None} == PAPER
    plan = Plan(Path("out"), ROWS, (0, 1))
    trained = [row for row in ROWS if not row.fused]
    configs = {row.name: plan.config(row, 1) for row in trained}
    assert len(set(configs.values())) == len(trained), "two rows of the same settings"
    full, sharp = configs["aa-l2"], configs["gamma-beta-5"]
    assert (full.seed, full.lambda_aa) == (1, TrainConfig.lambda_aa)
    assert (full.fusion, full.classifier, full.aa_kind, full.attention) == (
        "max", "joint", "l2", "window",
    )  # fmt: skip
    assert (sharp.gamma_alpha, sharp.gamma_beta) == (1, 5)
    assert [row.name for row in rows_of(["st"])] == ["appearance-st", "motion-st", "st"]
    with pytest.raises(ConfigError, match="appearance-lstm"):
        rows_of(["sharp"])


def test_what_was_chosen_for_a_row_yields_to_the_users_options():
    (row,), jhmdb = rows_of(["aa-l2"]), {"dataset": "jhmdb", "root": "x"}

    def weight(profile="course", **options):
        plan = Plan(Path("out"), [row], (0,), profile, {**jhmdb, **options})
        return plan.config(row, 0).lambda_aa

    (chosen,) = CHOSEN["jhmdb", "course"]["aa-l2"].values()
    assert (weight(), weight(lambda_aa=3.0)) == (chosen, 3)
    assert weight("tiny") == resolve("tiny").lambda_aa


def test_claims_and_choices_name_rows():
    names = {row.name for row in ROWS}
    for claim in CLAIMS:
        assert {claim.better, claim.worse} <= names
        papers = [PAPER.get(name) for name in (claim.better, claim.worse)]
        assert None in papers or papers[0] > papers[1], "the paper says so itself"
    assert all(set(chosen) <= names for chosen in CHOSEN.values())


def write_run(plan, row, seed, right, names, share=None):
    """A finished run whose scores name the clips rightly where `right` is true."""
    folder = plan.folder(row.name, seed)
    labels = np.zeros(len(names), np.int64)
    scores = np.where(np.array(right)[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    if not row.fused:
        runs.write_config(folder, plan.config(row, seed))
    predictions = Predictions(tuple(names), labels, scores, ("a", "b"))
    runs.write_predictions(folder / runs.PREDICTIONS["test"], predictions)
    metrics = {
        "n_train": 9, "n_validation": 2, "n_test": len(names), "missing_clips": ["gone"],
        "versions": {"torch": "9"}, "attention_on_silhouette": share,
        "networks": {"motion": {"backbone": "puppetnet", "file": "/x/m.pt", "hash": "ab" * 32}},
    }  # fmt: skip
    runs.write_json(folder / runs.METRICS, metrics)


@pytest.fixture
def plan(tmp_path):
    """Two rows, two seeds; the better one is right on 12 and 16 clips more of 40, in any order."""
    sources = {f"clip {i}": f"video {i // 2}" for i in range(40)}
    plan = Plan(tmp_path, rows_of(["am-max", "aa-ce"]), (0, 1), sources=sources)
    names = [f"clip {i}" for i in range(40)]
    worse, better = plan.rows
    for seed in plan.seeds:
        write_run(plan, worse, seed, [True] * 16 + [False] * 24, names, 0.5)
        right = [True] * (28 + 4 * seed) + [False] * (12 - 4 * seed)
        write_run(plan, better, seed, right[::-1], names[::-1], 0.75)
    return plan


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_written(plan):
    ledger = read(plan)
    assert ledger.entries["aa-ce"].accuracies.tolist() == [0.7, 0.8]
    assert ledger.sources[:3] == ("video 0", "video 0", "video 1")
    paths = {path.name: path for path in write_files(ledger, plan.out)}
    assert set(paths) == {"ledger.md", "ledger.csv", "claims.csv", "ledger.png", "claims.png"}
    found = {row["row"]: row for row in rows(paths["ledger.csv"])}
    one = found["aa-ce"]
    assert (one["paper"], one["mean"], one["deviation"]) == ("70.2", "75.0", "7.07")
    assert (one["lowest"], one["highest"], one["seeds"], one["test_clips"]) == (
        "70.0", "80.0", "2", "40",
    )  # fmt: skip
    assert float(one["attention_on_silhouette"]) == 0.75
    assert one["command"].startswith("rstan-lite train ")
    assert any(row["why_not"] and row["mean"] == "" for row in found.values())
    (claim,) = rows(paths["claims.csv"])
    assert (claim["better"], claim["worse"], claim["by_seed"]) == ("aa-ce", "am-max", "30.00 40.00")
    assert (claim["difference"], claim["paper"], claim["verdict"]) == ("35.0", "2.8", "shown")
    assert int(claim["clips_needed"]) > 40
    text = paths["ledger.md"].read_text(encoding="utf-8")
    assert "| II | S-T + A-M (max) + A-A (CE) | 70.2 | 75.0 ± 7.1 | 2 | 40 | 75 % |" in text
    assert "40 test clips (1 that the lists name lack)" in text
    assert "puppetnet (m.pt, abababababab)" in text
    assert "+35.0" in alt_text(claim_figure([(CLAIMS[8], ledger.difference("aa-ce", "am-max"))]))
    assert "75.0 ± 7.1, in the paper 70.2" in alt_text(row_figure(ledger))


def test_a_folder_says_what_it_was_made_with(plan, capsys):
    with pytest.raises(CheckpointError, match="rstan-lite ledger"):
        open_plan(plan.out)
    plan.save()
    assert open_plan(plan.out) == replace(plan, seeds=[0, 1])
    streams = replace(plan, options={"streams": ("motion",), "d_h": 3})
    streams.save()
    assert open_plan(plan.out).options == streams.options
    old = json.loads((plan.out / "plan.json").read_text(encoding="utf-8"))
    del old["backbone"]  # as it was before the profile's network became another
    (plan.out / "plan.json").write_text(json.dumps(old), encoding="utf-8")
    assert open_plan(plan.out).options == {**streams.options, "backbone": "squeezenet1_0"}
    (plan.out / "plan.json").write_text('{"profile": 1, "options": []}', encoding="utf-8")
    with pytest.raises(CheckpointError, match="a ledger's plan"):
        open_plan(plan.out)
    plan.save()
    assert main(["ledger", "--report", "--out", str(plan.out)]) == 0
    assert "claims.png" in capsys.readouterr().out


def test_a_row_that_was_not_run_says_so_and_why(plan):
    more = Plan(plan.out, [*plan.rows, *rows_of(["all"])], (0, 1))
    folder = more.folder("all", 0)
    folder.mkdir(parents=True)
    (folder / FAILURE).write_text("disk full\n", encoding="utf-8")
    ledger = read(more)
    assert ledger.entries["all"].failed == {0: "disk full", 1: "not run"}
    assert "| III | attention to all frames |  | disk full; not run | 0 |" in ledger_text(ledger)
    assert ledger.difference("all", "am-max") is None
    (plan.folder("am-max", 0) / runs.METRICS).unlink()  # only seeds that both have are compared
    assert read(plan).difference("aa-ce", "am-max").by_seed == (pytest.approx(0.4),)


def test_runs_of_other_clips_or_settings_are_refused(plan):
    write_run(plan, plan.rows[1], 1, [True] * 10, [f"other {i}" for i in range(10)])
    with pytest.raises(CheckpointError, match="the same 40 in all runs"):
        read(plan)
    with pytest.raises(ConfigError, match="d_h"):
        read(Plan(plan.out, plan.rows, plan.seeds, options={"d_h": 7}))


def test_make_goes_on_past_a_failure_and_does_nothing_twice(tmp_path, monkeypatch):
    options = {**SMALL, "iterations": 4, "validation": 0.0}
    parts = make_parts()
    monkeypatch.setattr("rstan_lite.training.train.load_parts", lambda config, *_: parts)
    broken = Plan(tmp_path, rows_of(["st"]), (0,), options={**options, "frames": 3})
    said = []
    real = Plan.config

    def config(self, row, seed):
        if row.name == "motion-st":
            raise ConfigError("motion.safetensors", "nothing", "weights")
        return real(self, row, seed)

    monkeypatch.setattr(Plan, "config", config)
    make(broken, lambda row, seed, complaint: said.append((row.name, bool(complaint))))
    assert said == [("appearance-st", False), ("motion-st", True), ("st", True)]
    failure = broken.folder("motion-st", 0) / FAILURE
    assert failure.read_text(encoding="utf-8").startswith("motion.safetensors")
    monkeypatch.setattr(Plan, "config", real)
    make(broken)
    entries = read(broken).entries
    assert all(entry.seeds == (0,) for entry in entries.values())
    assert not failure.exists()
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    before = [path.stat().st_mtime_ns for path in files]
    make(broken)
    assert [path.stat().st_mtime_ns for path in files] == before
    scores = [
        read_predictions(broken.folder(name, 0) / runs.PREDICTIONS["test"]).scores
        for name in ("st", "appearance-st", "motion-st")
    ]
    np.testing.assert_allclose(scores[0], (scores[1] + scores[2]) / 2, atol=1e-6)


def test_rows_trained_on_a_cluster_are_not_trained_again(tmp_path, monkeypatch):
    """Each job, as a worker's process gets it, leaves the run that `make` takes for its own."""
    parts, done = make_parts(), []

    def run_jobs(client, jobs, limits):
        done.extend(run_here(Job(**json.loads(json.dumps(asdict(job))))) for job in jobs)

    monkeypatch.setattr("rstan_lite.training.train.load_parts", lambda config, *_: parts)
    monkeypatch.setattr("rstan_lite.lab.sweep.sweeping.prepare", lambda *_, **__: None)
    monkeypatch.setattr("rstan_lite.lab.sweep.sweeping.run_jobs", run_jobs)
    options = {**SMALL, "iterations": 4, "validation": 0.0, "frames": 3}
    plan = Plan(tmp_path, rows_of(["st"]), (0, 1), options=options)
    train_on(None, plan)
    jobs = [f"{stream}-st-seed{seed}" for seed in (0, 1) for stream in ("appearance", "motion")]
    assert [(row["job"], row["status"]) for row in done] == [(job, "done") for job in jobs]
    monkeypatch.setattr("rstan_lite.training.train.load_parts", None)  # nothing is left to train
    make(plan)
    assert all(entry.seeds == (0, 1) for entry in read(plan).entries.values())
    train_on(None, plan)
    assert len(done) == 4


def test_complaints_of_the_command(refused, tmp_path):
    for options, said in (
        (["--seeds", "1", "1"], "each once"),
        (["--rows", "everything"], "appearance-lstm"),
        (["--variant", "lstm"], "rows are the variants"),
    ):
        refused(["ledger", "--out", str(tmp_path / "l"), *options], said)
    assert not (tmp_path / "l").exists()


CLIPS = {1: 20, 2: 30}
RIGHT = {  # clips named rightly, of (split, row), by seed
    (1, "am-max"): (8, 10), (1, "aa-ce"): (12, 14), (2, "am-max"): (15, 15), (2, "aa-ce"): (18, 24),
}  # fmt: skip


@pytest.fixture
def plans(tmp_path):
    """Two splits; clips of both are cut from the same ten videos."""
    made = []
    for split, clips in CLIPS.items():
        names = [f"clip {i}" for i in range(clips)]
        sources = {name: f"video {i % 10}" for i, name in enumerate(names)}
        rows = rows_of(["am-max", "aa-ce"])
        plan = Plan(tmp_path / str(split), rows, (0, 1), options={"split": split}, sources=sources)
        for row in rows:
            for seed in plan.seeds:
                right = [i < RIGHT[split, row.name][seed] for i in range(clips)]
                write_run(plan, row, seed, right, names)
        plan.save()
        made.append(plan)
    return made


def test_means_are_of_splits_and_differences_of_clips(plans):
    pool = Pool([read(plan) for plan in plans])
    assert pool.parts == ["split 1", "split 2"]
    (row,) = (row for row in pool.records() if row["row"] == "aa-ce")
    assert (row["split 1"], row["split 2"], row["seeds"]) == (pytest.approx(65), 70, 2)
    found = pool.whole.difference("aa-ce", "am-max")
    np.testing.assert_allclose(found.by_seed, [7 / 50, 13 / 50])  # 4 + 3 and 4 + 9 clips
    right = {
        name: np.array([
            [i < RIGHT[split, name][seed] for split, clips in CLIPS.items() for i in range(clips)]
            for seed in (0, 1)
        ])
        for name in ("aa-ce", "am-max")
    }  # fmt: skip
    sources = [f"video {i % 10}" for clips in CLIPS.values() for i in range(clips)]
    assert found == difference(right["aa-ce"], right["am-max"], sources)
    assert "| S-T + A-M (max) + A-A (CE) | 65.0 | 70.0 | 67.5 ± 10.6 | 2 |" in pool_text(pool)


def test_seeds_that_one_split_lacks_do_not_count(plans):
    (plans[1].folder("aa-ce", 0) / "metrics.json").unlink()
    pool = Pool([read(plan) for plan in plans])
    assert {name: e.seeds for name, e in pool.whole.entries.items()} == {
        "aa-ce": (1,), "am-max": (0, 1),
    }  # fmt: skip
    np.testing.assert_allclose(pool.whole.difference("aa-ce", "am-max").by_seed, [13 / 50])
    (plans[1].folder("aa-ce", 1) / "metrics.json").unlink()
    pool = Pool([read(plan) for plan in plans])
    assert pool.whole.difference("aa-ce", "am-max") is None
    assert [row["row"] for row in pool.records()] == ["am-max"]


def test_command(plans, tmp_path, capsys, refused):
    out, folders = tmp_path / "pooled", [str(plan.out) for plan in plans]
    assert main(["ledger", "--pool", *folders, "--out", str(out)]) == 0
    written = capsys.readouterr().out
    for name in ("pooled.md", "pooled.csv", "claims.csv", "claims.png"):
        assert str(out / name) in written
    found = {row["row"]: row for row in rows(out / "pooled.csv")}
    assert (found["aa-ce"]["split_1"], found["aa-ce"]["mean"]) == ("65.0", "67.5")
    refused(["ledger", "--pool", *folders], "--out")


def test_folds_of_a_split_are_parts_too(plans, tmp_path):
    found = [
        replace(read(plan), plan=replace(plan, options={"split": 3, "fold": fold}))
        for fold, plan in enumerate(plans, start=4)
    ]
    pool = Pool(found)
    assert pool.parts == ["split 3, fold 4", "split 3, fold 5"]
    assert "| model | split 3, fold 4 | split 3, fold 5 |" in pool_text(pool)
    assert "tested on folds of the training list: 20 + 30 clips" in pool_text(pool)
    write_tables(pool, tmp_path / "pool")
    heads = (tmp_path / "pool" / "pooled.csv").read_text(encoding="utf-8").splitlines()[0]
    assert heads == "row,model,split_3_fold_4,split_3_fold_5,mean,deviation,seeds"
    with pytest.raises(ConfigError, match="the test list"):  # whose clips have trained in split 3
        Pool([found[0], read(plans[0])])


def test_what_does_not_belong_together(plans):
    one, two = (read(plan) for plan in plans)
    other = replace(two, plan=replace(two.plan, profile="tiny"))
    for ledgers, said in (([one], "two or more"), ([one, one], "different splits"),
                          ([one, other], "tiny")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            Pool(ledgers)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory, small_root):
    """One seed of a model with fused attention, and of LSTMs whose scores are averaged."""
    folder = tmp_path_factory.mktemp("a ledger")
    write_networks(folder)
    options = small_options(folder, dataset="jhmdb", root=str(small_root))
    plan = Plan(folder / "ledger", rows_of(["am-max", "lstm"]), (2,), "tiny", options)
    make(plan)
    return read(plan)


def test_a_root_of_the_present_folder_holds_elsewhere(tmp_path, small_root, monkeypatch, capsys):
    write_networks(tmp_path)
    monkeypatch.chdir(small_root.parent)
    out, options = tmp_path / "ledger", small_options(tmp_path, root=small_root.name, iterations=1)
    words = ["--dataset", "jhmdb", "--profile", "tiny", "--rows", "am-max", "--seeds", "0"]
    command = ["ledger", *as_words(options), *words, "--out", str(out)]
    assert main(command) == 0
    assert main(command) == 0  # what is done is found again
    monkeypatch.chdir(tmp_path)
    assert main(["ledger", "--report", "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("ledger.md") == 3
    # as plans were before their folders' names were made whole
    monkeypatch.chdir(small_root.parent)
    text = (out / "plan.json").read_text(encoding="utf-8")
    text = text.replace(str(small_root), small_root.name)
    (out / "plan.json").write_text(text, encoding="utf-8")
    assert main(["ledger", "--report", "--out", str(out)]) == 0
    text = text.replace(str(tmp_path / "motion.safetensors"), "motion.safetensors")
    (out / "plan.json").write_text(text, encoding="utf-8")  # weights that lie elsewhere
    assert main(["ledger", "--report", "--out", str(out)]) == 2


def test_sums_of_clips_make_the_runs_share_and_follow_the_ledgers_order(ledger):
    (sums,) = row_sums(ledger, "am-max", (2,))
    assert sums.shape == (len(ledger.clips), 3)
    metrics = runs.read_metrics(ledger.plan.folder("am-max", 2))
    share, area, frames = sums.sum(0)
    assert share / frames == pytest.approx(metrics["attention_on_silhouette"])
    assert area / frames == pytest.approx(metrics["silhouette_area"])
    turned = replace(ledger, clips=ledger.clips[::-1])
    np.testing.assert_array_equal(row_sums(turned, "am-max", (2,))[0], sums[::-1])


def test_what_is_drawn_is_what_was_measured_and_answered(ledger):
    clips = [len(ledger.clips) - 1, 0]
    (sums,) = row_sums(ledger, "am-max", (2,))
    found = attended(ledger, "am-max", 2, clips)
    assert [case.name for case in found] == [ledger.clips[clip] for clip in clips]
    predictions = read_predictions(ledger.plan.folder("am-max", 2) / "predictions.npz")
    for clip, case in zip(clips, found, strict=True):
        np.testing.assert_allclose(case.maps.sum(-1), 1, atol=1e-5)
        inside = (case.maps * (case.target > 0)).sum()
        assert inside == pytest.approx(sums[clip, 0], abs=1e-5)
        scores = predictions.scores[predictions.names.index(case.name)]
        assert case.answer == ledger.classes[scores.argmax()]
        assert case.probability == pytest.approx(scores.max(), abs=1e-5)
        assert case.action == ledger.classes[ledger.labels[clip]]
        assert case.frames.shape[:3] == case.silhouettes.shape
        assert len(case.frames) == len(case.indices) == len(case.maps) == 4


def test_a_model_without_attention_has_no_share_and_nothing_to_draw(ledger):
    assert not row_sums(ledger, "motion-lstm", (2,)).any()
    with pytest.raises(CheckpointError, match=r"motion-lstm.*without attention"):
        attended(ledger, "motion-lstm", 2, [0])


def test_what_cannot_be_looked_at_is_said(ledger):
    with pytest.raises(CheckpointError, match="averaged scores of appearance-lstm and motion-lstm"):
        row_sums(ledger, "lstm", (2,))
    with pytest.raises(CheckpointError, match=r"seed7.*seeds \[2\]"):
        row_sums(ledger, "am-max", (7,))
    other = replace(ledger, clips=("gone", *ledger.clips[1:]))
    with pytest.raises(CheckpointError, match="1 test clips that the data set lacks now"):
        row_sums(other, "am-max", (2,))

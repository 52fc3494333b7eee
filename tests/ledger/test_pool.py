"""Ledgers of several splits put together."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from ledger.test_ledger import write_run

from rstan_lite.cli import main
from rstan_lite.lab.ledger.claims import difference
from rstan_lite.lab.ledger.ledger_runs import Plan, read
from rstan_lite.lab.ledger.ledger_tables import Pool, pool_text, write_tables
from rstan_lite.lab.paper_rows import rows_of
from rstan_lite.system.errors import ConfigError

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


def test_command(plans, tmp_path, capsys):
    out, folders = tmp_path / "pooled", [str(plan.out) for plan in plans]
    assert main(["ledger", "--pool", *folders, "--out", str(out)]) == 0
    written = capsys.readouterr().out
    for name in ("pooled.md", "pooled.csv", "claims.csv", "claims.png"):
        assert str(out / name) in written
    with (out / "pooled.csv").open(newline="") as file:
        found = {row["row"]: row for row in csv.DictReader(file)}
    assert (found["aa-ce"]["split_1"], found["aa-ce"]["mean"]) == ("65.0", "67.5")
    assert main(["ledger", "--pool", *folders]) != 0
    assert "--out" in capsys.readouterr().err


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
    assert heads == "row,model,split_3_fold_4,split_3_fold_5,mean,seeds"
    with pytest.raises(ConfigError, match="the test list"):  # whose clips have trained in split 3
        Pool([found[0], read(plans[0])])


def test_what_does_not_belong_together(plans):
    one, two = (read(plan) for plan in plans)
    other = replace(two, plan=replace(two.plan, profile="tiny"))
    for ledgers, said in (([one], "two or more"), ([one, one], "different splits"),
                          ([one, other], "tiny")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            Pool(ledgers)

"""The runs behind a ledger: which there are to be, making them, reading them back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rstan_lite.lab.ledger.claims import Difference, difference
from rstan_lite.lab.paper_rows import ROWS, Row, rows_of
from rstan_lite.lab.scores import fuse, read_predictions, save_fused
from rstan_lite.system.errors import CheckpointError, RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import default_cache
from rstan_lite.training import run_folder
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import Predictions

if TYPE_CHECKING:
    from distributed import Client

FILE = "plan.json"
FAILURE = "failure.txt"  # in the folder of a run that could not be made: why
# By data set and profile: what rows have beside the profile's own settings, chosen on validation
# clips of split 1 with three seeds, as `docs/selection.md` tells.
_SINGLE = ("appearance-lstm", "appearance-st", "motion-lstm", "motion-st")
FIRST_BACKBONE = "squeezenet1_0"  # of `course` while plans did not name it
_L2 = [row.name for row in ROWS if row.options.get("aa_kind") == "l2"]
CHOSEN: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("jhmdb", "course"): {
        **{name: {"dropout": 0.0} for name in _SINGLE},
        **{name: {"lambda_aa": 128.0} for name in _L2},
        "aa-ce": {"lambda_aa": 0.5},
    }
}


@dataclass(frozen=True)
class Plan:
    """A ledger to be made: of every row, each seed is run, in out/runs/ROW/seedN.

    profile, options: of TrainConfig, what all rows share. sources: by name of a test clip, the
    video that it was cut from; a clip that is not named is its own.
    """

    out: Path
    rows: Sequence[Row]
    seeds: Sequence[int]
    profile: str = "course"
    options: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def folder(self, name: str, seed: int) -> Path:
        """The run of a row and a seed."""
        return self.out / "runs" / name / f"seed{seed}"

    def config(self, row: Row, seed: int) -> TrainConfig:
        """The configuration of a row that trains: what was chosen for it, then `options`."""
        dataset = str(self.options.get("dataset", TrainConfig.dataset))
        chosen = CHOSEN.get((dataset, self.profile), {}).get(row.name, {})
        return resolve(self.profile, {**chosen, **self.options, **row.options, "seed": seed})

    def save(self) -> None:
        """Write FILE, with which `open_plan` reads the ledger without the data set."""
        options = {k: list(v) if isinstance(v, tuple) else v for k, v in self.options.items()}
        content: dict[str, Any] = {"profile": self.profile, "options": options}
        content["backbone"] = resolve(self.profile, self.options).backbone
        content |= {"rows": [row.name for row in self.rows], "seeds": list(self.seeds)}
        run_folder.write_json(self.out / FILE, content | {"sources": dict(self.sources)})


def open_plan(out: Path) -> Plan:
    """The plan that a ledger's folder was last made with; CheckpointError where there is none."""
    path = out / FILE
    content = read_json(path, CheckpointError, "a ledger's plan", "Make one: rstan-lite ledger.")
    try:
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in content["options"].items()}
        profile, made_with = str(content["profile"]), content.get("backbone", FIRST_BACKBONE)
        if profile == "course" and resolve(profile, options).backbone != made_with:
            options["backbone"] = made_with  # the default has changed since
        rows, seeds = rows_of(content["rows"]), [int(seed) for seed in content["seeds"]]
        return Plan(out, rows, seeds, profile, options, dict(content["sources"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise CheckpointError(path, found, "a ledger's plan") from error


@dataclass(frozen=True)
class Entry:
    """What a row's finished runs have given, by seed.

    right: bool (seeds, clips). answers: int64 (seeds, clips), the class that each run names.
    share: of the attention on the silhouette, None without any. failed: why a seed is missing.
    """

    row: Row
    seeds: tuple[int, ...]
    right: np.ndarray
    answers: np.ndarray
    share: tuple[float | None, ...]
    failed: Mapping[int, str]

    @property
    def accuracies(self) -> np.ndarray:
        """Test accuracy of each run, (seeds,)."""
        return self.right.mean(1) if self.right.size else np.zeros(0)

    @property
    def why_not(self) -> str:
        """Why seeds are missing, each reason once."""
        return "; ".join(dict.fromkeys(self.failed.values()))

    def right_of(self, seeds: Sequence[int]) -> np.ndarray:
        """`right` of some of the seeds, in their order."""
        return self.right[[self.seeds.index(seed) for seed in seeds]]


@dataclass(frozen=True)
class Ledger:
    """All entries of a plan, and the test clips with the videos (sources) that they are cut from.

    labels: int64 (clips,), indices of classes. metrics: of one run, for what all share. networks:
    by stream, "backbone", "file" and "hash" of what made its features.
    """

    plan: Plan
    entries: Mapping[str, Entry]
    clips: tuple[str, ...]
    sources: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    metrics: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, Any]]

    def finished(self, name: str) -> Entry:
        """A row's entry; CheckpointError where the ledger has no finished run of it."""
        entry = self.entries.get(name)
        if entry is not None and entry.seeds:
            return entry
        known = [key for key, other in self.entries.items() if other.seeds]
        why = entry.why_not if entry else "no such row"
        hint = f"Make it: rstan-lite ledger --rows {name} ..."
        found, expected = f"no finished run of {name!r} ({why})", f"one of the rows {known}"
        raise CheckpointError(self.plan.out, found, expected, hint)

    def paired(self, one: str, other: str) -> tuple[tuple[int, ...], np.ndarray, np.ndarray] | None:
        """The seeds that two rows share, and `right` of either for these; None without any."""
        if not {one, other} <= self.entries.keys():
            return None
        first, second = self.entries[one], self.entries[other]
        seeds = tuple(seed for seed in first.seeds if seed in second.seeds)
        return (seeds, first.right_of(seeds), second.right_of(seeds)) if seeds else None

    def difference(self, better: str, worse: str) -> Difference | None:
        """Of two rows, over the seeds that both have; None where they share none."""
        found = self.paired(better, worse)
        return None if found is None else difference(*found[1:], self.sources)


def train_on(client: Client, plan: Plan) -> None:
    """Train what is missing on a Dask cluster. `make` then finds it, and tries again what failed.

    Plan and workers share the folders, and their paths.
    """
    from rstan_lite.lab.sweep.job_process import Limits
    from rstan_lite.lab.sweep.sweep_plan import Job
    from rstan_lite.lab.sweep.sweeping import prepare, run_jobs

    cache = str(Path(default_cache()).absolute())
    jobs = []
    for seed, row in product(plan.seeds, plan.rows):
        folder = plan.folder(row.name, seed).absolute()
        if not row.fused and run_folder.read_metrics(folder) is None:
            given = asdict(plan.config(row, seed))
            name = f"{row.name}-seed{seed}"
            jobs.append(Job(name, str(folder), given, cwd=os.getcwd(), cache=cache))
    prepare(client, jobs, progress=True)
    run_jobs(client, jobs, Limits())


def make(plan: Plan, after: Callable[[Row, int, str], None] | None = None) -> None:
    """Save a plan and run what is missing, seed by seed; a failing run does not stop the others.

    after: called with each row, seed and complaint ("": none) as it is done.
    """
    from rstan_lite.lab.model_card import write_card
    from rstan_lite.training.train import train

    plan.save()
    for seed in plan.seeds:
        for row in sorted(plan.rows, key=lambda row: bool(row.fused)):  # fused ones last
            out, complaint = plan.folder(row.name, seed), ""
            try:
                if not row.fused:
                    config = plan.config(row, seed)
                    if (metrics := train(config, out, progress=False)) is not None:
                        write_card(out, config, metrics)
                elif run_folder.read_metrics(out) is None:
                    sources = [plan.folder(name, seed) for name in row.fused]
                    save_fused(out, fuse(sources), sources, "equal")
            except RstanError as error:
                complaint = str(error)
                write_atomically(out / FAILURE, f"{complaint}\n".encode())
            else:
                (out / FAILURE).unlink(missing_ok=True)
            if after is not None:
                after(row, seed, complaint)


def read(plan: Plan) -> Ledger:
    """What the finished runs of a plan say.

    Raises CheckpointError for damaged runs and those tested on other clips than the first,
    ConfigError for those of other settings than the plan's.
    """
    from rstan_lite.training.train import as_begun

    first: Predictions | None = None
    shared: Mapping[str, Any] = {}
    networks: dict[str, Mapping[str, Any]] = {}
    entries = {}
    for row in plan.rows:
        seeds, answers, share, failed = [], [], [], {}
        for seed in plan.seeds:
            folder = plan.folder(row.name, seed)
            metrics = run_folder.read_metrics(folder)
            if metrics is None:
                said = folder / FAILURE
                failed[seed] = said.read_text("utf-8").strip() if said.exists() else "not run"
                continue
            if not row.fused:
                run_folder.check(folder, as_begun(folder, plan.config(row, seed)))
                shared = shared or metrics
                networks |= metrics["networks"]
            path = folder / run_folder.PREDICTIONS["test"]
            predictions = read_predictions(path)
            first = first or predictions
            answers.append(_answers(path, predictions, first))
            seeds.append(seed)
            share.append(metrics.get("attention_on_silhouette"))
        of_row = np.stack(answers) if answers else np.zeros((0, 0), np.int64)
        right = of_row == (first.labels if first and answers else of_row)
        entries[row.name] = Entry(row, tuple(seeds), right, of_row, tuple(share), failed)
    clips = first or Predictions((), np.zeros(0, np.int64), np.zeros((0, 0), np.float32), ())
    sources = tuple(plan.sources.get(name, name) for name in clips.names)
    of_clips = clips.names, sources, clips.labels, clips.classes
    return Ledger(plan, entries, *of_clips, shared, networks)


def _answers(path: Path, found: Predictions, first: Predictions) -> np.ndarray:
    """The class that a run names for each clip, in the order of the first run's clips."""
    hint = "Take another --out folder for another data set, split or fold."
    if sorted(found.names) != sorted(first.names):
        clips = f"the same {len(first.names)} in all runs of a ledger"
        raise CheckpointError(path, f"{len(found.names)} other test clips", clips, hint)
    place = {name: i for i, name in enumerate(found.names)}
    order = [place[name] for name in first.names]
    if found.classes != first.classes or (found.labels[order] != first.labels).any():
        classes = "those of the ledger's other runs"
        raise CheckpointError(path, "other classes of these clips", classes, hint)
    return found.scores.argmax(1)[order]

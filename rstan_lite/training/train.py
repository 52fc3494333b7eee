"""A whole run: features to model to numbers in a folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from rstan_lite.data.splits import part_name
from rstan_lite.features.generations import Generations
from rstan_lite.model.rstan import RSTAN, RSTANConfig
from rstan_lite.system.devices import choose_device
from rstan_lite.system.files import alone, clear_parts
from rstan_lite.system.ranks import ALONE, Ranks, check_batch
from rstan_lite.training import runs
from rstan_lite.training.batches import ClipFeatures, measure_scales
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.finish import finish
from rstan_lite.training.logs import EpochLog, TensorBoard, write_csv
from rstan_lite.training.loop import fit
from rstan_lite.training.outcome import warn_of_seen
from rstan_lite.training.second import heads, second_task


@dataclass(frozen=True)
class Parts:
    """A data set's features, as a run needs them.

    missing: clips that the lists name in vain. damaged: those left out of each part, and what was
    found in them. networks: each stream's weights file, and its hash.
    second: training clips of a second data set, through the same networks, with its missing clips
    and those that the first one judges by.
    seen: by stream, whether its network was trained on clips of a part, see `networks_seen`.
    """

    train: ClipFeatures
    validation: ClipFeatures
    test: ClipFeatures
    missing: tuple[str, ...] = ()
    damaged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    networks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    second: ClipFeatures | None = None
    second_missing: tuple[str, ...] = ()
    second_damaged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    second_shared: tuple[str, ...] = ()
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build_model(
    config: TrainConfig, features: ClipFeatures, heads: dict[str, int] | None = None
) -> RSTAN:
    """A fresh RSTAN whose sizes fit the features, drawn from the configuration's seed.

    heads: numbers of classes by data set, for multi-task training; else the one of the features.
    """
    torch.manual_seed(config.seed)
    return RSTAN(
        RSTANConfig(
            streams=config.streams,
            d_cv={s: int(features.cubes[s].shape[-1]) for s in config.streams},
            d_fc={s: int(features.vectors[s].shape[-1]) for s in config.streams},
            heads=heads or {config.dataset: len(features.classes)},
            d_h=config.d_h,
            d_att=config.d_att,
            attention=config.attention,
            window=config.window,
            gamma_alpha=config.gamma_alpha,
            gamma_beta=config.gamma_beta,
            fusion=config.fusion,
            classifier=config.classifier,
            renormalize=config.renormalize,
            dropout=config.dropout,
            recurrence=config.recurrence,
        )
    )


def scaled(config: TrainConfig, parts: Parts) -> Parts:
    """The parts with the scales of the training part, where the configuration asks for them.

    A second data set has those of the first: it goes through the same networks and recurrence.
    """
    if config.scale == "none":
        return parts
    scales = measure_scales(parts.train)
    return replace(
        parts,
        train=replace(parts.train, scales=scales),
        validation=replace(parts.validation, scales=scales),
        test=replace(parts.test, scales=scales),
        second=None if parts.second is None else replace(parts.second, scales=scales),
    )


def train(
    config: TrainConfig,
    out: Path,
    parts: Parts | None = None,
    *,
    on_epoch: Callable[[EpochLog], None] | None = None,
    progress: bool = True,
    stop_after: int | None = None,
    ranks: Ranks = ALONE,
) -> dict[str, Any] | None:
    """Train, choose on validation, test, and write everything into the folder `out`.

    The same call goes on where an interrupted one stopped, and only reports where one finished.
    parts: features; None computes those of the configuration's data set, or takes them from the
    store. stop_after: leave after that epoch, to be continued. ranks: the processes that share the
    training; the first one makes features, prints and writes.
    Returns the content of metrics.json, None where it stopped before the end and in all processes
    but the first.
    Raises ConfigError where `out` holds a run of other settings, BusyError where another process
    works there, Interrupted (saved: the same call goes on), and what its steps raise.
    """
    with ExitStack() as stack:
        with ranks.leader_first("features"):
            choose_device(config.device)  # complain before the work, not after it
            check_batch(ranks, config.batch_size)
            runs.check(out, config)
            done = _finished(out)
            if done is None and ranks.leads:
                stack.enter_context(alone(out, "a run that is trained"))
                done = _finished(out)  # by a process that was here until now
            if done is not None:
                return done if ranks.leads else None
            parts = _prepare(config, out, parts, ranks)
        return _train(config, out, parts, on_epoch, progress and ranks.leads, stop_after, ranks)


def _finished(out: Path) -> dict[str, Any] | None:
    """What a finished run measured, without the checkpoints that a kill may have left behind."""
    done, left = runs.read_metrics(out), Generations(out / runs.RESUME)
    if done is not None and left.exists():
        left.remove()
    return done


def _prepare(config: TrainConfig, out: Path, parts: Parts | None, ranks: Ranks) -> Parts:
    """The features, and a folder that is begun."""
    if ranks.leads:
        clear_parts(out)
    if parts is None:
        from rstan_lite.training.features_source import load_parts

        parts = load_parts(config)
    if ranks.leads:
        runs.begin(out, config)
        warn_of_seen(parts.seen)
    return parts


def _train(
    config: TrainConfig,
    out: Path,
    parts: Parts,
    on_epoch: Callable[[EpochLog], None] | None,
    progress: bool,
    stop_after: int | None,
    ranks: Ranks,
) -> dict[str, Any] | None:
    """`train`, once all processes have the features and no other can be in the folder."""
    device = choose_device(config.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    parts = scaled(config, parts)
    second = second_task(config, parts.second)
    model = build_model(config, parts.train, heads(config, parts.train, parts.second))
    if progress:
        _introduce(config, parts, f"recurrence {model.plan(device)}")
    board: TensorBoard | None = None

    def log(row: EpochLog) -> None:
        nonlocal board
        if board is None:
            board = TensorBoard(out, row.epoch)
            if not board.available and progress:
                print("TensorBoard is not installed: log.csv alone is written.", file=sys.stderr)
        board.add(row)
        if on_epoch:
            on_epoch(row)

    trained = fit(
        model,
        parts.train,
        parts.validation,
        config,
        second=second,
        resume=out / runs.RESUME,
        run=_identity(parts),
        on_epoch=log,
        on_save=lambda epochs: write_csv(out / "log.csv", epochs),
        progress=progress,
        stop_after=stop_after,
        ranks=ranks,
    )
    if board is not None:
        board.close()
    if not trained.finished:
        return None
    metrics = finish(config, out, parts, model, trained, ranks)
    if ranks.leads:
        Generations(out / runs.RESUME).remove()
    return metrics


def _introduce(config: TrainConfig, parts: Parts, how: str) -> None:
    """Say what is trained on."""
    names = ("training", "validation", "test")
    sizes = zip(names, (parts.train, parts.validation, parts.test), strict=True)
    said = ", ".join(f"{len(part)} {name}" for name, part in sizes)
    part = part_name(config.split, config.fold)
    print(f"{config.dataset}, {part}: {said} clips; {how}", file=sys.stderr)
    if parts.second is not None:
        print(f"beside it {config.second_head}: {len(parts.second)} clips", file=sys.stderr)


def _identity(parts: Parts) -> str:
    """Text that two runs share only if they train on the same clips, through the same networks."""
    hashes = [found for _, found in parts.networks.values()]
    names = [*parts.train.names, "", *parts.validation.names, "", *hashes]
    if parts.second is not None:
        names += ["", *parts.second.names]
    text = "\n".join(names)
    return hashlib.sha256(text.encode()).hexdigest()

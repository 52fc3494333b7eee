"""The command `tune`. Imports no torch until it is run."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from rstan_lite.cli.training import add_fields, damage_lines, given, values_of
from rstan_lite.training.config import TrainConfig

CLIPS = ("dataset", "root", "split", "missing", "damaged", "validation", "fold")
SHARED = (*CLIPS, "flow", "flow_weights", "camera", "cache", "streams", "device", "save_seconds")


def add_parsers(subparsers: Any) -> None:
    """Add the command; `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "tune",
        help="fine-tune the motion network on a split's training part, or both",
        description="Fine-tune the networks that features come from, on the training part of a "
        "split. The same command goes on where it was interrupted, and reports where it finished.",
    )
    add_fields(parser, SHARED, dataset="jhmdb", streams=("motion",))
    add = parser.add_argument
    add("--backbone", help="preset or network:cube:vector (efficientnet_lite2; motion: puppetnet)")
    add(
        "--weights", default="torchvision",
        help="what to start from: a file of ImageNet weights or of a tuned network, torchvision "
        "(the network's published ones: installed, in torch hub's folder or downloaded) or none",
    )  # fmt: skip
    add("--motion-weights", help="for motion (puppetnet: the shipped ones; others: as --weights)")
    add("--epochs", type=int, help="passes over the clips (20, motion 40)")
    add("--size", type=int, help="side of the training crops (160; puppetnet: 112)")
    add("--test-size", type=int, help="side of the features' crops (224; 112)")
    add("--batch", type=int, help="clips a mini-batch (32)")
    add("--lr", type=float, help="learning rate of the trunk (0.002, motion 0.01)")
    add("--frames", type=int, default=16, help="stored frames a clip (16)")
    add("--seed", type=int, help="of weights and augmentation (0)")
    add("--workers", type=int, default=2, help="processes that read clips (2)")
    parser.set_defaults(func=_tune)


def _tune(arguments: argparse.Namespace) -> int:
    from rstan_lite.features.flow import estimator
    from rstan_lite.features.inputs import inputs_store
    from rstan_lite.features.networks import SHIPPED, shipped, split_name
    from rstan_lite.lab.network_tuning import DEFAULTS, check, check_validation, tune, tuned_path
    from rstan_lite.lab.tuning_images import TuneSettings, fill_inputs
    from rstan_lite.system.devices import choose_device
    from rstan_lite.training.parts import cache_folder, open_dataset

    config = TrainConfig(**values_of(arguments, SHARED))
    check_validation(config.validation)
    chosen = []
    for stream in config.streams:
        settings = DEFAULTS[stream]
        own = given(arguments, "backbone", "epochs", "batch", "size", "test_size", "lr", "seed")
        if own.get("backbone", SHIPPED) != SHIPPED:  # the motion stream's 112 pixels are for it
            settings = replace(settings, size=TuneSettings.size, test_size=TuneSettings.test_size)
        settings = replace(settings, **own)
        start = (stream == "motion" and arguments.motion_weights) or (
            shipped(stream) if settings.backbone == SHIPPED else arguments.weights
        )
        chosen.append(replace(settings, weights=str(start)))
        check(chosen[-1])
    device, cache, data = choose_device(config.device), cache_folder(config), open_dataset(config)
    data.check_training()
    check_validation(data.validation)
    split = split_name(data)  # with damaged clips in it: `train` looks for it before it finds them
    flow = estimator(config.flow, config.flow_weights, device.type)
    store = inputs_store(data, cache, arguments.frames, flow, config.camera)
    fill_inputs(store, data, data.train + data.validation, arguments.workers)
    if data.damaged:
        split |= {"damaged": data.damaged}
        print("\n".join(damage_lines(data.damaged)))
    clips = data.train, data.validation, data.classes
    how = {"workers": arguments.workers, "save_seconds": config.save_seconds}
    for settings in chosen:
        path = tuned_path(cache, store, split, settings)
        best = tune(store, *clips, split, settings, path, device=str(device), **how)["best"]
        found = f"{best['validation_accuracy']:.1%} of {len(data.validation)} clips"
        print(f"{settings.stream}: validation accuracy {found} at epoch {best['epoch']}; {path}")
    return 0

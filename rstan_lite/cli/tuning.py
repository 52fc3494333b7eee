"""The command `tune`. Imports no torch until it is run."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from rstan_lite.data.datasets import DATASETS, damage_lines
from rstan_lite.system.settings import check_names, default_cache


def add_parsers(subparsers: Any) -> None:
    """Add the command; `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "tune",
        help="fine-tune the two streams' networks on a split's training part",
        description="Fine-tune the networks that features come from, on the training part of a "
        "split. The same command goes on where it was interrupted, and reports where it finished.",
    )
    parser.add_argument(
        "--dataset", default="jhmdb", help=f"{', '.join(DATASETS)} (jhmdb, which reads puppets too)"
    )
    parser.add_argument("--root", required=True, help="folder of the data set")
    parser.add_argument("--split", type=int, default=1, help="1, 2 or 3 (1)")
    parser.add_argument("--missing", default="error", help="clips not on the disk: error, skip")
    parser.add_argument("--damaged", default="error", help="clips that can't be read: error, skip")
    parser.add_argument("--validation", type=float, default=0.1, help="share held out (0.1)")
    parser.add_argument("--fold", type=int, default=0, help="fold to leave out, as in train (0)")
    parser.add_argument("--streams", default="appearance,motion", help="comma separated")
    parser.add_argument(
        "--backbone",
        help="preset or network:cube:vector (squeezenet1_0 for appearance, puppetnet for motion)",
    )
    parser.add_argument(
        "--weights",
        default="torchvision",
        help="what to start from: a file of ImageNet weights or of a tuned network, torchvision "
        "(the network's published ones, from torch hub's folder or downloaded) or none",
    )
    parser.add_argument(
        "--motion-weights",
        help="the same for the motion network (puppetnet: the shipped one; others: as --weights)",
    )
    parser.add_argument("--epochs", type=int, help="passes over the clips (20, motion 40)")
    parser.add_argument("--size", type=int, help="side of the training crops (160; puppetnet: 112)")
    parser.add_argument("--test-size", type=int, help="side of the features' crops (224; 112)")
    parser.add_argument("--batch", type=int, help="clips a mini-batch (32)")
    parser.add_argument("--lr", type=float, help="learning rate of the trunk (0.002, motion 0.01)")
    parser.add_argument("--flow", default="dis", help="dis, tvl1, raft_small or raft_large")
    parser.add_argument("--flow-weights", default="", help="file of RAFT's (torchvision's)")
    parser.add_argument("--camera", default="similarity", help="camera motion to remove from flow")
    parser.add_argument("--frames", type=int, default=16, help="stored frames a clip (16)")
    parser.add_argument("--seed", type=int, help="of weights and augmentation (0)")
    parser.add_argument("--cache", help="folder of stores and networks ($RSTAN_CACHE, runs/cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--workers", type=int, default=2, help="processes that read clips (2)")
    parser.add_argument(
        "--save-seconds",
        type=float,
        default=60.0,
        help="between checkpoints, inside epochs too; 0: on Ctrl-C alone (60)",
    )
    parser.set_defaults(func=_tune)


def _tune(arguments: argparse.Namespace) -> int:
    from rstan_lite.data.datasets import open_clips
    from rstan_lite.features.backbones import STREAMS
    from rstan_lite.features.extraction import fill_inputs
    from rstan_lite.features.flow import estimator
    from rstan_lite.features.inputs import inputs_store
    from rstan_lite.features.networks import SHIPPED, shipped, split_name
    from rstan_lite.lab.network_tuning import (
        DEFAULTS,
        check,
        check_validation,
        tune,
        tuned_path,
    )
    from rstan_lite.lab.tuning_images import TuneSettings
    from rstan_lite.system.devices import choose_device

    streams = [name.strip() for name in arguments.streams.split(",")]
    check_names("--streams", tuple(streams), STREAMS)
    check_validation(arguments.validation)
    chosen = []
    for stream in streams:
        names = ("backbone", "epochs", "batch", "size", "test_size", "lr", "seed")
        given = {name: getattr(arguments, name) for name in names}
        given = {name: value for name, value in given.items() if value is not None}
        settings = DEFAULTS[stream]
        if given.get("backbone", SHIPPED) != SHIPPED:  # the motion stream's 112 pixels are for it
            settings = replace(settings, size=TuneSettings.size, test_size=TuneSettings.test_size)
        settings = replace(settings, **given)
        start = (stream == "motion" and arguments.motion_weights) or (
            shipped(stream) if settings.backbone == SHIPPED else arguments.weights
        )
        chosen.append(replace(settings, weights=str(start)))
        check(chosen[-1])
    device = choose_device(arguments.device)
    cache = arguments.cache or default_cache()
    data = open_clips(
        arguments.dataset, arguments.root, arguments.split, arguments.missing,
        arguments.validation, arguments.damaged, arguments.fold,
    )  # fmt: skip
    check_validation(data.validation)
    split = split_name(data)  # with damaged clips in it: `train` looks for it before it finds them
    flow = estimator(arguments.flow, arguments.flow_weights, device.type)
    store = inputs_store(data, cache, arguments.frames, flow, arguments.camera)
    fill_inputs(store, data, data.train + data.validation, arguments.workers)
    if data.damaged:
        split |= {"damaged": data.damaged}
        print("\n".join(damage_lines(data.damaged)))
    for settings in chosen:
        path = tuned_path(cache, store, split, settings)
        card = tune(
            store,
            data.train,
            data.validation,
            data.classes,
            split,
            settings,
            path,
            device=str(device),
            workers=arguments.workers,
            save_seconds=arguments.save_seconds,
        )
        print(
            f"{settings.stream}: validation accuracy {card['best']['validation_accuracy']:.1%} of "
            f"{len(data.validation)} clips at epoch {card['best']['epoch']}; {path}"
        )
    return 0

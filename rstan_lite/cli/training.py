"""The commands `extract`, `tune`, `train` and `predict`. Imports torch when one runs."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from inspect import formatannotation
from pathlib import Path
from typing import Any

from rstan_lite.data.datasets import DATASETS
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_count, parsed, shown
from rstan_lite.training.config import TYPES, TrainConfig
from rstan_lite.training.profiles import PROFILES, VARIANTS, resolve

# Options of TrainConfig that `tune` has as well.
TUNED = (
    "dataset", "root", "split", "missing", "damaged", "validation", "fold", "flow", "flow_weights",
    "camera", "cache", "streams", "device", "save_seconds",
)  # fmt: skip


def add_parsers(subparsers: Any) -> None:
    """Add the commands; each one's `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "extract",
        help="make the features that train would make, without training",
        description="Fill the store of features for a configuration. Takes train's options; those "
        "of model and optimiser change nothing. What is stored already is kept.",
    )
    add_cluster_options(parser, "--dask-workers")
    add_options(parser)
    parser.set_defaults(func=_extract)

    parser = subparsers.add_parser(
        "train",
        help="train RSTAN on a data set's split and test it",
        description="Train, choose the epoch on validation clips, test, and write a run folder. "
        "The same command goes on where it was interrupted, and reports where it has finished.",
    )
    parser.add_argument("--out", metavar="RUN", help="run folder (runs/<data set>-<split>-...)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    dry_run = "print every setting beside the paper's; do nothing"
    parser.add_argument("--dry-run", action="store_true", help=dry_run)
    parser.add_argument(
        "--figures", action="store_true",
        help="also write curves.png, confusion.png and per_class.csv into the run folder",
    )  # fmt: skip
    add_options(parser)
    parser.set_defaults(func=_train)

    parser = subparsers.add_parser("predict", help="name the action in any video file")
    parser.add_argument("video", metavar="VIDEO", help="a video file")
    parser.add_argument("--run", required=True, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", default=".", help="folder for the answer and the overlay (.)")
    parser.add_argument("--top", type=int, default=5, help="classes to print")
    parser.add_argument("--gif", action="store_true", help="write a GIF instead of a video")
    add_fields(parser, ("device",))
    parser.set_defaults(func=_predict)

    parser = subparsers.add_parser(
        "tune",
        help="fine-tune the motion network on a split's training part, or both",
        description="Fine-tune the networks that features come from, on the training part of a "
        "split. The same command goes on where it was interrupted, and reports where it finished.",
    )
    add_fields(parser, TUNED, dataset="jhmdb", streams=("motion",))
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


def _extract(arguments: argparse.Namespace) -> int:
    config = from_arguments(arguments)
    scheduler, workers = arguments.scheduler, arguments.cluster_workers
    if scheduler is not None or workers is not None:
        check_workers(scheduler, workers)
        from rstan_lite.lab.sweep.sweeping import connect, extract

        with connect(scheduler, workers) as client:
            extract(client, config)
    from rstan_lite.training.parts import cache_folder, load_parts

    parts = load_parts(config)
    found = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    for name, features in found.items():
        print(f"{name}: {len(features)} clips, {', '.join(features.streams)}")
    if parts.second is not None:
        print(f"{config.second_head}, train: {len(parts.second)} clips")
    print(f"stored in {cache_folder(config)}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    config = from_arguments(arguments)
    parts = [config.head, config.split, f"fold{config.fold}" if config.fold else ""]
    parts += [arguments.profile, arguments.variant]
    parts += [f"with-{config.second_head}" if config.second_head else "", f"seed{config.seed}"]
    out = Path(arguments.out or f"runs/{'-'.join(str(part) for part in parts if part)}")
    if arguments.dry_run:
        from rstan_lite.lab.paper_settings import describe
        from rstan_lite.training.parts import feature_settings

        networks = dict.fromkeys(config.streams, "")  # shapes alone: no weights are read
        feature_settings(config, networks).places_of(config.views)
        print(describe(config, out))
        return 0
    from rstan_lite.lab.model_card import write_card
    from rstan_lite.training.run_folder import read_metrics
    from rstan_lite.training.train import train

    before = ", finished before" if read_metrics(out) else ""
    metrics = train(config, out, progress=not arguments.quiet)
    if metrics is not None:
        write_card(out, config, metrics)
        if arguments.figures:
            _write_figures(out, metrics)
        report(metrics)
    print(f"run folder: {out}{before}")
    return 0


def _write_figures(out: Path, metrics: dict[str, Any]) -> None:
    """A run's curves, its confusion matrix and the accuracy of each class."""
    import pandas as pd

    from rstan_lite.show.charts import confusion_figure, curves
    from rstan_lite.show.style import keep
    from rstan_lite.training.run_folder import CONFUSION, LOG

    log = pd.read_csv(out / LOG)[["main_loss", "train_accuracy", "validation_accuracy"]]
    keep(curves({out.name: log.astype(float).to_dict("list")}), out / "curves.png")
    counts = pd.read_csv(out / CONFUSION, index_col=0)
    keep(confusion_figure(counts.to_numpy(), list(counts.columns)), out / "confusion.png")
    accuracy = pd.Series(metrics["per_class"], name="accuracy", dtype=float)
    accuracy.to_csv(out / "per_class.csv", index_label="class")


def _predict(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab.predict import predict
    from rstan_lite.show.frames import write_overlays

    answer = predict(
        Path(arguments.video), Path(arguments.run), Path(arguments.out), arguments.top,
        arguments.device, write_overlays, ".gif" if arguments.gif else ".mp4",
    )  # fmt: skip
    for name, score in answer["classes"].items():
        print(f"{score:6.1%}  {name}")
    for path in (answer["predictions"], *answer["overlays"].values()):
        print(f"written: {path}")
    return 0


def _tune(arguments: argparse.Namespace) -> int:
    from rstan_lite.features.flow import estimator
    from rstan_lite.features.inputs import inputs_store
    from rstan_lite.features.networks import SHIPPED, shipped, split_name
    from rstan_lite.features.store import digest, fingerprint
    from rstan_lite.lab.network_tuning import DEFAULTS, check, check_validation, tune, tuned_path
    from rstan_lite.lab.tuning_images import TuneSettings, fill_inputs
    from rstan_lite.system.devices import choose_device
    from rstan_lite.training.parts import cache_folder, open_dataset

    config = TrainConfig(**values_of(arguments, TUNED))
    check_validation(config.validation)
    for name, value in given(arguments, "workers", "seed", "frames", "epochs", "batch").items():
        check_count(f"--{name}", value, int(name not in ("workers", "seed")))
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
    if data.NAME in ("", "folder"):  # people's own: other clips may have these names as well
        split["bytes"] = digest([fingerprint(clip.path) for clip in data.train + data.validation])
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


def add_options(parser: argparse.ArgumentParser, leave_out: Sequence[str] = ()) -> None:
    """Profile, variant, and an option for each field of TrainConfig but some."""
    add = parser.add_argument
    add("--profile", default="course", help="size of the run: " + ", ".join(PROFILES))
    add("--variant", help="row of the paper's tables: " + ", ".join(VARIANTS))
    names = [spec.name for spec in fields(TrainConfig) if spec.name not in leave_out]
    add_fields(parser, names, "course: ", argparse.SUPPRESS)


def add_fields(
    parser: argparse.ArgumentParser, names: Sequence[str], note: str = "", default: Any = None,
    **others: Any,
) -> None:  # fmt: skip
    """Options for some fields of TrainConfig, with its help texts, as text for `values_of`.

    default: of all of them; None for each field's own. others: defaults of single ones.
    """
    for spec in fields(TrainConfig):
        if spec.name not in names:
            continue
        kind, choices = TYPES[spec.name], spec.metadata["choices"]
        own = others.get(spec.name, spec.default)
        text = spec.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
        more: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        if kind is not bool:
            more = {"metavar": kind.__name__.upper() if kind in (int, float) else "NAME"}
        parser.add_argument(
            "--" + spec.name.replace("_", "-"), default=own if default is None else default,
            help=f"{text} ({note}{shown(own)})", **more,
        )  # fmt: skip


def from_arguments(arguments: argparse.Namespace) -> TrainConfig:
    """The configuration that parsed options describe; ConfigError where one is not a value."""
    return resolve(arguments.profile, values_of(arguments), arguments.variant)


def values_of(arguments: argparse.Namespace, names: Sequence[str] = ()) -> dict[str, Any]:
    """Fields of TrainConfig that options were given for; ConfigError for what is no value.

    names: of those to take; all by default.
    """
    types = {spec.name: formatannotation(spec.type) for spec in fields(TrainConfig)}
    found = {name: value for name, value in vars(arguments).items() if name in (names or types)}
    return {k: parsed("--" + k.replace("_", "-"), types[k], v) for k, v in found.items()}


def name_choices(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Tell the commands' parsers which values a training's options take, for a shell's help."""
    known = {spec.name: spec.metadata["choices"] for spec in fields(TrainConfig)}
    known |= {"dataset": DATASETS, "profile": PROFILES, "variant": tuple(VARIANTS)}
    for action in (one for name in commands if name != "idt" for one in commands[name]._actions):
        action.choices = known.get(action.dest) or action.choices  # idt's --camera is another


def given(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options of these names that were given a value."""
    found = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def report(metrics: dict[str, Any]) -> None:
    """Print the numbers that a person looks for first."""
    for part in ("test", "validation"):
        found = metrics.get(f"{part}_accuracy")
        if found is not None:
            clips, ends = metrics.get(f"n_{part}"), metrics.get(f"{part}_interval")
            line = f"{part} accuracy {found:.1%}" + (f" of {clips} clips" if clips else "")
            print(line + (f" (95 %: {ends[0]:.1%} to {ends[1]:.1%})" if ends else ""))
        elif metrics.get(f"n_{part}") == 0 and part == "test":
            print("no clip was tested: the split names none")
    share, area = metrics.get("attention_on_silhouette"), metrics.get("silhouette_area")
    if share is not None and area is not None:
        print(f"attention on the silhouette {share:.1%} (even attention: {area:.1%})")
    second = metrics.get("second")
    if second:
        found = f"{second['train_accuracy']:.1%} of {second['n_train']} training clips"
        print(f"beside it {second['dataset']}: {found} named rightly in the last epoch")
    if metrics.get("missing_clips"):
        print(f"{len(metrics['missing_clips'])} clips of the lists are missing on this disk")
    lines = damage_lines(metrics.get("damaged_clips") or {})
    if second:
        lines += damage_lines(second.get("damaged_clips") or {}, f" of {second['dataset']}")
    print("\n".join(lines), end="\n" * bool(lines))


def damage_lines(damaged: Mapping[str, Mapping[str, str]], where: str = "") -> list[str]:
    """What to print of clips that were left out as damaged, see `ClipDataset.settle`."""
    lines: list[str] = []
    for part, found in damaged.items():
        use = "not counted" if part in ("test", "validation") else "left out"
        lines += [f"{len(found)} damaged clips of the {part} part{where}, {use}:"]
        lines += [f"  {name}: {reason}" for name, reason in found.items()]
    return lines


def add_cluster_options(parser: argparse.ArgumentParser, workers: str) -> None:
    """Where to run: on this machine, in as many processes as the option `workers` says, or not."""
    running = "a Dask scheduler that runs already, tcp://host:8786, or its file (.json)"
    own = "processes of a Dask cluster on this machine, which ends with the command"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=running)
    parser.add_argument(workers, dest="cluster_workers", type=int, metavar="N", help=own)


def check_workers(scheduler: str | None, workers: int | None) -> None:
    """Raise ConfigError for a number of processes that can't be."""
    if workers is not None and scheduler is not None:
        raise ConfigError("--scheduler", "a number of workers with it", "one of both")
    if workers is not None:
        check_count("workers", workers)

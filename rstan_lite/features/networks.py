"""Which trained network a stream uses: the one given, the one tuned here, or the one shipped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.splits import part_name
from rstan_lite.features.pretrained import weights_hash
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.reading import check_regular, read_json

SHIPPED = "puppetnet"  # the backbone whose networks, trained on puppets, are part of the package


def shipped(stream: str) -> Path:
    """The file of the shipped network of a stream."""
    return Path(
        str(resources.files("rstan_lite.features") / "weights" / f"{SHIPPED}-{stream}.safetensors")
    )


def split_name(dataset: ClipDataset) -> dict[str, Any]:
    """What names a training part: networks tuned on it must not be tested on other splits."""
    fold = {"fold": dataset.fold} if dataset.fold else {}  # else as before there were folds
    return {
        "dataset": dataset.identity(),
        "split": dataset.split,
        "train": len(dataset.train),
        "validation": sorted(clip.name for clip in dataset.validation),
        **fold,
    }


def find_network(
    dataset: ClipDataset, backbone: str, stream: str, cache: str | Path, given: str | Path = ""
) -> Path:
    """The weights file of a stream's network.

    given: a file that the user named; it wins. Else the network that `rstan-lite tune` left under
    `cache` for this backbone and split, without training on a clip that is validated or tested on
    here (of several, the one with the best validation accuracy); else, for the backbone that ships
    with the package, the shipped one.
    Raises CheckpointError, with the command that makes one, where there is none.
    """
    if given:
        check_regular(Path(given), CheckpointError, f"weights of the {stream} network")
        return Path(given)
    fitting = []
    folder = Path(cache) / "tuned"
    for path in sorted(folder.glob(f"{stream}-*.safetensors")):
        card = _card(path)
        if card.get("backbone") == backbone and _unseen(dataset, card):
            fitting.append((card["best"]["validation_accuracy"], path))
    if not fitting and backbone == SHIPPED:
        return shipped(stream)
    if not fitting:
        # puppets are read as JHMDB is, which is tune's default
        named = "" if dataset.NAME == "jhmdb" else f" --dataset {dataset.NAME}"
        fold = f" --fold {dataset.fold}" if dataset.fold else ""
        raise CheckpointError(
            folder,
            f"no {stream} network of {backbone} tuned on the training part of "
            f"{part_name(dataset.split, dataset.fold)}",
            "one, or a weights file",
            f"Make it: `rstan-lite tune --root {dataset.root}{named} --split {dataset.split}{fold} "
            f"--streams {stream} --backbone {backbone}`; or name a tuned or ImageNet file with "
            f"--{stream}-weights; or take the small networks of the package: --profile tiny.",
        )
    return max(fitting)[1]


def _unseen(dataset: ClipDataset, card: dict[str, Any]) -> bool:
    """Whether the clips that a network was tuned on leave out those held out or tested here."""
    tuned, here = card["split"], split_name(dataset)
    if {clip.name for clip in dataset.test} & set(card.get("trained_on", {}).get("clips", ())):
        return False  # its folds were cut in another way
    same = all(tuned.get(name) == here.get(name) for name in ("dataset", "split", "fold"))
    return same and set(here["validation"]) <= set(tuned["validation"])


def _card(path: Path) -> dict[str, Any]:
    """What `tune` wrote beside a network."""
    place, expected, mend = path.with_suffix(".json"), "the card of a tuned network", "Tune again."
    card = read_json(place, CheckpointError, expected, mend)
    try:
        split = card["split"]
        named = [split["dataset"], split["split"], *split["validation"], card["backbone"]]
        fits = 0 <= card["best"]["validation_accuracy"] <= 1 and all(map(_plain, named))
    except (KeyError, TypeError):
        fits = False
    if not fits:
        raise CheckpointError(place, "other content", expected, mend)
    return card


def _plain(value: Any) -> bool:
    return isinstance(value, str | int)


def check_networks(networks: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Files of the networks that a run's features came from; CheckpointError where one changed.

    networks: path and hash of each stream's, as a run's description holds them.
    """
    for path, expected in networks.values():
        check_regular(Path(path), CheckpointError, "the network that the run was trained on")
        found = weights_hash(path)
        if found != expected:
            raise CheckpointError(
                path, f"other weights ({found})", f"those that the run was trained on ({expected})"
            )
    return {stream: path for stream, (path, _) in networks.items()}

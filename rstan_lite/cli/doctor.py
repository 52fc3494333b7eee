"""The command `rstan-lite doctor`: the machine's looks, and those at what a user brings."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.system import machine
from rstan_lite.system.errors import RstanError
from rstan_lite.system.machine import Check, as_table
from rstan_lite.system.settings import default_cache
from rstan_lite.system.threads import cores

if TYPE_CHECKING:
    from rstan_lite.data.clips import ClipDataset

PACKAGE = Path(__file__).parent.parent
DATA_SETS = ("jhmdb", "ucf101", "hmdb51")
COURSE = "efficientnet_lite2"  # the appearance network of the profile `course`
GUIDE = "docs/data-sets.md says which archives to unpack, and where."
JHMDB_HELP = """Give it with --jhmdb DIR or RSTAN_JHMDB (docs/data-sets.md). \
Without it, everything runs on generated clips, or on yours."""
OPENCV_HELP = """Only one OpenCV may be installed: remove opencv-python*, then install \
opencv-contrib-python-headless again."""
WEIGHTS_HELP = """Install them: pip install -e ".[pretrained]" in the checkout. \
The shipped puppet networks need none, and --weights FILE checks SqueezeNet's."""


def add_parsers(subparsers: Any) -> None:
    """Add the command `doctor`; its `func` takes the parsed arguments and returns an exit code."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="say what works on this machine and what to do about the rest",
        description="Look at Python, the libraries, the machine, the data and the weights. "
        "Exit code 1 where something necessary fails.",
    )
    add, given = parser.add_argument, os.environ.get
    for name in DATA_SETS:
        title = name.upper()
        add(f"--{name}", metavar="DIR", default=given(f"RSTAN_{title}"), help=f"{title}'s folder")
    add("--puppets", metavar="DIR", help="folder of generated clips (those in the cache)")
    weights = "ImageNet weights of SqueezeNet 1.0"
    add("--weights", metavar="FILE", default=given("RSTAN_SQUEEZENET"), help=weights)
    add("--cache", metavar="DIR", help="of stores and tuned networks ($RSTAN_CACHE, or the user's)")
    add("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(func=main)


def main(arguments: argparse.Namespace) -> int:
    """Run what `add_parser` parsed."""
    roots = {name: getattr(arguments, name) for name in DATA_SETS}
    checks = examine(roots, arguments.weights, arguments.puppets, arguments.cache)
    print(json.dumps([asdict(c) for c in checks], indent=2) if arguments.json else as_table(checks))
    return int(any(check.state == "fail" for check in checks))


def examine(
    roots: Mapping[str, str | None] | None = None, weights: str | None = None,
    puppets: str | None = None, cache: str | None = None,
) -> list[Check]:  # fmt: skip
    """All checks, in the order in which they are shown; roots: folders of data sets, by name."""
    roots, cache = {"jhmdb": None, **(roots or {})}, cache or default_cache()
    said = machine.probe_torch()
    torch = machine.check_torch(said)
    needed = machine.libraries()
    found = machine.probe_libraries([*needed.values(), *machine.JUPYTER])
    problems = {name: found[module] for name, module in needed.items()}
    libraries = machine.check_libraries("Libraries", problems, "fail", machine.REINSTALL)
    ready = libraries.state == "ok"
    python = Check("Python", "ok", f"{sys.version.split()[0]} ({sys.executable})")
    checks = [python, torch, libraries]
    if ready:
        checks += [check_flow(), machine.check_memory()]
    checks += [
        machine.check_gpu(said, shutil.which("nvidia-smi") is not None),
        machine.check_threads(cores(), said),
        machine.check_disk(cache),
    ]
    if ready:
        for name, root in roots.items():
            if root:
                checks += check_clips(name, root)
            elif name == "jhmdb":
                checks.append(Check("JHMDB", "warn", "not given", JHMDB_HELP))
        checks.append(check_puppets(puppets or str(Path(cache, "puppets-tour-24"))))
    if ready and torch.state == "ok":
        checks += [check_weights(weights), check_modules()]
    problems = {name: found[name] for name in machine.JUPYTER}
    jupyter = machine.check_libraries("Jupyter", problems, "warn", machine.NOTEBOOKS)
    return [*checks, check_tuned(cache), jupyter]


def check_modules() -> Check:
    """Every module of the package can be imported here."""
    parts = (path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in parts)
    names = [name for name in names if not name.endswith("__main__")]
    broken = [f"{name} ({why})" for name, why in machine.probe_libraries(names).items() if why]
    if broken:
        found = f"{len(broken)} of {len(names)} modules do not import: {'; '.join(broken[:3])}"
        return Check("Package", "fail", found[:400], machine.REINSTALL)
    return Check("Package", "ok", f"{len(names)} modules import")


def check_flow() -> Check:
    """OpenCV's two optical flow methods compute."""
    import numpy as np

    try:
        from rstan_lite.features.flow import OPENCV, flow_sequence

        frames = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
        for method in OPENCV:
            flow_sequence(frames, method)
    except (ImportError, AttributeError) as error:  # a stripped OpenCV lacks names
        return Check("Optical flow", "fail", f"{type(error).__name__}: {error}", OPENCV_HELP)
    return Check("Optical flow", "ok", f"{' and '.join(OPENCV)} compute")


def check_clips(name: str, root: str) -> list[Check]:
    """Layout, clips and silhouettes of each split of a data set's folder, and what is missing.

    name: jhmdb, ucf101 or hmdb51.
    """
    from rstan_lite.data.datasets import open_clips

    checks = []
    for split in (1, 2, 3):
        title = f"{name.upper()} split {split}"
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", UserWarning)
                data = open_clips(name, root, split, missing="skip", validation=0.0)
            checks.append(_split(title, data, [str(warning.message) for warning in said]))
        except RstanError as error:
            checks.append(Check(title, "fail", str(error), GUIDE))
    return checks


def _split(title: str, data: ClipDataset, advice: list[str]) -> Check:
    clips = data.train + data.test
    found = f"{data.layout}: {len(data.train)} training and {len(data.test)} test clips"
    masks = sum(bool(clip.mask_path and clip.mask_path.is_file()) for clip in clips)
    found += f", {masks} silhouettes" * data.has_silhouettes
    if not data.train or not data.test:
        return Check(title, "fail", found, GUIDE)
    if data.missing:
        classes = Counter(entry.partition("/")[0] for entry in data.missing)
        worst = ", ".join(f"{action} {number}" for action, number in classes.most_common(4))
        worst += " ..." * (len(classes) > 4)
        found += f"; {len(data.missing)} clips that the lists name are not there ({worst})"
        advice.append("Complete the copy, or train without them: --missing skip.")
    if data.NAME == "jhmdb" and masks < len(clips):
        found += f"; {len(clips) - masks} clips have no silhouette"
        advice.append("Unpack puppet_mask.zip beside the clips.")
    return Check(title, "warn" if advice else "ok", found, " ".join(advice))


def check_puppets(root: str) -> Check:
    """Generated clips: a finished copy in a folder, or none yet."""
    from rstan_lite.data.jhmdb import JHMDB

    advice = "They are made when first needed, or by rstan-lite puppets."
    if not Path(root, "puppets.json").exists():  # written last
        return Check("Puppets", "ok", f"none yet in {root}", advice)
    try:
        data = JHMDB(root, validation=0.0)
    except RstanError as error:
        return Check("Puppets", "warn", str(error), f"Remove {root}. {advice}")
    return Check("Puppets", "ok", f"{len(data.train) + len(data.test)} clips in {root}")


def check_weights(path: str | None) -> Check:
    """The appearance network of the profile `course` is installed; or a file fits SqueezeNet."""
    try:
        from rstan_lite.features.backbones import FeatureNet, backbone
        from rstan_lite.features.networks import load_imagenet

        if not path:
            load_imagenet(FeatureNet(backbone(COURSE), "appearance"), None)
            return Check("Weights", "ok", f"{COURSE}, installed by the extra pretrained")
        for stream in ("appearance", "motion"):
            load_imagenet(FeatureNet(backbone("squeezenet1_0"), stream), path)
    except (RstanError, ImportError, OSError) as error:
        found = f"{path or COURSE}: {error}"
        return Check("Weights", "fail" if path else "warn", found, WEIGHTS_HELP)
    return Check("Weights", "ok", f"{path} fits squeezenet1_0, appearance and motion")


def check_tuned(cache: str) -> Check:
    """Fine-tuned networks in a cache folder."""
    folder = Path(cache, "tuned")
    if files := sorted(path.name for path in folder.glob("*.safetensors")):
        return Check("Tuned networks", "ok", ", ".join(files))
    advice = "rstan-lite tune makes them; JHMDB needs them for the motion stream."
    return Check("Tuned networks", "warn", f"none in {folder}", advice)

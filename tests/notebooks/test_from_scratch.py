"""rstan_from_scratch: the reader's one file computes and learns what the package does."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import nbformat
import numpy as np
import pytest
import torch
from measured import python
from torch import Tensor

from rstan_lite.model import RSTAN, RSTANConfig, actor_attention_loss, main_loss
from rstan_lite.training.batches import ClipFeatures, epoch_rows, training_batch
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.loop import fit
from rstan_lite.training.train import build_model
from tests.test_packaging import imported

FOLDER = Path(__file__).parents[2] / "notebooks"
FILE = FOLDER / "rstan_from_scratch.py"
STREAMS = ("appearance", "motion")
ALL = None  # frames
# streams, the package's attention, the file's looks, gammas
VARIANTS = {
    "LSTM": (("motion",), "none", 0, (1.0, 1.0)),
    "spatial": (("appearance",), "current", 1, (5.0, 1.0)),
    "temporal": (("motion",), "all", ALL, (5.0, 10.0)),
    "window": (("motion",), "window", 2, (1.0, 1.0)),
    "fused": (STREAMS, "window", 2, (1.0, 1.0)),
    "fused, all frames": (STREAMS, "all", ALL, (2.0, 3.0)),
}


@pytest.fixture(scope="module")
def mine() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return importlib.import_module(FILE.stem)


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's weights under the file's names: the file has one classifier."""
    return {re.sub(r"^heads\.\w+\.", "", name): value for name, value in state.items()}


def draw(streams: tuple[str, ...], B: int = 3, T: int = 5, P: int = 4) -> tuple:
    """cubes, vectors, labels and targets; the last frame of each clip shows nobody."""
    cubes = {s: torch.randn(B, T, P, 6) for s in streams}
    vectors = {s: torch.randn(B, T, 7) for s in streams}
    M = (torch.rand(B, T, P) > 0.4).float()
    M[:, -1] = 0
    return cubes, vectors, torch.randint(3, (B,)), M / M.sum(-1, keepdim=True).clamp(min=1)


def numbers(text: str) -> list[int]:
    """The equations that "8, 9" or "2-4" names."""
    ends = [[int(one) for one in part.split("-")] for part in text.strip(" ,-").split(", ")]
    return [number for first, *rest in ends for number in range(first, (rest or [first])[0] + 1)]


def test_is_short_and_leans_on_torch_alone() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert imported(text) == {"sys", "torch"}
    said = [number for line in re.findall(r"Eq\. ([\d, -]+)", text) for number in numbers(line)]
    assert set(said) == set(range(2, 20))


@pytest.mark.parametrize("kind", ["l2", "ce"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_agrees_with_the_package(variant: str, kind: str, mine: ModuleType) -> None:
    streams, attention, looks, gammas = VARIANTS[variant]
    torch.manual_seed(3)
    cubes, vectors, labels, M = draw(streams)
    sizes = {"d_cv": dict.fromkeys(streams, 6), "d_fc": dict.fromkeys(streams, 7)}
    config = RSTANConfig(
        streams, **sizes, heads={"toy": 3}, d_h=8, d_att=5,
        attention=attention, gamma_alpha=gammas[0], gamma_beta=gammas[1],
    )  # fmt: skip
    package = RSTAN(config)
    for value in package.parameters():
        torch.nn.init.normal_(value, std=0.7)  # biases, too
    own = mine.RSTAN(dict.fromkeys(streams, (7, 6)), 3, 8, 5, looks, gammas)
    left = own.load_state_dict(renamed(package.state_dict()), strict=False)
    assert not left.unexpected_keys
    assert bool(left.missing_keys) == (attention == "none")  # a plain LSTM has no attention

    output, (logits, maps) = package(cubes, vectors), own(cubes, vectors)
    torch.testing.assert_close(logits, output.logits)
    main, actor = mine.losses(logits, maps, labels, M, kind)
    torch.testing.assert_close(main, main_loss(output, labels))
    if attention == "none":
        assert maps is output.alpha_diagonal is None
        assert actor == 0
    else:
        torch.testing.assert_close(maps, output.alpha_diagonal)
        torch.testing.assert_close(actor, actor_attention_loss(maps, M, kind=kind))


def test_first_weights_are_drawn_as_the_package_draws_them(mine: ModuleType) -> None:
    """The same shapes, and the same spread: only U_h starts in another way."""
    torch.manual_seed(0)
    own = mine.RSTAN({"motion": (60, 40)}, 30, 50, 20).state_dict()
    sizes = {"d_cv": {"motion": 40}, "d_fc": {"motion": 60}, "heads": {"toy": 30}}
    theirs = renamed(RSTAN(RSTANConfig(("motion",), **sizes, d_h=50, d_att=20)).state_dict())
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in theirs.items()}
    for name, value in own.items():
        if not name.endswith("U_h"):
            assert float(value.std()) == pytest.approx(float(theirs[name].std()), rel=0.35), name


def clips(n: int = 24, P: int = 4) -> ClipFeatures:
    source = np.random.default_rng(0)
    drawn = {s: source.standard_normal((n, 1, 6, P, 6), np.float32) for s in STREAMS}
    target = np.zeros((n, 1, 6, P), np.float32)
    target[..., 0] = 1
    return ClipFeatures(
        names=[f"clip {i}" for i in range(n)], labels=np.arange(n) % 3, cubes=drawn,
        vectors={s: x.mean(3) for s, x in drawn.items()}, target=target, classes=("a", "b", "c"),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["l2", "ce"])
def test_trains_as_the_package_does(kind: str, mine: ModuleType) -> None:
    """From the same weights, the same mini-batches lead to the same weights."""
    features = clips()
    config = TrainConfig(
        dataset="puppets", d_h=8, d_att=5, batch_size=4, iterations=6, milestone=3, frames=3,
        test_frames=3, fusion="max", aa_kind=kind, lambda_aa=2.0, lr=0.01, dropout=0.0,
        device="cpu", recurrence="plain", attention="window",
    )  # fmt: skip
    package = build_model(config, features)
    own = mine.RSTAN(dict.fromkeys(STREAMS, (6, 6)), 3, 8, 5)
    own.load_state_dict(renamed(package.state_dict()))
    before = {k: v.clone() for k, v in own.state_dict().items()}

    def batches():
        for i, rows in enumerate(epoch_rows(24, 4, config.seed, 0)):
            batch = training_batch(features, rows, 3, config.seed, i, "cpu")
            yield batch.cubes, batch.vectors, batch.labels, batch.target

    mine.train(own, batches(), milestone=3, lambda_AA=2.0, kind=kind)
    fit(package, features, features, config, progress=False)  # one epoch, which is the best one
    for name, value in renamed(package.state_dict()).items():
        torch.testing.assert_close(own.state_dict()[name], value, rtol=1e-4, atol=1e-6)
        assert not torch.equal(before[name], value), name


def test_runs_by_itself_on_toys_or_a_file_and_finds_the_actor(mine, tmp_path):
    """It prints per cent of clips named rightly, and of the attention on the person."""
    torch.manual_seed(1)
    torch.save(([mine.toy_clips(8) for _ in range(2)], mine.toy_clips(10)), tmp_path / "clips.pt")
    for arguments, right, on in (([], 90, 40), ([str(tmp_path / "clips.pt")], 0, 1)):
        done = python("-I", FILE, *arguments, check=True)
        said = [int(share) for share in re.findall(r"(\d+)%", done.stdout)]
        assert said[0] >= right
        assert said[1] >= on  # of nine places: an even map has 11


def test_the_lesson_holds_the_file() -> None:
    lesson = nbformat.read(FOLDER / "rstan_from_scratch.ipynb", as_version=4)
    pieces = [cell.source for cell in lesson.cells if "file" in cell.metadata.get("tags", [])]
    *most, last = pieces  # what runs from a shell alone is shown, not run
    assert last.startswith("```python\n")
    assert last.endswith("\n```")
    most.append(last.removeprefix("```python\n").removesuffix("\n```"))
    assert "\n\n\n".join(most) + "\n" == FILE.read_text(encoding="utf-8")

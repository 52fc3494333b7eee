"""What runs get wrong, what one model mends of another's errors, and where the runs look.

Arrays (seeds, clips) come from a ledger's runs, which share their clips and their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.data.transforms import Geometry, view
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.lab.ledger.claims import Difference, difference, mcnemar
from rstan_lite.lab.ledger.ledger_runs import Ledger
from rstan_lite.lab.protocols import Checkpoint, check_networks, open_checkpoint
from rstan_lite.model.output import last_step
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError
from rstan_lite.training.batches import read_batch
from rstan_lite.training.evaluation import attention_maps, evaluate
from rstan_lite.training.parts import load_part, open_dataset


def confusion_counts(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Answers of all runs, counted: (C, C), a row for each true class, a column for each named one.

    labels: (n,), answers: (seeds, n), indices of the C classes.
    """
    true = np.broadcast_to(labels, answers.shape).ravel()
    return np.bincount(true * classes + answers.ravel(), minlength=classes**2).reshape(classes, -1)


@dataclass(frozen=True)
class Pair:
    """Two classes that are taken for one another.

    there: answers to clips of `first` that name `second`, of of_first in all; back: the others.
    """

    first: str
    second: str
    there: int
    back: int
    of_first: int
    of_second: int

    @property
    def shares(self) -> tuple[float | None, float | None]:
        """`there` and `back` as shares of the answers to their clips; None without clips."""
        counts = (self.there, self.of_first), (self.back, self.of_second)
        there, back = (part / whole if whole else None for part, whole in counts)
        return there, back


def confused_pairs(counts: np.ndarray, classes: Sequence[str]) -> list[Pair]:
    """Pairs of classes with an error in either direction, those with the most errors first.

    counts: of `confusion_counts`. `first` of a pair is the class that is taken for the other more
    often.
    """
    answers, pairs, named = counts.sum(1).tolist(), [], counts.tolist()
    for i, j in combinations(range(len(classes)), 2):
        a, b = (i, j) if named[i][j] >= named[j][i] else (j, i)
        if named[a][b]:
            both = named[a][b], named[b][a], answers[a], answers[b]
            pairs.append(Pair(classes[a], classes[b], *both))
    return sorted(pairs, key=lambda pair: -(pair.there + pair.back))  # a stable sort


def one_of_each(weights: np.ndarray, labels: np.ndarray, most: int) -> list[int]:
    """Clips with the largest positive weights (n,), at most one of a class and `most` in all."""
    found: dict[int, int] = {}
    for clip in np.argsort(-weights, kind="stable").tolist():
        if weights[clip] > 0:
            found.setdefault(int(labels[clip]), clip)
    return list(found.values())[: max(0, most)]


def share_by_class(sums: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Attention on the silhouette within each class, and what even attention would have: (C, 2).

    sums: (..., n, 3) of `training.evaluation.silhouette_sums`, of one run or several. The mean
    is over frames that show a silhouette, as in metrics.json; NaN for a class without any.
    """
    of_class = np.zeros((classes, 3))
    np.add.at(of_class, labels, sums.reshape(-1, len(labels), 3).sum(0))
    frames = of_class[:, 2:]
    return np.divide(of_class[:, :2], frames, out=np.full((classes, 2), np.nan), where=frames > 0)


@dataclass(frozen=True)
class Change:
    """What one model mends of another's errors within a set of clips, over all seeds.

    fixed, broken: answers that the second model alone has right, and the first alone. up, down:
    videos in which more are fixed than broken, and the other way round. gain: second minus first.
    """

    name: str
    clips: int
    videos: int
    fixed: int
    broken: int
    up: int
    down: int
    gain: Difference

    @property
    def p(self) -> float:
        """Of McNemar's test by videos: each is one vote, whatever its clips and seeds."""
        return mcnemar(self.up, self.down)


@dataclass(frozen=True)
class Comparison:
    """Two rows on the same clips, over the seeds that both have.

    before, after: bool (seeds, n), whether either names a clip rightly. labels: (n,), indices of
    classes. sources: the video that each clip was cut from.
    """

    seeds: tuple[int, ...]
    before: np.ndarray
    after: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def fixed(self) -> np.ndarray:
        """Which answers `after` alone has right, bool (seeds, n)."""
        return self.after & ~self.before

    @property
    def broken(self) -> np.ndarray:
        """Which answers `before` alone has right, bool (seeds, n)."""
        return self.before & ~self.after

    def change(self, name: str = "all", chosen: np.ndarray | None = None) -> Change:
        """The change within a set of clips, bool (n,); None for all. ValueError for none."""
        chosen = np.ones(len(self.labels), bool) if chosen is None else chosen
        sources = np.asarray(self.sources)[chosen]
        fixed, broken = self.fixed[:, chosen], self.broken[:, chosen]
        gain = difference(self.after[:, chosen], self.before[:, chosen], sources.tolist())
        videos, of_clip = np.unique(sources, return_inverse=True)
        net = np.bincount(of_clip, fixed.sum(0) - broken.sum(0))  # in each video
        mended, lost, up, down = (int(one.sum()) for one in (fixed, broken, net > 0, net < 0))
        return Change(name, int(chosen.sum()), len(videos), mended, lost, up, down, gain)

    def by_class(self) -> list[Change]:
        """The change within each class that has clips, those with the largest gain first."""
        chosen = ((name, self.labels == label) for label, name in enumerate(self.classes))
        found = [self.change(name, clips) for name, clips in chosen if clips.any()]
        return sorted(found, key=lambda change: -change.gain.mean)


def compare(ledger: Ledger, before: str, after: str) -> Comparison:
    """Two rows of a ledger; CheckpointError where either has no finished run, or no seed is both's.

    before, after: names of the rows.
    """
    seeds = [list(ledger.finished(name).seeds) for name in (before, after)]
    if (found := ledger.paired(before, after)) is None:
        said = f"seeds {seeds[0]} of {before!r} and {seeds[1]} of {after!r}"
        hint = "Make it: rstan-lite ledger --seeds ..."
        raise CheckpointError(ledger.plan.out, said, "a seed that both rows have", hint)
    return Comparison(*found, ledger.labels, ledger.classes, ledger.sources)


@dataclass(frozen=True)
class Attended:
    """What a run looked at in one clip, at its T steps.

    action, answer: the true class and the named one, of which probability is. frames: uint8 (T, H,
    W, 3). silhouettes: (T, H, W). maps: (T, P), each of sum 1, the mean over streams. target: (T,
    P), M of Eq. 18. indices: (T,) the frames' numbers in the clip. crop: what the networks saw.
    """

    name: str
    action: str
    answer: str
    probability: float
    frames: np.ndarray
    silhouettes: np.ndarray
    maps: np.ndarray
    target: np.ndarray
    indices: np.ndarray
    crop: Geometry


def row_sums(
    ledger: Ledger, name: str, seeds: Sequence[int], root: str = "", cache: str = ""
) -> np.ndarray:
    """`silhouette_sums` of a row's runs: (seeds, n, 3), the clips in the ledger's order.

    root, cache: where clips and features lie now; "" for where they were. CheckpointError for a row
    without a model of its own or a finished run of one of the seeds, and for clips that are gone.
    """
    found = []
    for seed in seeds:
        run, _, features, places = _open(ledger, name, seed, root, cache)
        how = run.config.head, run.config.test_frames
        result = evaluate(run.model, features, *how, precision=run.config.precision)
        found.append(result.silhouettes[places].numpy())
    return np.stack(found)


@torch.no_grad()
def attended(
    ledger: Ledger, name: str, seed: int, clips: Sequence[int], root: str = "", cache: str = ""
) -> list[Attended]:
    """What a row's run looked at in some of the ledger's clips, given by their indices.

    root, cache, errors: see `row_sums`; CheckpointError also for a model without attention.
    """
    run, dataset, features, places = _open(ledger, name, seed, root, cache)
    config = run.config
    rows = torch.tensor(places)[list(clips)]
    steps = torch.from_numpy(equally_spaced(features.stored_frames, config.test_frames))
    device = choose_device(config.device)
    starts = torch.zeros_like(rows)
    batch = read_batch(features, rows, starts, steps.expand(len(rows), -1), device)
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        output = run.model(batch.cubes, batch.vectors, head=config.head)
    if not attention_maps(output):
        raise CheckpointError(run.folder, "a model without attention", "one that attends")
    shares = [m.float() / m.float().sum(-1, keepdim=True) for m in attention_maps(output)]
    mean = torch.stack(shares).mean(0).cpu().numpy()  # (R, T, P)
    scores = last_step(output.logits).float().softmax(-1).cpu()  # (R, C)
    by_name = {clip.name: clip for clip in dataset.test}
    found = []
    for i, clip in enumerate(by_name[ledger.clips[clip]] for clip in clips):
        film = dataset.frames(clip)  # (F, H, W, 3)
        index = equally_spaced(len(film), config.stored_frames)[steps.numpy()]  # (T,)
        answer = features.classes[int(scores[i].argmax())], float(scores[i].max())
        seen = film[index], dataset.silhouettes(clip, film)[index]
        maps = mean[i], batch.target[i].cpu().numpy()
        crop = view(config.views[0], film.shape[1:3], config.size)
        found.append(Attended(clip.name, clip.action, *answer, *seen, *maps, index, crop))
    return found


def _open(
    ledger: Ledger, name: str, seed: int, root: str, cache: str
) -> tuple[Checkpoint, ClipDataset, ClipFeatures, list[int]]:
    """A run of a row, its data set, the features that it was tested on, in the run's scales, and
    the places of the ledger's clips among these."""
    entry, folder = ledger.finished(name), ledger.plan.folder(name, seed)
    if entry.row.fused:
        rows = " and ".join(entry.row.fused)
        raise CheckpointError(folder, f"averaged scores of {rows}", "a row with a model of its own")
    if seed not in entry.seeds:
        raise CheckpointError(folder, "no finished run", f"one of the seeds {list(entry.seeds)}")
    run = open_checkpoint(folder, root=root, cache=cache)
    networks, dataset = check_networks(run.description), open_dataset(run.config)
    features = load_part(run.config, "test", networks, dataset)
    place = {name: i for i, name in enumerate(features.names)}
    if gone := sum(name not in place for name in ledger.clips):
        found = f"{gone} test clips that the data set lacks now"
        expected = f"all {len(ledger.clips)} that its runs were tested on"
        raise CheckpointError(ledger.plan.out, found, expected)
    features = replace(features, scales=run.description.scales)
    return run, dataset, features, [place[name] for name in ledger.clips]

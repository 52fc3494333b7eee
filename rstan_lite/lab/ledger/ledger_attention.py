"""Where the runs of a ledger look: shares of the silhouette clip by clip, and maps over frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.data.transforms import Geometry, view
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.lab.ledger.ledger_runs import Ledger
from rstan_lite.lab.protocols import Checkpoint, check_networks, open_checkpoint
from rstan_lite.model.output import last_step
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError
from rstan_lite.training.batches import read_batch
from rstan_lite.training.evaluation import attention_maps, evaluate


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
    from rstan_lite.training.parts import load_part, open_dataset

    entry, folder = ledger.finished(name), ledger.plan.folder(name, seed)
    if entry.row.fused:
        rows = " and ".join(entry.row.fused)
        raise CheckpointError(folder, f"averaged scores of {rows}", "a row with a model of its own")
    if seed not in entry.seeds:
        raise CheckpointError(folder, "no finished run", f"one of the seeds {list(entry.seeds)}")
    run = open_checkpoint(folder, root=root, cache=cache)
    networks, dataset = check_networks(run.description.networks), open_dataset(run.config)
    features = load_part(run.config, "test", networks, dataset)
    place = {name: i for i, name in enumerate(features.names)}
    if gone := sum(name not in place for name in ledger.clips):
        found = f"{gone} test clips that the data set lacks now"
        expected = f"all {len(ledger.clips)} that its runs were tested on"
        raise CheckpointError(ledger.plan.out, found, expected)
    features = replace(features, scales=run.description.scales)
    return run, dataset, features, [place[name] for name in ledger.clips]

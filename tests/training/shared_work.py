"""What several processes compute together, for test_ranks.py: alone there, by torchrun here.

torchrun ... shared_work.py FILE    writes the results into FILE, then lets process 1 fail
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from training.synthetic import SMALL, make_features

from rstan_lite.system.devices import make_fabric
from rstan_lite.system.errors import RstanError
from rstan_lite.system.ranks import ALONE, Ranks, ranks_of_environment
from rstan_lite.training.batches import training_batch
from rstan_lite.training.evaluation import Evaluation, evaluate
from rstan_lite.training.loop import Objective, Task, fit, train_step
from rstan_lite.training.profiles import resolve
from rstan_lite.training.train import build_model

# batch: clips of a mini-batch of the first data set; of two processes with 1, one has none.
# second: those of the second data set, 0 for a model that has its classifier and never uses it.
CASES = {
    "even, fast": {"recurrence": "fast", "batch": 16, "second": 16, "limit": 0.0},
    "even, plain": {"recurrence": "plain", "batch": 16, "second": 16, "limit": 0.5},
    "uneven, fast": {"recurrence": "fast", "batch": 5, "second": 1, "limit": 0.5},
    "uneven, plain": {"recurrence": "plain", "batch": 1, "second": 3, "limit": 0.0},
    "unused, fast": {"recurrence": "fast", "batch": 5, "second": 0, "limit": 0.5},
    "unused, plain": {"recurrence": "plain", "batch": 7, "second": 0, "limit": 0.5},
}
FIT = resolve("tiny", {**SMALL, "iterations": 20, "batch_size": 16}, "silhouettes-ce")


def steps(case: str, ranks: Ranks = ALONE) -> dict[str, Any]:
    """Losses, norm and gradient of one mini-batch, and the weights after three."""
    how = CASES[case]
    first, other = make_features(20, seed=1), make_features(12, classes=3, seed=2)
    config = resolve("tiny", {**SMALL, "recurrence": how["recurrence"], "second_dataset": "jhmdb"})
    model = build_model(config, first, other)
    tasks = [Task(first, "puppets", how["batch"], lambda_aa=2.0 if how["second"] else 0.0)]
    if how["second"]:
        tasks.append(Task(other, "jhmdb", how["second"], weight=0.1))
    fabric = make_fabric("cpu", "32", ranks)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-2)
    objective, stepper = fabric.setup(Objective(model, "l2"), optimizer)
    found: dict[str, Any] = {}
    for i in range(3):
        mixture = [
            (task, training_batch(task.features, rows, 3, 0, i, fabric.device, ranks))
            for task in tasks
            for rows in [torch.arange(task.batch_size) % len(task.features)]
        ]
        losses, norm = train_step(fabric, objective, stepper, mixture, how["limit"], ranks)
        if i == 0:
            found["losses"] = [{k: float(v) for k, v in loss.items()} for loss in losses]
            found["norm"] = norm
            grads = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
            found["gradient"] = {k: v.clone() for k, v in grads.items()}
    found["weights"] = {k: v.clone() for k, v in model.state_dict().items()}
    return found


def fitted(ranks: Ranks = ALONE) -> dict[str, Any]:
    """Log and best weights of twenty mini-batches."""
    train, validation = make_features(40, seed=1), make_features(40, seed=2)
    model = build_model(FIT, train)
    log = fit(model, train, validation, FIT, progress=False, ranks=ranks).log
    return {"log": [asdict(row) for row in log], "weights": model.state_dict()}


def evaluations(ranks: Ranks) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of answers, of all processes and of one: none to forty clips, eight a batch."""
    model = build_model(FIT, make_features(4))

    def answer(clips: int, whose: Ranks) -> dict[str, Any]:
        found: Evaluation = evaluate(model, make_features(clips), "puppets", 4, 8, ranks=whose)
        return asdict(found)

    return [(answer(n, ranks), answer(n, ALONE)) for n in (0, 1, 7, 8, 9, 40)]


def dropped(ranks: Ranks) -> Tensor:
    """(2, W, 100) of dropout's masks in a mini-batch, drawn twice, of each process."""
    masks = torch.zeros(2, ranks.size, 100)
    for again in masks:
        ranks.seed(3, 5)
        again[ranks.rank] = torch.nn.functional.dropout(torch.ones(100))
    return ranks.sum(masks)


def fail(ranks: Ranks) -> None:
    """Evaluate with a clip in process 1's batch that has no finite scores."""
    features = make_features(40)
    cubes = np.array(features.cubes["motion"])
    cubes[35] = np.inf
    broken = replace(features, cubes={**features.cubes, "motion": cubes})
    evaluate(build_model(FIT, features), broken, "puppets", 4, ranks=ranks)


def main(out: Path) -> int:
    ranks = ranks_of_environment()
    try:
        with ranks.together():
            found = {
                "steps": {case: steps(case, ranks) for case in CASES},
                "fit": fitted(ranks),
                "evaluations": evaluations(ranks),
                "dropped": dropped(ranks),
            }
            if ranks.leads:
                torch.save(found, out)
            fail(ranks)
    except RstanError as error:
        print(f"error: {error}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

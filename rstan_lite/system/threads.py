"""How many threads compute: chosen by the size of the work, never by the machine's load.

OpenMP's threads wait by spinning, which on a busy machine makes small work ten to a hundred times
slower. So small work takes one thread, larger work one per core, and none spins. A user's own
settings stay.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

NUMBERS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
CHOSEN = "RSTAN_THREADS"  # in the environment: the package chose the number, not the user
LARGE = 10**8  # multiply-adds of a mini-batch: `course` has half as many, the paper's sizes more


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or a batch system may allow only some
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(given: Mapping[str, str] = os.environ, number: int = 1) -> dict[str, str]:
    """An environment for processes that load torch: `number` threads, none of which spins.

    given: the environment so far; what it says of threads stays.
    """
    found = dict(given)
    if not any(name in found for name in NUMBERS):
        found |= dict.fromkeys(NUMBERS, str(number)) | {CHOSEN: str(number)}
    if not any(name in found for name in WAITING):
        found["OMP_WAIT_POLICY"] = "PASSIVE"
    return found


def prepare(number: int = 1) -> None:
    """Give this process and those that it starts the `environment`, before torch is loaded."""
    os.environ.update(environment(number=number))


def asked() -> bool:
    """Whether the user has set a number of threads."""
    return CHOSEN not in os.environ and any(name in os.environ for name in NUMBERS)


@contextmanager
def for_work(products: float) -> Iterator[None]:
    """Inside, torch computes with one thread, or with one per core from LARGE products on.

    products: multiply-adds of a step. The number of a user who has set one stays.
    """
    import torch

    before = torch.get_num_threads()
    if not asked():
        torch.set_num_threads(cores() if products >= LARGE else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

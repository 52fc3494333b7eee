"""The processes of one training that `torchrun` started, one a device; alone, none of this acts.

All read the same clips and draw the same mini-batches, of which each computes a part; Lightning
Fabric (`devices.py`) brings the gradients together. Imports no torch: one process needs none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rstan_lite.system.errors import DataError, ProcessError

if TYPE_CHECKING:
    from torch import Tensor

SILENCE = timedelta(minutes=30)  # of a process that is neither dead nor at work: then all end
DROPOUT = 700_001  # apart from the seeds that mini-batches are drawn with
PAUSE = 0.2  # seconds between two looks at what process 0 has done


@dataclass(frozen=True)
class Ranks:
    """This process (rank, from 0) among those of a training (size), or on this machine (here)."""

    rank: int = 0
    size: int = 1
    here: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files, prints and makes features."""
        return self.rank == 0

    def part(self, n: int) -> slice:
        """This process's places among n in a row; parts differ by one place at most."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def share(self, n: int) -> float:
        """This process's part of n, as a share in [0, 1]."""
        own = self.part(n)
        return (own.stop - own.start) / n

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of all processes' tensors, of one shape, on the device of training.

        Where each fills other places of zeros, the sum holds all of them to the bit.
        """
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(tensor)
        return tensor

    def seed(self, seed: int, iteration: int) -> None:
        """Fix what dropout draws in a mini-batch: in each process of several something else.

        A process alone carries the state of torch's generator on instead.
        """
        if self.size > 1:
            import torch

            place = (seed * 1_000_003 + iteration) * self.size + self.rank
            torch.manual_seed((DROPOUT + place) % 2**63)

    @contextmanager
    def leader_first(self, work: str) -> Iterator[None]:
        """Process 0 goes through the block, and then the others, to find what it has made.

        They wait without a connection that could time out. work: a name, each used once.
        """
        if self.size > 1 and not self.leads:
            while not self._store.check([work]):
                time.sleep(PAUSE)
        yield
        if self.size > 1 and self.leads:
            self._store.set(work, "done")

    def check_same(self, what: str, found: str) -> None:
        """Raise DataError where this process found another `what` than process 0 did."""
        if self.size == 1:
            return
        if self.leads:
            self._store.set(what, found)
            return
        expected = self._store.get(what).decode()
        if found != expected:
            hint = "All processes need the same clips, features and run folder."
            expected += ", as process 0 has"
            raise DataError(str(self), f"{what}: {found}", expected, hint)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Turn a broken connection to another process into a ProcessError."""
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not _is_broken(error):
                raise
            found, expected = "that another process has ended", "all of them until the end"
            hint = "torchrun names it below. The same command goes on from the last saved state."
            raise ProcessError(str(self), found, expected, hint) from error

    def __str__(self) -> str:
        return f"process {self.rank} of {self.size}"

    @cached_property
    def _store(self) -> Any:
        """A few words between processes, kept by torchrun, so that they outlive each of them."""
        from torch.distributed import PrefixStore, TCPStore

        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(host, port, wait_for_workers=False, timeout=SILENCE)
        # torchrun may start all anew (--max-restarts) with the same store
        start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return PrefixStore(f"rstan-lite {start}", store)


ALONE = Ranks()


def ranks_of_environment() -> Ranks:
    """What torchrun says of this process; ALONE without it, or where it started only one."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ALONE
    names = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    found = Ranks(*(int(os.environ[name]) for name in names))
    return found if found.size > 1 else ALONE


def _is_broken(error: RuntimeError) -> bool:
    """Whether an error of torch is that of a connection whose other end is gone."""
    from torch.distributed import DistError

    words = ("gloo", "connection closed", "connection reset")  # gloo's own names
    return isinstance(error, DistError) or any(word in str(error).lower() for word in words)

"""Trees of processes: what they hold of memory, and how they end."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started and that still run; empty where it has ended."""
    try:
        main = psutil.Process(pid)
        return [main, *main.children(recursive=True)]
    except psutil.Error:
        return []


def tree_memory(pid: int) -> int:
    """Bytes of a process and all that it started; shared pages once, as far as the system tells."""
    total = 0
    for process in tree(pid):
        with suppress(psutil.Error):  # ended meanwhile
            info = process.memory_full_info()
            total += getattr(info, "pss", 0) or info.rss
    return total


def kill_tree(pid: int) -> None:
    """End a process and all that it started, at once; itself last, where it is the caller."""
    found = tree(pid)
    for process in sorted(found, key=lambda one: one.pid == os.getpid()):
        with suppress(psutil.Error):
            process.kill()

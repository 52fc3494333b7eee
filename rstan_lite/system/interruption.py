"""Ctrl-C and SIGTERM: raised where anything may end, kept until all is saved where it may not."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any, Self

from rstan_lite.system.errors import RstanError

SIGNALS = (signal.SIGINT, signal.SIGTERM)

# For Popen: the process does not see Ctrl-C, which a terminal sends to all; its starter ends it.
OWN_SESSION: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    OWN_SESSION = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


class Interrupted(KeyboardInterrupt):
    """The request to stop.

    code: what the process should then exit with, 130 or 143. advice: how to go on, for the user.
    """

    advice = "run the same command again; what is saved is not done again."

    def __init__(self, number: int):
        super().__init__()
        self.code = 128 + number  # what a shell reports of a process that a signal ended


class _Handlers:
    """A handler of the two signals while it is entered, in the main thread.

    A signal that is ignored stays so: a shell's background job is not for Ctrl-C.
    """

    def __init__(self, receive: Callable[[int, FrameType | None], None]) -> None:
        self._receives, self._before = receive, dict[int, Any]()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._receives)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def run_command(body: Callable[[], int]) -> int:
    """A command's exit code: its own, 2 for a complaint, 130 for Ctrl-C, 143 for SIGTERM.

    The first signal raises Interrupted, a second ends the process. Complaints and interruptions are
    said on stderr.
    """
    asked = False

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            for child in multiprocessing.active_children():
                child.kill()
            os._exit(128 + number)
        asked = True
        if sys.platform != "win32":  # torch's handler complains of workers that the signal ended
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raise Interrupted(number)

    with _Handlers(receive):
        try:
            try:
                return body()
            finally:
                if sys.stdout:  # a reader who has seen enough, as `head`, is noticed here
                    print(end="", flush=True)
        except RstanError as error:
            with SafePoints():  # whoever tells it to stop meanwhile: it ends anyway
                print(f"error: {error}", file=sys.stderr, flush=True)
            return 2
        except BrokenPipeError:
            try:
                print(flush=True)
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 128 + 13
            raise  # another pipe: a worker's
        except KeyboardInterrupt as error:
            asked = True
            advice = getattr(error, "advice", Interrupted.advice)
            print(f"\ninterrupted: {advice}", file=sys.stderr)
            return error.code if isinstance(error, Interrupted) else 128 + signal.SIGINT


class SafePoints(_Handlers):
    """Work that may end at some points alone: the first signal waits for the next one.

    `asked` is then true; the work saves itself and calls `leave`. A second signal does not wait: it
    is handled as it would be outside.
    """

    def __init__(self) -> None:
        super().__init__(self._receive)
        self._number = 0
        self._waits = True

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._number > 0

    def leave(self) -> None:
        """Raise Interrupted where a signal came."""
        if self._number:
            raise Interrupted(self._number)

    @contextmanager
    def anywhere(self) -> Iterator[None]:
        """Inside, a signal raises Interrupted at once."""
        self._waits = False
        try:
            self.leave()
            yield
        finally:
            self._waits = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self._number:
            self._number = number
            if self._waits:
                return
            raise Interrupted(number)
        before = self._before[number]
        if callable(before):
            before(number, frame)
        else:  # the system's own way: the process ends
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


class Keeper(SafePoints):
    """Safe points of a long work, at which it is saved: by the clock, and when a signal came.

    save: writes the work's state, from which it goes on to the same result. pause: seconds
    between saves, stretched to MOST times what a save takes; 0 for none by the clock.
    """

    MOST = 20

    def __init__(self, save: Callable[[], None], pause: float):
        super().__init__()
        self._save, self._pause = save, pause
        self._saved, self._took = time.perf_counter(), 0.0

    def point(self) -> None:
        """A safe point: save if it is time to; save and raise Interrupted if a signal came."""
        idle = time.perf_counter() - self._saved
        due = self._pause and idle >= max(self._pause, self.MOST * self._took)
        if self.asked or due:
            self.save()
        self.leave()

    def save(self) -> None:
        """Save now."""
        begun = time.perf_counter()
        self._save()
        self._saved = time.perf_counter()
        self._took = self._saved - begun

    @contextmanager
    def saved_if_left(self, by: type[BaseException] = KeyboardInterrupt) -> Iterator[None]:
        """Inside, nothing changes the state, so that it may end anywhere: it is then saved.

        by: the exceptions that it is saved for.
        """
        try:
            with self.anywhere():
                yield
        except by:
            self.save()
            raise


@contextmanager
def starting_processes() -> Iterator[None]:
    """Processes that are started inside do not see Ctrl-C, which a terminal sends to all.

    They are told to end by the one that started them. A signal that comes inside is raised after
    it. Windows can't block a signal: there `end_with_parent` must run in the process.
    """
    with SafePoints() as points:
        if sys.platform == "win32":
            yield
        else:
            resource_tracker.ensure_running()  # it unblocks the signal when it is started
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited
            try:
                yield
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        points.leave()


def end_with_parent() -> None:
    """For a new process: end it when the one that started it has ended, in whatever way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees it, and ends this one
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(0)

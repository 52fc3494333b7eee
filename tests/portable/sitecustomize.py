"""Hide what Unix alone has from the project's code; for processes with this folder on PYTHONPATH.

Python imports a module of this name when it starts, also in processes that are spawned. Whatever
lies in Python's library or in site-packages knows the system that it runs on, and still sees it.
"""

import builtins
import multiprocessing
import os
import signal
import sys
import sysconfig
import types

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog"}
CALLS = {
    os: (
        "fork", "forkpty", "getuid", "geteuid", "getgid", "getpgid", "killpg", "setsid", "uname",
        "waitid", "mkfifo", "mknod", "chown", "getloadavg", "sched_getaffinity", "O_NONBLOCK",
        "sysconf", "statvfs", "posix_spawn", "nice",
    ),
    signal: (
        "SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGSTOP",
        "SIG_BLOCK", "SIG_SETMASK", "pthread_sigmask", "alarm", "setitimer", "sigwait",
    ),
}  # fmt: skip
# system/interruption.py asks which system it runs on before it blocks a signal
ASKED = {"SIG_BLOCK", "SIG_SETMASK", "pthread_sigmask", "SIGCHLD"}
PLACES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
SYSTEM = os.path.join("rstan_lite", "system", "interruption.py")


def _asker(depth):
    """The file of the project's code, or of a notebook's cell, that asks; "" for a library."""
    path = sys._getframe(depth).f_code.co_filename
    return "" if path.startswith((*PLACES, "<frozen", "<string>", __file__)) else path


def _import(name, *arguments, **more):
    if name.partition(".")[0] in MODULES and _asker(2):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return _true_import(name, *arguments, **more)


def _hide(module, names):
    kept = {name: module.__dict__.pop(name) for name in names if name in module.__dict__}

    class Hidden(types.ModuleType):
        def __getattr__(self, name):
            path = _asker(2)
            if name not in kept or (path and not (name in ASKED and path.endswith(SYSTEM))):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return kept[name]

    module.__class__ = Hidden


_true_import = builtins.__import__
builtins.__import__ = _import
for _module, _names in CALLS.items():
    _hide(_module, _names)
multiprocessing.set_start_method("spawn")

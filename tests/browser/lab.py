"""A JupyterLab on a free local port, by itself or for a Chromium that looks at it."""

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from measured import offline

PATIENCE = 300  # seconds for the server to come up on a busy machine
CELLS = 400_000  # milliseconds for the cells above a widget, on a busy machine
RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
READY = """() => {
    const shown = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    const session = shown && shown.context && shown.context.sessionContext;
    return Boolean(session && session.session && session.session.kernel
        && session.session.kernel.status === 'idle' && shown.context.isReady);
}"""


class Lab(NamedTuple):
    """A running JupyterLab: the folder that it shows, and its address."""

    folder: Path
    url: str
    token: str

    def page(self, notebook: str) -> str:
        """The address of a notebook of the folder."""
        return f"{self.url}/lab/tree/{notebook}?token={self.token}&reset"


@contextlib.contextmanager
def running(home: Path) -> Iterator[Lab]:
    """A JupyterLab with settings of its own in a folder; it reaches nothing outside of here."""
    folder, token = home / "notebooks", secrets.token_hex(16)
    folder.mkdir()
    _settings(home / "settings")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,  # so that a test can call its commands
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    own |= {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime"}
    env = offline(**{name: str(home / folder) for name, folder in own.items()})
    command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]
    with (home / "log.txt").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/api/status?token={token}", server, home / "log.txt")
        yield Lab(folder, url, token)
    finally:
        server.terminate()  # it ends its kernels
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run_all(page: Any) -> None:
    """Run all cells of the notebook that a page of Chromium has just gone to."""
    page.wait_for_function(READY, timeout=CELLS)
    page.evaluate(RUN)


def _settings(folder: Path) -> None:
    """Render every cell at once, and ask the reader nothing."""
    chosen = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in chosen.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"JupyterLab does not answer:\n{log.read_text(encoding='utf-8')}")

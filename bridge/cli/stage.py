"""The bridge and a sandbox in processes of their own: what `demo` plays on."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bridge import bootstrap, settings
from bridge.errors import BridgeError
from bridge.mapping.files import Mappings
from bridge.settings import Settings

PATIENCE_SECONDS = 30.0
GLANCE_SECONDS = 0.05
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What was started, and where it is."""

    settings: Settings
    mappings: Mappings
    url: str
    #: None: the real Metronome.
    sandbox_url: str | None
    #: Made up for this run, by the names of their variables.
    secrets: Mapping[str, str]


@contextmanager
def rehearsal(scene: Path, sources: Collection[str], *, port: int | None = None) -> Iterator[Stage]:
    """The bridge on a database of its own, in front of a sandbox that holds `scene`; `sources` are open."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metronome-bridge-")))
        sandbox_port = free_port()
        sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        environ = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{scratch}/bridge.db",
            "METRONOME_BASE_URL": sandbox_url,
            "METRONOME_API_TOKEN": secrets.token_hex(16),
            "BRIDGE_LOG_LEVEL": os.environ.get("BRIDGE_LOG_LEVEL", "warning"),
        }
        start = ["sandbox", "--port", str(sandbox_port), "--data", str(scene)]
        stack.enter_context(running(start, environ, f"{sandbox_url}/sandbox"))
        yield stack.enter_context(bridge(environ, port or free_port(), sandbox_url, sources))


@contextmanager
def bridge(
    environ: Mapping[str, str], port: int, sandbox_url: str | None = None, sources: Collection[str] = ()
) -> Iterator[Stage]:
    """The bridge as `environ` says. Secrets that `sources` lack are made up."""
    environ = {**environ, "PORT": str(port), "WEB_CONCURRENCY": "1"}
    mappings = bootstrap.load_mappings(settings.load(environ), environ)
    unset = sorted({name for source in mappings.closed if source.name in sources for name in source.unset})
    made_up = {name: f"whsec_{secrets.token_hex(16)}" for name in unset}
    environ |= made_up
    values = settings.load(environ)
    url = f"http://127.0.0.1:{port}"
    bootstrap.build_store(values).upgrade()
    with running(["serve"], environ, f"{url}/readyz"):
        yield Stage(values, bootstrap.load_mappings(values, environ), url, sandbox_url, made_up)


@contextmanager
def running(
    arguments: list[str], environ: Mapping[str, str], ready_url: str, *, module: str = "bridge"
) -> Iterator[None]:
    """A command of ours in the background, from when it answers until the end of the block."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env=dict(environ), start_new_session=True)  # noqa: S603
    try:
        wait_for(ready_url, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when `url` answers 200. Raises BridgeError if that takes too long or the process ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(url, timeout=TIMEOUT_SECONDS).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(GLANCE_SECONDS)
    raise BridgeError(f"{url} does not answer: see above for the reason")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

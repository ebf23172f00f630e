"""Real processes for tests: our own commands, and others, with everything they say kept for when a test fails."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.support.postgres import free_port

PATIENCE_SECONDS = 60


class Process:
    """One process with its children, in a session of its own."""

    def __init__(self, command: list[str], environ: dict[str, str], folder: Path) -> None:
        self.log = folder / f"{Path(command[0]).name}-{free_port()}.log"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                command, env=environ, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def terminate(self) -> int:
        """Ask it to stop, as an orchestrator would, and give its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """kill -9 of it and of all its children."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        try:
            self.kill()
        except ProcessLookupError:
            self.popen.wait(PATIENCE_SECONDS)


def ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bridge", *arguments]


def until(condition: Callable[[], Any], process: Process | None = None) -> Any:
    """What `condition` gives once it gives something. Fails the test if that takes too long."""
    waiter = threading.Event()
    for _ in range(PATIENCE_SECONDS * 50):
        if found := condition():
            return found
        if process is not None and process.popen.poll() is not None:
            break
        waiter.wait(0.02)
    raise AssertionError(f"{condition.__name__} did not come true\n{process.said if process else ''}")


def answers(url: str, process: Process) -> None:
    """Returns when `url` answers 200."""

    def answered() -> bool:
        try:
            return requests.get(url, timeout=5).ok
        except requests.RequestException:
            return False

    until(answered, process)


@contextmanager
def ending(processes: list[Process]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.end()

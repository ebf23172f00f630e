"""Writers of one SQLite file take turns, in threads and over processes.

SQLite's own way of waiting is to sleep and try again, which makes some writers wait a hundred times longer than others.
A file lock wakes the next one at once.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bridge import private
from bridge.errors import LockedError


class Turns:
    """Whoever waits for longer than `patience_seconds` gets LockedError."""

    def __init__(self, path: Path, patience_seconds: float) -> None:
        self.path = path
        self.patience_seconds = patience_seconds
        self.thread = threading.Lock()
        self.file: Any = None
        self.process = 0
        self.waiter: Waiter | None = None

    @contextmanager
    def take(self) -> Iterator[None]:
        if not self.thread.acquire(timeout=self.patience_seconds):
            raise self.locked()
        try:
            descriptor = self.open()
            self.wait_for(descriptor)
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            self.thread.release()

    def wait_for(self, descriptor: int) -> None:
        if self.waiter is None or not self.waiter.still_waits():
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            self.waiter = Waiter(descriptor)
        if not self.waiter.has_it_within(self.patience_seconds):
            raise self.locked()
        self.waiter = None

    def locked(self) -> LockedError:
        return LockedError(
            f"the database does not work: somebody has held {self.path} for {self.patience_seconds} seconds:"
            " look for a process that is stopped, or a disk that hangs"
        )

    def open(self) -> int:
        """A descriptor of this process's own: one that was inherited would share its parent's lock."""
        if self.process != os.getpid():
            private.create(self.path)
            self.file = self.path.open("ab", buffering=0)
            self.process = os.getpid()
            self.waiter = None
        return int(self.file.fileno())

    def close(self) -> None:
        if self.file and self.process == os.getpid():
            self.file.close()
        self.process = 0


class Waiter:
    """Waits for a file lock in a thread of its own, as that knows no limit. Gives it back if nobody wants it then."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lock = threading.Lock()
        self.wanted = True
        self.over = False
        self.thread = threading.Thread(target=self.run, name="bridge-turn", daemon=True)
        self.thread.start()

    def run(self) -> None:
        # Not while somebody waits, but afterwards the file may have been closed.
        with suppress(OSError):
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            with self.lock:
                self.over = True
                if not self.wanted:
                    fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def still_waits(self) -> bool:
        """Whether it will bring the lock to us, after those before us gave up on it."""
        with self.lock:
            # One whose thread has ended without the lock has failed, and brings nothing.
            self.wanted = not self.over and self.thread.is_alive()
            return self.wanted

    def has_it_within(self, seconds: float) -> bool:
        self.thread.join(seconds)
        with self.lock:
            self.wanted = self.over
            return self.over

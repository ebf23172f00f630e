"""Files that hold payloads, for their owner alone: created with mode 0600 whatever the umask is."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

MODE = 0o600


def create(path: str | Path) -> None:
    """Creates an empty file unless there is one, whose mode stays as its owner has set it. Raises OSError.

    A file that is there is not opened: to close it again would drop every lock that this process holds on it, and
    SQLite's with them. https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE))


def open_to_write(path: str | Path) -> IO[bytes]:
    """Opens an empty file. One that is there is emptied and becomes private, unless it is a device. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    stream = os.fdopen(descriptor, "wb")
    if Path(path).is_file():
        os.fchmod(descriptor, MODE)
    return stream


def write(path: str | Path, content: bytes) -> None:
    """Writes a whole file. Raises OSError."""
    with open_to_write(path) as stream:
        stream.write(content)

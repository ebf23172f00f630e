"""Where the web processes of one `serve` count together: a folder in memory, and a place in it for each process."""

import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PREFIX = "metronome-bridge-"
LOCK = "lock"


@contextmanager
def shared_folder(place: Path | None) -> Iterator[Path]:
    """A new folder in `place`, which is removed at the end, with those that processes left behind that were killed."""
    place = place or Path(tempfile.gettempdir())
    owner = os.getpid()
    remove_abandoned(place)
    # It gets its name when it is locked: else a process that starts at the same time would take it for abandoned.
    made = Path(tempfile.mkdtemp(prefix=".", dir=place))
    with (made / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = made.rename(place / f"{PREFIX}{owner}{made.name}")
        try:
            yield folder
        finally:
            # The processes that are forked meanwhile end here too.
            if os.getpid() == owner:
                shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


def assign_slot(server: Any, worker: Any) -> None:
    """gunicorn's `pre_fork`: the lowest number that none of the living processes has."""
    used = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(number for number in itertools.count() if number not in used)

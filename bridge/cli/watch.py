"""Run something again whenever one of a few files is saved."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL_SECONDS = 0.3


def watch(paths: Sequence[Path], run: Callable[[], object], sleep: Callable[[float], object] = time.sleep) -> None:
    """Until Ctrl-C. A file that was just replaced, or is written bit by bit, is waited for until it stays the same."""
    shown: list[bytes | None] | None = None
    before = contents(paths)
    try:
        while True:
            now = contents(paths)
            if before == now != shown:
                shown = now
                run()
            before = now
            sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return


def contents(paths: Sequence[Path]) -> list[bytes | None]:
    """Not times and sizes: a replaced file may have those of the one before it. None: it cannot be read."""
    return [content(path) for path in paths]


def content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None

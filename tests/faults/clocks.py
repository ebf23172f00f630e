"""The bridge on a machine whose clock is wrong: python -m tests.faults.clocks COMMAND...

The file CLOCK_OFFSET says by how many microseconds.
"""

import os
from pathlib import Path

from bridge import bootstrap

OFFSET = "CLOCK_OFFSET"
right = bootstrap.now


def wrong() -> int:
    return right() + int(Path(os.environ[OFFSET]).read_text())


if __name__ == "__main__":
    # Before anything takes it from there.
    bootstrap.now = wrong
    from bridge.cli import main

    main()

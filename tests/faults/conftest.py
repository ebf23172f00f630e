import os

import pytest

from tests.support.processes import ending
from tests.support.world import World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    with ending(made.processes):
        yield made


@pytest.fixture(scope="session")
def size():
    """How much a fault test takes on: a little at home, ten times as much in CI."""
    return 10 if os.environ.get("CI") else 1

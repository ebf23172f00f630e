import pytest
import requests

from tests.support.processes import ending
from tests.support.stripe_events import signed
from tests.support.world import World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    with ending(made.processes):
        yield made


@pytest.fixture
def sqlite_world(tmp_path, sqlite_template):
    """The same on SQLite alone, for what does not depend on the database."""
    path = tmp_path / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    made = World(tmp_path, f"sqlite:///{path}")
    with ending(made.processes):
        yield made


def post(url, event, **given):
    return requests.post(f"{url}/webhooks/stripe", **signed(event), timeout=30, **given)

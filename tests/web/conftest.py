import pytest

from bridge.web.app import create_app
from tests.support.bridges import build


@pytest.fixture
def make_client(tmp_path, database_url):
    """A Flask test client around a bridge with the given mapping files and settings."""
    made = []

    def make(mappings=None, **environ):
        bridge = build(tmp_path, database_url, mappings, **environ)
        made.append(bridge)
        app = create_app(bridge)
        app.testing = False
        client = app.test_client()
        client.bridge = bridge
        return client

    yield make
    for bridge in made:
        bridge.close()


@pytest.fixture
def client(make_client):
    return make_client()

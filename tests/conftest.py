"""What every test may ask for: an environment without surprises, and a store on each of the two databases."""

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from bridge import logs
from bridge.store import Store, open_store
from bridge.times import HOUR
from tests.support.postgres import Cluster, NoPostgresError, cluster

ROOT = Path(__file__).parent.parent
PREFIXES = ("METRONOME_", "BRIDGE_", "STRIPE_", "HUBSPOT_", "SALESFORCE_")
NAMES = ("DATABASE_URL", "PORT", "WEB_CONCURRENCY")

#: The address of a PostgreSQL that tests may create databases in.
POSTGRES = os.environ.get("BRIDGE_TEST_POSTGRES")

for name in [name for name in os.environ if name.startswith(PREFIXES) or name in NAMES]:
    del os.environ[name]
logs.configure("text", "error")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs so, and whatever they start inherits it: nobody could send it Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def missing(what: str) -> None:
    """Skips at home, fails where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: CI must have it")
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server, without a database."""
    if POSTGRES:
        yield POSTGRES
        return
    try:
        with cluster(durable=False) as made:
            yield made.address
    except NoPostgresError as error:
        missing(f"no PostgreSQL: {error}")


@pytest.fixture
def own_postgres() -> Iterator[Cluster]:
    """A server that the test may stop and kill."""
    try:
        with cluster(durable=True) as made:
            yield made
    except NoPostgresError as error:
        missing(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """A database with our tables, to be copied."""
    name = f"bridge_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    store = open_store(f"postgresql+psycopg{postgres.removeprefix('postgresql')}/{name}", 2, HOUR)
    store.upgrade()
    store.close()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "bridge.db"
    store = open_store(f"sqlite:///{path}", 2, HOUR)
    store.upgrade()
    store.close()
    return path


@contextmanager
def made_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of an empty database with our tables, of the kind that the fixture's parameter says."""
    if request.param == "sqlite":
        path = folder / "bridge.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
    name = f"bridge_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database with our tables, on each of the two databases in turn."""
    with made_database(request, tmp_path) as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    opened = open_store(url, 8, HOUR)
    yield opened
    opened.close()

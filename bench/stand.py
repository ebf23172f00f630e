"""What is measured: the bridge as its users run it, on an empty database, and the same without a memory."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests
from sqlalchemy.engine import make_url

from bench.load import SECRET
from bridge import bootstrap, settings
from bridge.cli.stage import free_port, running

MAPPING = """
sender: stripe
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules:
  - name: profile
    events: [customer.updated]
    entity: customer
    id: data.object.metadata.metronome_customer_id
    fields:
      name: data.object.name
      tier: lower(data.object.metadata.tier)
      revision: data.object.metadata.revision
"""
#: The modules that can be started: the bridge, and the bridge that stores nothing.
BRIDGE, FORGETFUL = "bridge", "bench.forgetful"


@dataclass(frozen=True, slots=True)
class Stand:
    port: int
    sandbox: str

    def dump(self) -> dict[str, Any]:
        return dict(requests.get(f"{self.sandbox}/sandbox", timeout=30).json())

    def play(self, faults: dict[str, Any]) -> None:
        """Switch faults of Metronome on or off."""
        requests.post(f"{self.sandbox}/sandbox", json={"faults": faults}, timeout=30).raise_for_status()

    def revisions(self) -> dict[str, int]:
        """What Metronome holds, by customer."""
        return {one["entity_id"]: int(one["custom_fields"]["revision"]) for one in self.dump()["values"]}


@contextmanager
def stand(
    database: str | None, *, module: str = BRIDGE, sandbox: tuple[str, ...] = (), **given: str
) -> Iterator[Stand]:
    """`database`: a PostgreSQL server on which a database may be made and dropped; None is a SQLite file."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metronome-bridge-bench-")))
        (place / "stripe.yaml").write_text(MAPPING)
        port, sandbox_port = free_port(), free_port()
        environ = os.environ | {
            "DATABASE_URL": stack.enter_context(empty_database(database, place)),
            "BRIDGE_MAPPINGS": str(place),
            "BRIDGE_LOG_LEVEL": "warning",
            "METRONOME_BASE_URL": f"http://127.0.0.1:{sandbox_port}",
            "METRONOME_API_TOKEN": "bench",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "PORT": str(port),
            **given,
        }
        prepare(environ)
        url = environ["METRONOME_BASE_URL"]
        start = ["sandbox", "--port", str(sandbox_port), *sandbox]
        stack.enter_context(running(start, environ, f"{url}/sandbox"))
        stack.enter_context(running(["serve"], environ, f"http://127.0.0.1:{port}/healthz", module=module))
        yield Stand(port, url)


def prepare(environ: Mapping[str, str]) -> None:
    store = bootstrap.build_store(settings.load(environ))
    store.upgrade()
    store.close()


@contextmanager
def empty_database(server: str | None, place: Path, name: str = "bench") -> Iterator[str]:
    if server is None:
        yield f"sqlite:///{place}/bridge.db"
        return
    name = f"metronome_bridge_{name}_{os.getpid()}"
    url = make_url(server).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

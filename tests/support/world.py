"""The bridge as its users run it: real processes, a sandbox for Metronome, and a database."""

import os
from contextlib import contextmanager
from pathlib import Path

import requests

from bridge.store import open_store
from bridge.times import HOUR
from tests.support.bridges import STRIPE
from tests.support.postgres import free_port
from tests.support.processes import Process, answers, ours, until
from tests.support.stripe_events import SECRET

ROOT = Path(__file__).parent.parent.parent


class World:
    """A sandbox, a database and as many processes of the bridge as a test starts."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        mappings = folder / "mappings"
        mappings.mkdir()
        (mappings / "stripe.yaml").write_text(STRIPE)
        known = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self.environ = known | {
            "DATABASE_URL": database_url,
            "BRIDGE_MAPPINGS": str(mappings),
            "METRONOME_API_TOKEN": "token-of-the-test",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "WEB_CONCURRENCY": "1",
            "PYTHONPATH": str(ROOT),
        }

    def run(self, command, **environ):
        process = Process(command, self.environ | environ, self.folder)
        self.processes.append(process)
        return process

    def sandbox(self, *arguments):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = self.run(ours("sandbox", "--port", str(port), "--token", "token-of-the-test", *arguments))
        answers(f"{url}/sandbox", process)
        self.environ["METRONOME_BASE_URL"] = url
        return url

    def serve(self, command=None, **environ):
        """A running bridge: its process and its URL."""
        port = environ.setdefault("PORT", str(free_port()))
        process = self.run(command or ours("serve"), **environ)
        answers(f"http://127.0.0.1:{port}/readyz", process)
        return process, f"http://127.0.0.1:{port}"

    @contextmanager
    def store(self):
        """The bridge's own memory, to look into."""
        url = self.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        opened = open_store(url, 2, HOUR)
        yield opened
        opened.close()

    def dump(self):
        return requests.get(f"{self.environ['METRONOME_BASE_URL']}/sandbox", timeout=10).json()

    def control(self, **body):
        assert requests.post(f"{self.environ['METRONOME_BASE_URL']}/sandbox", json=body, timeout=10).ok

    def held(self, entity_id):
        """What the sandbox holds for an entity."""
        found = [one["custom_fields"] for one in self.dump()["values"] if one["entity_id"] == entity_id]
        return found[0] if found else {}

    def wait_for(self, entity_id, expected, process=None):
        def arrived():
            return self.held(entity_id) == expected

        until(arrived, process)

    def settled(self, expected, process=None):
        """Returns when every entity holds what is expected of it, and nothing is left to do."""

        def arrived():
            values = {one["entity_id"]: one["custom_fields"] for one in self.dump()["values"]}
            return {one: values.get(one) for one in expected} == expected

        until(arrived, process)
        with self.store() as store:

            def done():
                counts = store.changes.counts()
                return not (store.events.counts()["received"] or counts["pending"] or counts["parked"])

            until(done, process)

    def regressions(self, key="tier"):
        """Accepted calls that put an older value over a newer one: values of `key` are numbers that rise with time."""
        newest, older = {}, []
        for call in self.dump()["calls"]:
            if call["status"] == 200 and key in call.get("custom_fields", {}):
                value = int(call["custom_fields"][key])
                if value < newest.get(call["entity_id"], value):
                    older.append(call)
                newest[call["entity_id"]] = max(value, newest.get(call["entity_id"], value))
        return older

"""The sandbox over HTTP, in a thread of the test: a real API for commands that run in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from werkzeug.serving import make_server

from bridge.bootstrap import now
from bridge.metronome.sandbox import create_sandbox
from bridge.metronome.world import World

TOKEN = "token-of-the-test"


@dataclass(frozen=True)
class Served:
    url: str
    world: World

    @property
    def environ(self) -> dict[str, str]:
        return {"METRONOME_BASE_URL": self.url, "METRONOME_API_TOKEN": TOKEN}

    def called(self, path: str) -> list[dict]:
        """The calls that were made to a path, whatever came of them."""
        return [call for call in self.world.calls if call["call"].split(" ")[1].partition("?")[0] == path]


@contextmanager
def serving_sandbox() -> Iterator[Served]:
    world = World()
    server = make_server("127.0.0.1", 0, create_sandbox(world, clock=now, token=TOKEN), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}", world)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

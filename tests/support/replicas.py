"""Many replicas on one database: web processes behind a load balancer, workers, and a load that does not end."""

import threading
from typing import Any, Self

from tests.support import nginx
from tests.support.postgres import free_port
from tests.support.processes import Process, answers, ours, until
from tests.support.sending import Sender, story
from tests.support.world import World

#: So that the leases of whoever is killed or paused end after a few seconds.
QUICK = {"METRONOME_TIMEOUT_SECONDS": "1.5", "METRONOME_CONNECT_TIMEOUT_SECONDS": "0.5"}


class Replicas:
    """The load balancer knows `places` for web processes; whichever run take webhooks. Workers deliver."""

    def __init__(self, world: World, *, places: int = 3, **environ: str) -> None:
        self.world = world
        self.environ = QUICK | environ
        self.ports = [free_port() for _ in range(places)]
        self.webs: dict[int, Process] = {}
        self.workers: list[Process] = []
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.balancer = world.run(nginx.command(world.folder / "nginx", port, self.ports))

    def start(self, *, webs: int, workers: int) -> "Replicas":
        for place in range(webs):
            self.begin_web(place)
        for _ in range(workers):
            self.add_worker()
        for place in range(webs):
            self.ready(place)
        answers(f"{self.url}/webhooks/stripe", self.balancer)
        return self

    def begin_web(self, place: int, **environ: str) -> None:
        given = self.environ | {"BRIDGE_DELIVERY": "off", "PORT": str(self.ports[place])} | environ
        self.webs[place] = self.world.run(ours("serve"), **given)

    def ready(self, place: int) -> None:
        answers(f"http://127.0.0.1:{self.ports[place]}/readyz", self.webs[place])

    def add_web(self, place: int, **environ: str) -> None:
        """Returns when it takes webhooks."""
        self.begin_web(place, **environ)
        self.ready(place)

    def add_worker(self, **environ: str) -> Process:
        self.workers.append(self.world.run(ours("worker"), **self.environ | environ))
        return self.workers[-1]


class Load:
    """Stories told one after the other for as long as the block runs. When it ends, all of them are acknowledged."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.senders: list[Sender] = []
        self.expected: dict[str, Any] = {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self.stopping.set()
        for sender in self.senders if error else ():
            sender.stop()
        self.thread.join()

    def run(self) -> None:
        while not self.stopping.is_set():
            told = story(customers=6, steps=6)
            self.expected |= told.expected
            self.senders.append(Sender(self.url, told.events, connections=2).start())
            self.senders[-1].finish()

    @property
    def acknowledged(self) -> list[str]:
        """The ids of events, as often as they were acknowledged."""
        return [event["id"] for sender in list(self.senders) for event in list(sender.acknowledged)]

    @property
    def refusals(self) -> list[int | None]:
        return [status for sender in self.senders for status in sender.refusals]

    def goes_on(self, events: int = 40) -> None:
        """Returns when so many more events are acknowledged."""
        enough = len(self.acknowledged) + events

        def acknowledged() -> bool:
            return len(self.acknowledged) >= enough

        until(acknowledged)

"""Watches the mapping files of a running process, and has changed ones take the place of those in use."""

import math
import threading
from collections.abc import Callable, Collection

import structlog

from bridge.errors import StoreError
from bridge.mapping.live import Folder, Live, News, What
from bridge.pipeline import redo
from bridge.pipeline.translate import no_mapping
from bridge.store import Store
from bridge.supervisor import Supervisor
from bridge.times import to_iso

log = structlog.get_logger()

#: How long to wait at a time, so that the heartbeat of a thread with nothing to do goes on.
LONGEST_PAUSE_SECONDS = 30.0
#: Events that are taken up again in one go.
STEP = 1000


class Reloader:
    """Looks every `every_seconds`, and when asked. A source whose file is gone stops after `grace` microseconds."""

    def __init__(
        self,
        live: Live,
        folder: Folder,
        *,
        clock: Callable[[], int],
        every_seconds: float,
        grace: int,
        adopt: Callable[[Collection[str]], object],
        supervisor: Supervisor | None = None,
    ) -> None:
        """`adopt` is told of sources that this process did not know before."""
        self.live = live
        self.folder = folder
        self.clock = clock
        self.every_seconds = every_seconds
        self.grace = grace
        self.adopt = adopt
        self.supervisor = supervisor or Supervisor()
        self.unreadable = False
        self.asked = threading.Event()
        self.stopping = threading.Event()

    def start(self) -> None:
        self.supervisor.start("reloader", self.run, self.stopping, longest_pause=LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        self.stopping.set()
        self.asked.set()

    def ask(self) -> None:
        """Look now: for a signal's handler."""
        self.asked.set()

    def run(self) -> None:
        self.take_up(list(self.live.sources))
        while not self.stopping.is_set():
            at_once = self.wait()
            self.asked.clear()
            self.look(at_once=at_once)

    def wait(self) -> bool:
        """Returns when it is time to look: whether because it was asked to. Without an interval only that counts."""
        left = self.every_seconds or math.inf
        while left > 0:
            if self.supervisor.wait(self.asked, min(left, LONGEST_PAUSE_SECONDS)):
                return True
            left -= LONGEST_PAUSE_SECONDS
        return False

    def look(self, *, at_once: bool = False) -> None:
        now = self.clock()
        told = self.live.expire(now)
        try:
            loaded = self.folder.news(at_once=at_once)
            self.unreadable = False
            told += self.live.take(loaded, now, self.grace) if loaded else []
        except OSError as error:
            self.say_unreadable(error)
        except Exception:
            log.exception("mappings could not be looked at: those in use stay")
        for one in told:
            say(one)
        if added := [one.source for one in told if one.what is What.ADDED]:
            self.take_up(added)

    def take_up(self, sources: Collection[str]) -> None:
        try:
            self.adopt(sources)
        except StoreError as error:
            log.warning("store unavailable", error=str(error))
        except Exception:
            log.exception("events could not be taken up")

    def say_unreadable(self, error: OSError) -> None:
        if not self.unreadable:
            reason = error.strerror or type(error).__name__
            log.error("mappings unreadable: those in use stay", folder=str(self.folder.path), error=reason)
        self.unreadable = True


def say(news: News) -> None:
    facts = {"source": news.source, "digest": news.digest}
    if news.what is What.REFUSED:
        log.error("mapping refused", **facts, problems=news.problems)
    elif news.what is What.LEAVING:
        log.warning("mapping file gone: its source stops", **facts, until=to_iso(news.until or 0))
    elif news.what is What.STOPPED:
        log.warning("source stopped: it has no mapping file", source=news.source)
    else:
        log.info("mapping taken up", what=news.what, **facts)


def adopt(store: Store, sources: Collection[str], beat: Callable[[], None] = lambda: None) -> int:
    """Take up events that failed because whoever translated them did not know their source yet. How many.

    One pass: another process may not know it even now, and takes them up when it does.
    """
    taken = 0
    for source in sources:
        last = 0
        while numbers := store.events.failed_for(source, no_mapping(source), last, STEP):
            beat()
            taken += redo.replay(store, numbers)
            last = numbers[-1]
    if taken:
        log.info("events taken up again", events=taken)
    return taken

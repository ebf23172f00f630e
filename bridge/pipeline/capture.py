"""Keeps what was refused while a source is being set up, and says what is wrong with it."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import structlog

from bridge.mapping.rules import Source
from bridge.model import Capture, Request
from bridge.pipeline.diagnose import Case, diagnose
from bridge.pipeline.redact import redact
from bridge.store.captures import Captures
from bridge.times import HOUR, SECOND

log = structlog.get_logger()

#: How much of a body is kept.
MAX_BODY_BYTES = 64 << 10
MAX_REASON_LENGTH = 500
#: How much more is read, so that a secret which the end cuts in two is still seen.
MARGIN_BYTES = 1 << 10
#: How long the database is left alone once there is no more room, or no more time.
REST = 10 * SECOND
#: How often requests of one source are diagnosed and kept: they are not verified, and each costs some of a
#: processor. So many at once, and then one in so long.
BURST = 5
INTERVAL = 2 * SECOND


class Known(Protocol):
    """Whoever knows all sources as they are now."""

    @property
    def sources(self) -> Mapping[str, Source]: ...


class Capturer:
    def __init__(self, captures: Captures, known: Known) -> None:
        self.captures = captures
        self.known = known
        #: Until when not to look again, and what was seen: whether the source still captures.
        self._seen: dict[tuple[str, str], tuple[int, bool]] = {}
        #: By source: until when its turns are taken (GCRA: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def capture(self, source: Source, request: Request, reason: str, now: int) -> bool:
        """Keep it if the mapping file says so and there is room. Whether the source still captures."""
        if source.capture is None:
            return False
        which = (source.name, source.digest)
        until, captures = self._seen.get(which, (0, False))
        if now < until or not self.has_turn(source.name, now):
            return captures
        captures = now < self.captures.began(*which, now) + source.capture.hours * HOUR
        is_kept = captures and self.keep(source, request, reason, now)
        self._seen[which] = (0 if is_kept else now + REST, captures)
        return captures

    def has_turn(self, source: str, now: int) -> bool:
        with self._lock:
            taken = max(self._taken.get(source, 0), now)
            if taken - now > (BURST - 1) * INTERVAL:
                return False
            self._taken[source] = taken + INTERVAL
            return True

    def keep(self, source: Source, request: Request, reason: str, now: int) -> bool:
        most = source.capture.requests if source.capture else 0
        if self.captures.is_full(source.name, most):
            return False
        sources = self.known.sources
        findings = diagnose(Case(source, request, now, sources))
        log.warning("captured", source=source.name, reason=reason, findings=findings)
        every = [secret for one in sources.values() for secret in one.secrets]
        begun = replace(request, body=request.body[: MAX_BODY_BYTES + MARGIN_BYTES])
        redacted = redact(begun, every, source.sender.secret_places)
        kept = Request(redacted.method, redacted.target, redacted.headers, redacted.body[:MAX_BODY_BYTES])
        capture = Capture(
            source=source.name,
            received_at=now,
            reason=reason[:MAX_REASON_LENGTH],
            findings=findings,
            request=kept,
            is_whole=kept.body == request.body,
        )
        return self.captures.add(capture, most)

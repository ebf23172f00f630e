"""Keeps what was refused while a source is being set up, and says what is wrong with it."""

from collections.abc import Mapping
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
#: How long the database is left alone once there is no more room, or no more time.
REST = 10 * SECOND


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

    def capture(self, source: Source, request: Request, reason: str, now: int) -> bool:
        """Keep it if the mapping file says so and there is room. Whether the source still captures."""
        if source.capture is None:
            return False
        which = (source.name, source.digest)
        until, captures = self._seen.get(which, (0, False))
        if now < until:
            return captures
        captures = now < self.captures.began(*which, now) + source.capture.hours * HOUR
        if not captures or not self.keep(source, request, reason, now):
            self._seen[which] = (now + REST, captures)
        return captures

    def keep(self, source: Source, request: Request, reason: str, now: int) -> bool:
        sources = self.known.sources
        findings = diagnose(Case(source, request, now, sources))
        log.warning("captured", source=source.name, reason=reason, findings=findings)
        every = [secret for one in sources.values() for secret in one.secrets]
        redacted = redact(request, every)
        kept = Request(redacted.method, redacted.target, redacted.headers, redacted.body[:MAX_BODY_BYTES])
        capture = Capture(
            source=source.name,
            received_at=now,
            reason=reason[:MAX_REASON_LENGTH],
            findings=findings,
            request=kept,
            is_whole=kept.body == request.body,
        )
        return self.captures.add(capture, source.capture.requests if source.capture else 0)

"""What is done about times that lie in the future: they would win over everything until then. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.errors import RuleError
from bridge.times import DAY, HOUR, MINUTE, SECOND


class FutureAction(StrEnum):
    """What becomes of a change whose time lies in the future."""

    DATE_BY_RECEIPT = "date_by_receipt"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class FutureEvents:
    #: How far a sender's clock may be ahead of ours, in microseconds.
    tolerance: int = 5 * MINUTE
    action: FutureAction = FutureAction.DATE_BY_RECEIPT

    def is_ahead(self, time: int, now: int) -> bool:
        return time > now + self.tolerance


@dataclass(frozen=True, slots=True)
class Limit:
    """No change of an event is dated later than its receipt and the tolerance."""

    received_at: int
    future: FutureEvents

    def dated(self, time: int, what: str) -> tuple[int, int]:
        """Returns the time that counts, and how far the given one lay ahead if it does not. Raises RuleError."""
        if not self.future.is_ahead(time, self.received_at):
            return time, 0
        ahead = time - self.received_at
        if self.future.action is FutureAction.FAIL:
            raise RuleError(f"{what} lies {span(ahead)} in the future, and would win over everything until then")
        return self.received_at, ahead


def span(micros: int) -> str:
    """`42 days`, rounded down."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")):
        if number := micros // unit:
            return f"{number:,} {name}{'' if number == 1 else 's'}"
    return "less than a second"

"""What holds back calls to Metronome, as frozen values: one gate for all calls, and one for each endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.times import MINUTE


class Endpoint(StrEnum):
    """The calls of Metronome's API that delivery makes. Each has a circuit breaker of its own."""

    SET_VALUES = "setValues"
    DELETE_VALUES = "deleteValues"
    CUSTOMERS = "customers"
    CONTRACTS = "contracts"

    @property
    def call(self) -> str:
        """The method and path, as Metronome's documentation and its permissions name them."""
        return CALLS[self]


CALLS = {
    Endpoint.SET_VALUES: "POST /v1/customFields/setValues",
    Endpoint.DELETE_VALUES: "POST /v1/customFields/deleteValues",
    Endpoint.CUSTOMERS: "GET /v1/customers",
    Endpoint.CONTRACTS: "POST /v2/contracts/list",
}


class Cause(StrEnum):
    """Why the gate is not wide open."""

    LIMITED = "limited"
    OUTAGE = "outage"
    UNAUTHORIZED = "token refused"
    FORBIDDEN = "permission missing"


#: No gate stays closed for longer before it lets a probe through, whatever Metronome asks for (microseconds).
LONGEST_CLOSED = MINUTE


@dataclass(frozen=True, slots=True)
class GateState:
    """How many calls to Metronome may be made, for all replicas: see `pipeline.gate`."""

    #: No calls before this time (microseconds).
    closed_until: int = 0
    cause: Cause | None = None
    reason: str | None = None
    #: How often it closed since it was wide open.
    closings: int = 0
    #: Calls that may be under way at a time. 0: any number, wide open.
    width: int = 0
    in_flight: int = 0
    #: When places that were never given back are free again.
    permits_end: int = 0
    widened_at: int = 0
    #: Where the line of calls ends that the budget has paid for.
    next_call_at: int = 0

    def is_open(self, now: int) -> bool:
        """True if calls may be made. A wait that no closing can ask for comes from a clock that was wrong: ignored."""
        return not now < self.closed_until <= now + LONGEST_CLOSED

    @property
    def is_wide_open(self) -> bool:
        return self.width == 0


@dataclass(frozen=True, slots=True)
class Gates:
    """The gate for all calls, and those of single endpoints. An endpoint that is not named is wide open."""

    all: GateState = GateState()
    endpoints: Mapping[Endpoint, GateState] = field(default_factory=dict)

    def opens_at(self, endpoint: Endpoint, now: int) -> int:
        """When calls of this endpoint may be made again, in microseconds: `now` if they may be made at once."""
        closed = (state for state in (self.all, self.endpoints.get(endpoint)) if state and not state.is_open(now))
        return max((state.closed_until for state in closed), default=now)

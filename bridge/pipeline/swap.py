"""Entities that hold each other's unique values: A wants what B has, and B what A has.

Metronome takes neither of the two values while the other entity holds it. So the value of one entity is deleted, and
then each of the others gets what has become free, one after the other. The lease of all of them is held meanwhile.

A stop half-way leaves nothing deleted: before the deletion the key is marked as doubted, which has the next delivery
write its old value again unless a newer one is accepted.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from bridge.model import Field
from bridge.pipeline.delivery import Delivery
from bridge.pipeline.retry import Decision, Next
from bridge.store.conflicts import Conflicts, Rival
from bridge.store.entities import Claim, Doubt, Entities

log = structlog.get_logger()

#: So many entities take part in a swap at most.
LONGEST_CYCLE = 8


class Deliverer(Protocol):
    """What a swap needs of `pipeline.deliver`."""

    call_budget: int

    def deliver_alone(self, claim: Claim, *, is_paid: bool) -> Delivery: ...

    def make(self, delivery: Delivery, wanted: dict[str, Field]) -> Decision: ...


class Swapper:
    def __init__(
        self, entities: Entities, conflicts: Conflicts, *, clock: Callable[[], int], new_lease: Callable[[], str]
    ) -> None:
        self.entities = entities
        self.conflicts = conflicts
        self.clock = clock
        self.new_lease = new_lease

    def swap(self, deliverer: Deliverer, entity: str, entity_id: str, key: str) -> bool:
        """Let entities that wait for each other's value of `key` have them. Returns whether there was anything to do.

        Nothing is done unless all of them are free to be leased: one that is being delivered tries by itself later.
        """
        members = cycle(self.conflicts.rivals(entity, key), entity_id)
        if not members:
            return False
        # The doubt before the lease, so that the lease knows of it and a delivery under it settles it.
        self.entities.doubt([Doubt(entity, entity_id, (key,), self.clock())])
        now = self.clock()
        until = now + (2 * len(members) + 2) * deliverer.call_budget
        claims = self.conflicts.claim(entity, members, self.new_lease(), now, until)
        if not claims:
            return False
        log.info("swap", entity=entity, entity_ids=members, key=key)
        if self.give_up(deliverer, claims[0], key):
            self.conflicts.try_now(entity, members, key)
            # The one whose wish has just become free is the last of the cycle.
            for claim in reversed(claims):
                deliverer.deliver_alone(claim, is_paid=False)
            return True
        for claim in claims:
            self.entities.release(claim)
        return False

    def give_up(self, deliverer: Deliverer, claim: Claim, key: str) -> bool:
        """Delete the value of one entity in Metronome. What is known of it stays, marked as doubted."""
        known = self.entities.fields_of(claim.entity, claim.entity_id)
        delivery = Delivery(claim, (), dict(known), is_paid=False)
        decision = deliverer.make(delivery, {key: Field(None, known[key].stamp)})
        self.entities.note(claim, delivery.attempts)
        return decision.next is Next.DONE


def cycle(rivals: Sequence[Rival], first: str) -> list[str]:
    """The entities from `first` on, each of which waits for what the next one holds, and the last for what it holds.

    Empty if there is no such cycle, or if it is too long.
    """
    wanted = {rival.entity_id: rival.wanted for rival in rivals}
    holder = {rival.held: rival.entity_id for rival in rivals if rival.held is not None}
    members, at = [first], holder.get(wanted.get(first, ""))
    while at is not None and at != first and at not in members and len(members) < LONGEST_CYCLE:
        members.append(at)
        at = holder.get(wanted[at])
    return members if at == first and len(members) > 1 else []

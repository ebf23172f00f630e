"""What becomes of the changes whose keys Metronome does not take: refused, or parked until it may."""

from collections.abc import Sequence

from bridge.model import ChangeState, StoredChange, Wait
from bridge.pipeline.delivery import Delivery
from bridge.pipeline.isolate import Search, Units
from bridge.pipeline.retry import PERMISSION, UNKNOWN, Decision, Next, missing
from bridge.store.conflicts import ANY_KEY
from bridge.store.entities import Mark
from bridge.store.isolation import Keys
from bridge.times import HOUR, MINUTE

#: The shortest and the longest wait, by what a change waits for. In between it waits for as long as it is old.
WAITS = {
    Next.GIVE_UP: (MINUTE, HOUR),
    Next.CONFLICT: (UNKNOWN.first, UNKNOWN.longest),
    Next.BLOCK: (PERMISSION.first, PERMISSION.longest),
}


class Blame:
    """Collects what is to blame in one delivery, and marks the changes at the end of each round."""

    def __init__(self, delivery: Delivery, search: Search, *, now: int, park_for: int) -> None:
        self.delivery = delivery
        self.search = search
        self.now = now
        self.park_for = park_for
        #: Change -> the keys of it that were refused, and what came of that.
        self.bad: dict[int, dict[str, Decision]] = {}
        #: Keys that are not sent any more in this round.
        self.keys: set[str] = set()
        #: Keys of which no value is sent any more, and why.
        self.shut: dict[str, Decision] = {}

    @property
    def is_new(self) -> bool:
        return bool(self.bad)

    def on(self, keys: Keys, units: Units, decision: Decision) -> None:
        """These keys are not taken."""
        if decision.next is Next.GIVE_UP:
            self.search.suspect(keys, decision.reason)
            self.shut.update({key: decision for key in keys if self.search.is_shut(key)})
        whole = {units[key].id for key in keys if not units[key].partial}
        for key in keys:
            self.bad.setdefault(units[key].id, {})[key] = decision
        self.keys.update(keys, (key for key, change in units.items() if change.id in whole))

    def skips(self, key: str) -> bool:
        """True if this key is not to be sent now."""
        return key in self.keys or key in self.shut

    def take(self, changes: Sequence[StoredChange]) -> list[StoredChange]:
        """Mark what is to blame, at the end of a round. Returns the changes that are left for the next one."""
        bad, self.bad, self.keys = self.bad, {}, set()
        for change in changes:
            if change.id in bad:
                self.mark(change, bad[change.id])
            elif not change.partial and (shut := {key: self.shut[key] for key in change.values if key in self.shut}):
                self.mark(change, shut, "not sent, like other values of this key: ")
        return [change for change in changes if change.id not in self.delivery.states]

    def stop(self, changes: Sequence[StoredChange]) -> None:
        """The round ends early: changes that are refused as a whole are, the others go on with the next lease."""
        for change in changes:
            bad = self.bad.get(change.id)
            if bad and not change.partial:
                self.mark(change, bad)
            elif bad:
                self.search.todo.extend((key,) for key in bad)

    def close(self, changes: Sequence[StoredChange]) -> None:
        """All is delivered but the keys that are shut: `partial` changes wait with those."""
        for change in changes:
            if change.partial and (shut := {key: self.shut[key] for key in change.values if key in self.shut}):
                self.mark(change, shut)

    def mark(self, change: StoredChange, bad: dict[str, Decision], prefix: str = "") -> None:
        worst = min(bad.values(), key=lambda decision: list(WAITS).index(decision.next))
        reason = prefix + self.reason(change, bad)
        is_final = worst.next is Next.GIVE_UP and not change.partial
        is_too_old = worst.next is not Next.BLOCK and change.created_at < self.now - self.park_for
        if is_final or is_too_old:
            self.delivery.states[change.id] = Mark(ChangeState.REFUSED, reason)
            return
        shortest, longest = WAITS[worst.next]
        retry_at = self.now + min(max(self.now - change.created_at, shortest), longest)
        conflicts = [key for key, decision in bad.items() if decision.next is Next.CONFLICT]
        conflict = None if not conflicts else conflicts[0] if len(bad) == 1 else ANY_KEY
        self.delivery.states[change.id] = Mark(ChangeState.PARKED, reason, retry_at, conflict)
        self.delivery.conflicts.update(conflicts)
        if worst.next is Next.CONFLICT or worst.waits_for:
            self.delivery.wait_for(worst.waits_for or Wait.UNIQUE_VALUE, reason)

    def reason(self, change: StoredChange, bad: dict[str, Decision]) -> str:
        """Metronome's words, and which keys of the change it holds all the same."""
        words = [missing(one) if one.next is Next.BLOCK else one.reason for one in bad.values()]
        named = change.partial or (len(change.values) > 1 and len(bad) == 1)
        said = "; ".join(f"{key}: {word}" for key, word in zip(bad, words, strict=True)) if named else words[0]
        stands = [key for key in change.values if key not in bad and self.holds(change, key)]
        if change.partial or not stands:
            return said
        return f"{said}; Metronome holds these keys of it all the same: {', '.join(sorted(stands))}"

    def holds(self, change: StoredChange, key: str) -> bool:
        known = self.delivery.known.get(key)
        return known is not None and known.stamp.change == change.id

"""Which key does Metronome refuse? A binary search over the keys of a write. Pure.

The keys of one change stay together as long as possible: a change that is not `partial` is delivered as a whole or not
at all. Only when a second change with one of these keys is refused as well are its keys sent one by one, so that the
bad key is found and not every change that has it costs a call. About 2 log2 K calls find one bad key among K.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from bridge.model import StoredChange
from bridge.pipeline.fold import Fold
from bridge.store.isolation import Isolation, Keys

#: From so many refused values on, a key is refused whatever its value: changes that have it are not sent any more.
MOST_VALUES = 8
#: How Metronome says that a key is not on the allow-list of its entity: then no value of it is accepted.
INVALID_KEY = "invalid custom field key"

#: Each key of a write with the change that supplies its value.
Units = Mapping[str, StoredChange]


class Search:
    """The groups of keys that are still to be sent. It goes on where `isolation` says that an earlier lease stopped."""

    def __init__(self, isolation: Isolation) -> None:
        self.groups = isolation.groups
        #: Keys of changes that were refused as a whole, and how many values of them were refused alone.
        self.refused = dict(isolation.refused)
        self.todo: deque[Keys] = deque()
        self.is_under_way = bool(isolation)

    def begin(self, groups: Sequence[Keys]) -> None:
        self.todo, self.groups = deque(groups), ()

    def next(self) -> Keys | None:
        return self.todo.popleft() if self.todo else None

    def again(self, keys: Keys) -> None:
        """These were not sent, or not answered."""
        if keys:
            self.todo.appendleft(keys)

    def split(self, parts: Sequence[Keys]) -> None:
        self.is_under_way = True
        self.todo.extendleft(reversed(parts))

    def parts(self, keys: Keys, units: Units) -> tuple[Keys, ...]:
        """The two groups to try instead of one that was refused; none if it is to blame as it is."""
        changes = list(dict.fromkeys(units[key].id for key in keys))
        if len(changes) > 1:
            first = set(changes[: len(changes) // 2])
            return (
                tuple(key for key in keys if units[key].id in first),
                tuple(key for key in keys if units[key].id not in first),
            )
        change = units[keys[0]]
        if len(keys) > 1 and (change.partial or any(key in self.refused for key in change.values)):
            return keys[: len(keys) // 2], keys[len(keys) // 2 :]
        return ()

    def suspect(self, keys: Keys, reason: str) -> None:
        """These were refused together and nothing smaller can be sent."""
        if len(keys) > 1:
            self.refused = dict.fromkeys(keys, 0) | self.refused
            return
        every_value = INVALID_KEY in reason.lower()
        self.refused[keys[0]] = MOST_VALUES if every_value else self.refused.get(keys[0], 0) + 1

    def is_shut(self, key: str) -> bool:
        """True if no value of this key is worth a call any more."""
        return self.refused.get(key, 0) >= MOST_VALUES

    def state(self) -> Isolation:
        """What the next lease goes on from."""
        return Isolation(tuple(self.todo), self.refused) if self.is_under_way else Isolation()


def units_of(folded: Fold, changes: Sequence[StoredChange]) -> dict[str, StoredChange]:
    """Each key that a fold writes with the change that supplies its value, the keys of one change side by side."""
    by_id = {change.id: change for change in changes}
    keys = sorted(folded.written, key=lambda key: -folded.written[key].stamp.change)
    return {key: by_id[folded.written[key].stamp.change] for key in keys}


def groups_of(units: Units, remembered: Sequence[Keys]) -> list[Keys]:
    """What to send together: new keys, those that were refused some time ago, and the groups of an earlier lease."""
    known = {key for group in remembered for key in group}
    new = tuple(key for key in units if key not in known and units[key].retry_at is None)
    old = tuple(key for key in units if key not in known and units[key].retry_at is not None)
    groups = (new, old, *(tuple(key for key in group if key in units) for group in remembered))
    return [group for group in groups if group]

"""The custom field keys that mapping files set, beside those that Metronome allows. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bridge.mapping.documents import Problem
from bridge.mapping.rules import FieldRule, Rule, Source


class Key(NamedTuple):
    """A key of one kind of entity: each kind has an allow-list of its own."""

    entity: str
    name: str


class Origin(NamedTuple):
    """A rule that sets or removes a key."""

    source: str
    rule: str

    def __str__(self) -> str:
        return f"{self.source}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Declared:
    """What the mapping files say of a key."""

    #: Whether Metronome is to see to it that no two entities have the same value.
    unique: bool
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the mapping files declare, against what Metronome allows."""

    missing: Mapping[Key, Declared]
    #: Allowed, but Metronome sees to uniqueness where the files do not ask for it, or the other way round.
    differing: Mapping[Key, Declared]
    #: Allowed, and set by no rule: whether they are unique.
    unused: Mapping[Key, bool]
    #: How many keys are as declared.
    fitting: int


def fields_of(sources: Iterable[Source]) -> Iterator[tuple[Source, Rule, FieldRule]]:
    for source in sources:
        for rule in source.rules:
            yield from ((source, rule, field) for field in rule.fields)


def declared(sources: Iterable[Source]) -> Mapping[Key, Declared]:
    """Every key that some rule sets or removes. It is unique if a rule says so."""
    found: dict[Key, Declared] = {}
    for source, rule, field in fields_of(sources):
        key, origin = Key(rule.entity, field.key), Origin(source.name, rule.name)
        before = found.get(key, Declared(False, ()))
        found[key] = Declared(before.unique or bool(field.unique), (*before.origins, origin))
    return dict(sorted(found.items()))


def disagreements(sources: Iterable[Source]) -> Iterator[Problem]:
    """Rules that say of one key that it is unique, and that it is not: of two, the later is to blame."""
    said: dict[Key, tuple[bool, str]] = {}
    for source, rule, field in fields_of(sources):
        if field.unique is None:
            continue
        key, here = Key(rule.entity, field.key), f"{source.path}:{field.place[0]}"
        unique, there = said.setdefault(key, (field.unique, here))
        if unique != field.unique:
            yield Problem(
                source.path,
                *field.place,
                f"{key.name} of {key.entity} is {'' if field.unique else 'not '}unique here,"
                f" and {'' if unique else 'not '}unique in {there}: both must say the same",
                code="unique-disagrees",
            )


def compare(wanted: Mapping[Key, Declared], allowed: Mapping[Key, bool]) -> Plan:
    """`allowed`: what Metronome's allow-lists have, and whether it sees to uniqueness."""
    there = {key: one for key, one in wanted.items() if key in allowed}
    differing = {key: one for key, one in there.items() if allowed[key] != one.unique}
    return Plan(
        missing={key: one for key, one in wanted.items() if key not in allowed},
        differing=differing,
        unused={key: unique for key, unique in sorted(allowed.items()) if key not in wanted},
        fitting=len(there) - len(differing),
    )

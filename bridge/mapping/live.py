"""The mapping files in use, and how others take their place: whole, by content, and only if they can be used."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from bridge.errors import SettingError
from bridge.mapping import files
from bridge.mapping.compiler import Environ
from bridge.mapping.files import Mappings
from bridge.mapping.rules import Source


class What(StrEnum):
    """What has become of a source."""

    ADDED = "added"
    #: By another text of its file, by another secret, or because the file is back.
    CHANGED = "changed"
    #: Its file cannot be used; if an earlier text could, that goes on.
    REFUSED = "refused"
    #: Its file is gone; it goes on for a while.
    LEAVING = "leaving"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class News:
    what: What
    source: str
    #: Which text of its file is in use; None: none is.
    digest: str | None = None
    problems: tuple[str, ...] = ()
    #: When a source that is leaving stops.
    until: int | None = None


class Live:
    """The mappings in use. They are swapped as a whole: whoever took them goes on with what they took."""

    def __init__(self, mappings: Mappings) -> None:
        self.mappings = mappings

    @property
    def sources(self) -> Mapping[str, Source]:
        return self.mappings.sources

    def take(self, loaded: Mappings, now: int, grace: int) -> list[News]:
        """Use what was loaded. What cannot be used, and for `grace` what is gone, leaves the source as it was."""
        before = self.mappings
        self.mappings = merged(before, loaded, now, grace)
        return news(before, self.mappings)

    def expire(self, now: int) -> list[News]:
        """Stop sources whose files have been gone for long enough."""
        before = self.mappings
        over = {name for name, until in before.leaving.items() if until <= now}
        if not over:
            return []
        self.mappings = replace(
            before,
            sources=MappingProxyType({name: one for name, one in before.sources.items() if name not in over}),
            leaving={name: until for name, until in before.leaving.items() if name not in over},
        )
        return news(before, self.mappings)


def merged(before: Mappings, loaded: Mappings, now: int, grace: int) -> Mappings:
    """Where no file is left at all, a volume is more likely to be gone than all sources: then nothing leaves."""
    lost = {name: one for name, one in before.sources.items() if name not in loaded.sources}
    gone = {name for name in lost if loaded.named and name not in loaded.named}
    leaving = {name: before.leaving.get(name, now + grace) for name in gone}
    sources = MappingProxyType({**lost, **loaded.sources})
    return replace(loaded, sources=sources, leaving=leaving)


def news(before: Mappings, after: Mappings) -> list[News]:
    told: list[News] = []
    for name, source in after.sources.items():
        old = before.sources.get(name)
        if old is None:
            told.append(News(What.ADDED, name, source.digest))
        elif text_of(old) != text_of(source) or (name in before.leaving and name not in after.leaving):
            told.append(News(What.CHANGED, name, source.digest))
    for name, problems in after.refused.items():
        if problems != before.refused.get(name):
            digest = after.sources[name].digest if name in after.sources else None
            told.append(News(What.REFUSED, name, digest, tuple(map(str, problems))))
    for name, until in after.leaving.items():
        if name not in before.leaving:
            told.append(News(What.LEAVING, name, after.sources[name].digest, until=until))
    told += [News(What.STOPPED, name) for name in before.sources if name not in after.sources]
    return told


def text_of(source: Source) -> tuple[object, ...]:
    """What a source was made of."""
    return source.digest, source.secrets, source.unset


class Variables:
    """The environment, and which of its names were asked for: secrets in mounted files may change too."""

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self.names: set[str] = set()

    def __call__(self, name: str) -> str | None:
        self.names.add(name)
        return self.environ(name)

    def fingerprint(self) -> str:
        return hashlib.sha256("\n".join(map(self.state, sorted(self.names))).encode()).hexdigest()

    def state(self, name: str) -> str:
        try:
            return f"{name}={self.environ(name)!r}"
        except SettingError:
            return f"{name} cannot be read"


class Folder:
    """A folder of mapping files that somebody may write to at any time."""

    def __init__(self, path: Path, environ: Environ, *, read: Callable[[Path], str] = files.fingerprint) -> None:
        self.path = path
        self.variables = Variables(environ)
        self.read = read
        self.seen: tuple[str, str] | None = None
        self.taken: tuple[str, str] | None = None

    def load(self) -> Mappings:
        """As it is now."""
        loaded = files.load(self.path, self.variables)
        with suppress(OSError):
            self.taken = self.seen = self.fingerprint()
        return loaded

    def news(self, *, at_once: bool = False) -> Mappings | None:
        """What is new, once two looks in a row have seen the same: it may be half written. `at_once`: one is enough.

        Raises OSError.
        """
        seen = self.fingerprint()
        if seen == self.taken:
            return None
        settled = seen == self.seen or at_once
        self.seen = seen
        if not settled:
            return None
        loaded = files.load(self.path, self.variables)
        after = self.fingerprint()
        if after[0] != seen[0]:
            return None
        self.taken = self.seen = after
        return loaded

    def fingerprint(self) -> tuple[str, str]:
        """Of the files, and of the variables that they name."""
        return self.read(self.path), self.variables.fingerprint()

"""A folder of mapping files -> Mappings. The file's name is the source's name."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bridge.mapping import examples, keys
from bridge.mapping.compiler import Environ, compile_source
from bridge.mapping.documents import Problem
from bridge.mapping.rules import Source

SUFFIXES = (".yaml", ".yml")
#: What mapping files may refer to.
TABLES = (".csv",)
#: What a file may be called: it becomes part of the URL.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Mappings:
    """Every source that can work, by its name, and everything that is wrong."""

    sources: Mapping[str, Source]
    problems: tuple[Problem, ...]
    #: Sources that have a file, whether it can be used or not.
    named: frozenset[str] = frozenset()
    #: Sources whose file is gone, and when they stop, in microseconds.
    leaving: Mapping[str, int] = field(default_factory=dict)

    @property
    def closed(self) -> tuple[Source, ...]:
        """Those whose secrets are not set."""
        return tuple(source for source in self.sources.values() if source.unset)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.level == "error")

    @property
    def refused(self) -> Mapping[str, tuple[Problem, ...]]:
        """What is wrong with files that cannot be used as they are, by the name of their source."""
        found: dict[str, tuple[Problem, ...]] = {}
        for problem in self.errors:
            name = Path(problem.path).stem
            found[name] = (*found.get(name, ()), problem)
        return found

    @property
    def digest(self) -> str:
        """Which texts these are, of all sources together."""
        texts = "".join(f"{name} {source.digest}\n" for name, source in sorted(self.sources.items()))
        return hashlib.sha256(texts.encode()).hexdigest()[:12]


def load(folder: Path, environ: Environ) -> Mappings:
    """Read, lint and compile every file. Raises nothing: what is wrong is in `problems`."""
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    try:
        paths = list(paths_in(folder, SUFFIXES))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Mappings(
            {}, (Problem(str(folder), 1, 1, f"{reason}: set BRIDGE_MAPPINGS to the folder of mapping files"),)
        )
    if not paths:
        problems.append(Problem(str(folder), 1, 1, "no mapping file here: add one such as stripe.yaml"))
    for path in paths:
        source, found = load_file(path, environ)
        problems += found
        if source and source.name in sources:
            problems.append(Problem(str(path), 1, 1, f"another file has the name {source.name} too"))
        elif source:
            sources[source.name] = source
    disagreements = list(keys.disagreements(sources.values()))
    problems += disagreements
    sources = {
        name: one for name, one in sources.items() if one.path not in {problem.path for problem in disagreements}
    }
    return Mappings(MappingProxyType(sources), tuple(problems), frozenset(path.stem for path in paths))


def paths_in(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """In the order of their names. Raises OSError."""
    yield from sorted(path for path in folder.iterdir() if path.suffix in suffixes and not path.name.startswith("."))


def fingerprint(folder: Path) -> str:
    """Changes with the name or the content of any file that matters, and with nothing else. Raises OSError."""
    found = hashlib.sha256()
    for path in paths_in(folder, SUFFIXES + TABLES):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{path.name} {content}\n".encode())
    return found.hexdigest()


def load_file(path: Path, environ: Environ) -> tuple[Source | None, list[Problem]]:
    if not NAME.fullmatch(path.stem):
        return None, [Problem(str(path), 1, 1, "the name becomes part of the URL: a-z, 0-9, - and _ are accepted")]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem(str(path), 1, 1, f"cannot be read as UTF-8 text: {type(error).__name__}")]
    return compile_source(path.stem, str(path), text, environ)


def check(mappings: Mappings, now: int) -> tuple[Problem, ...]:
    """Everything that is wrong, failing examples included."""
    failing = [problem for source in mappings.sources.values() for problem in examples.run(source, now)]
    return (*mappings.problems, *failing)

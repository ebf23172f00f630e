"""A folder of mapping files -> Mappings. The file's name is the source's name."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bridge.mapping import examples, keys, lint
from bridge.mapping.compiler import Environ, compile_source
from bridge.mapping.crosswalks import MAX_CROSSWALK_BYTES
from bridge.mapping.documents import MAX_BYTES, Problem
from bridge.mapping.rules import Source
from bridge.mapping.traps import lines_of

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
    """Read, lint and compile every file of the folder. Raises nothing: what is wrong is in `problems`."""
    return load_files(*files_in(folder), environ)


def load_paths(paths: Iterable[Path], environ: Environ) -> Mappings:
    """The same for these files, and for those of these folders."""
    found: list[Path] = []
    problems: list[Problem] = []
    for path in paths:
        inner, missing = files_in(path) if path.is_dir() else ([path], [])
        found += inner
        problems += missing
    return load_files(list(dict.fromkeys(found)), problems, environ)


def files_in(folder: Path) -> tuple[list[Path], list[Problem]]:
    """The mapping files of a folder, or why there are none."""
    try:
        paths = list(paths_in(folder, SUFFIXES))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{reason}: set BRIDGE_MAPPINGS to the folder of mapping files"
        return [], [Problem(str(folder), 1, 1, message, code="file-unreadable")]
    if not paths:
        message = "no mapping file here: add one such as stripe.yaml"
        return [], [Problem(str(folder), 1, 1, message, code="no-mappings")]
    return paths, []


def load_files(paths: Sequence[Path], problems: Iterable[Problem], environ: Environ) -> Mappings:
    sources: dict[str, Source] = {}
    found = [*problems]
    for path in paths:
        source, wrong = load_file(path, environ)
        found += wrong
        if source and source.name in sources:
            message = f"another file has the name {source.name} too: {sources[source.name].path}"
            found.append(Problem(str(path), 1, 1, message, code="duplicate-source"))
        elif source:
            sources[source.name] = source
    disagreements = list(keys.disagreements(sources.values()))
    blamed = {problem.path for problem in disagreements}
    good = {name: one for name, one in sources.items() if one.path not in blamed}
    return Mappings(MappingProxyType(good), (*found, *disagreements), frozenset(path.stem for path in paths))


def paths_in(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """In the order of their names. Raises OSError."""
    yield from sorted(path for path in folder.iterdir() if path.suffix in suffixes and not path.name.startswith("."))


def fingerprint(folder: Path) -> str:
    """Changes with the name or the content of any file that matters, and with nothing else. Raises OSError."""
    found = hashlib.sha256()
    for path in paths_in(folder, SUFFIXES + TABLES):
        with path.open("rb") as file:
            # What is longer is not used.
            content = hashlib.sha256(file.read(MAX_CROSSWALK_BYTES + 1)).hexdigest()
        found.update(f"{path.name} {content}\n".encode())
    return found.hexdigest()


def load_file(path: Path, environ: Environ) -> tuple[Source | None, list[Problem]]:
    if not NAME.fullmatch(path.stem) or path.suffix not in SUFFIXES:
        message = "the name becomes part of the URL: a-z, 0-9, - and _ are accepted, and .yaml at the end"
        return None, [Problem(str(path), 1, 1, message, code="file-name")]
    try:
        text = read(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return None, [Problem(str(path), 1, 1, f"cannot be read as UTF-8 text: {reason}", code="file-unreadable")]
    return compile_source(path.stem, str(path), text, environ)


def read(path: Path) -> str:
    """No more of it than tells that it is too long. Raises OSError, UnicodeDecodeError."""
    with path.open(encoding="utf-8-sig") as file:
        return file.read(MAX_BYTES + 1)


def lines_in(problems: Iterable[Problem]) -> Mapping[str, Sequence[str]]:
    """The lines of the files that have problems, as far as they can be read."""
    found: dict[str, Sequence[str]] = {}
    for path in {problem.path for problem in problems}:
        with suppress(OSError, UnicodeDecodeError):
            found[path] = lines_of(read(Path(path)))
    return found


def check(mappings: Mappings, now: int) -> tuple[Problem, ...]:
    """Everything that is wrong, in the order of the files: what lint finds and failing examples included."""
    found = [*mappings.problems]
    for source in mappings.sources.values():
        found += lint.run(source, now)
        found += examples.run(source, now)
    return tuple(sorted(found, key=lambda problem: (problem.path, problem.line, problem.column)))

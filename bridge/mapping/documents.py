"""YAML 1.2 with places: plain values, and for each of them the line and column it came from.

ruamel.yaml composes; what tags mean is decided here, so that `NO` and `2024-01-01` stay the text that was written.
"""

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from bridge.mapping.traps import INVISIBLE, RETYPE, explain, lines_of
from bridge.payload import exact_float

MAX_NODES = 100_000
MAX_BYTES = 1 << 20
#: Of lines, commas and opening brackets: reading them takes about a second, and nobody writes so many.
MAX_MARKS = 30_000

#: From keys and indices to a line and a column, both from 1.
Path = tuple[str | int, ...]
Place = tuple[int, int]

QUOTES = ("'", '"')
TAG = "tag:yaml.org,2002:"
COLLECTIONS = (f"{TAG}map", f"{TAG}seq")

_OTHER_VERSION = re.compile(r"^%YAML (?!1\.2\s)", re.MULTILINE)


def finite(text: str) -> float | str:
    """A number that would lose digits stays text, as in the bodies that senders post."""
    if not math.isfinite(float(text)):
        raise ValueError(text)
    return exact_float(text)


def whole(text: str) -> int | str:
    """YAML 1.2 knows decimal, 0o and 0x; what is a number in 1.1 only is text."""
    if _WHOLE.fullmatch(text):
        # 012 is ten in YAML 1.1 and twelve in 1.2: refused, like all that Python would not read either.
        return int(text, 0)
    if _WHOLE_IN_1_1.fullmatch(text):
        return text
    raise ValueError(text)


_WHOLE = re.compile(r"[-+]?([0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)")
_WHOLE_IN_1_1 = re.compile(r"[-+]?[0-9][0-9a-fA-Fx_:]*")

#: What a tag of YAML's core makes of a text. Raises ValueError or KeyError.
SCALARS: Mapping[str, Callable[[str], Any]] = {
    "null": lambda text: {"": None, "~": None, "null": None}[text.lower()],
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": whole,
    "float": finite,
    "str": str,
    # What YAML 1.1 would make more of is text in 1.2.
    "timestamp": str,
    "value": str,
    "merge": str,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a mapping file: where, what, and what is accepted."""

    path: str
    line: int
    column: int
    message: str
    #: error: the file cannot be used; warning: better mend it; note: as it is, but worth knowing.
    level: str = "error"
    #: Which check says so: a short name for tools.
    code: str = "invalid"

    def __str__(self) -> str:
        label = "" if self.level == "error" else f"{self.level}: "
        return f"{self.path}:{self.line}:{self.column}: {label}{self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    data: Any
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    #: Where the text itself begins, where it stands in the file letter for letter.
    texts: Mapping[Path, Place]
    lines: Sequence[str] = ()

    def place(self, path: Path, offset: int | None = None) -> Place:
        """Where the value at `path` is, or the character at `offset` in it; else the nearest thing around it."""
        if offset is not None and path in self.texts:
            line, column = self.texts[path]
            return line, column + offset
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def after(self, path: Path, length: int) -> str:
        """What follows in its line on a text of this length that stands there without quotes."""
        line, column = self.texts.get(path, (0, 0))
        return self.lines[line - 1][column - 1 + length :] if 0 < line <= len(self.lines) else ""

    def lists(self, key: str) -> Iterator[tuple[Path, list[str]]]:
        """The lists of nothing but text that stand under this key, wherever."""
        for path in self.values:
            found = self.at(path) if path[-1:] == (key,) else None
            if isinstance(found, list) and all(isinstance(part, str) for part in found):
                yield path, found

    def at(self, path: Path) -> Any:
        """What the file has there, whatever it is; None if nothing."""
        value = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def key_place(self, path: Path) -> Place:
        """Where the key at the end of `path` is; else as `place`."""
        return self.keys.get(path) or self.place(path)


class Reader:
    """Turns one tree of nodes into a Document, collecting every problem on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.texts: dict[Path, Place] = {}

    def read(self, node: Node, path: Path = ()) -> Any:
        if len(self.values) >= MAX_NODES:
            raise OverflowError
        self.values[path] = place_of(node)
        if not isinstance(node, ScalarNode) and str(node.tag) not in COLLECTIONS:
            self.tag_problem(node)
        if isinstance(node, MappingNode):
            return self.read_mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self.read_scalar(node, path)
        raise TypeError(node)

    def read_mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.problem(key_node, "a key must be text: a path stands alone, without {{ and }}", "key-type")
                continue
            key = str(key_node.value)
            if key_node.style not in QUOTES and INVISIBLE.search(key):
                self.problem(key_node, f"an invisible character: {RETYPE}", "yaml-syntax")
                continue
            if key in result:
                line, _ = self.keys[(*path, key)]
                self.problem(key_node, f"{key!r} is given twice: first in line {line}", "duplicate-key")
                continue
            self.keys[(*path, key)] = place_of(key_node)
            result[key] = self.read(value_node, (*path, key))
            if value_node.start_mark.index == value_node.end_mark.index:
                # ruamel.yaml has what is not there at the next thing that is, which may be lines away.
                self.values[(*path, key)] = self.keys[(*path, key)]
        return result

    def read_scalar(self, node: ScalarNode, path: Path) -> Any:
        line, column = place_of(node)
        quote = 1 if node.style in QUOTES else 0
        if node.end_mark.index - node.start_mark.index == len(node.value) + 2 * quote:
            self.texts[path] = (line, column + quote)
        text, kind = str(node.value), str(node.tag).removeprefix(TAG)
        if kind not in SCALARS:
            self.tag_problem(node)
            return text
        try:
            return SCALARS[kind](text)
        except (ValueError, KeyError):
            what = "number that JSON could hold" if kind in ("int", "float") else kind
            self.problem(node, f"{text[:40]} is no {what}: put it in quotes if it is text", "yaml-number")
            return text

    def tag_problem(self, node: Node) -> None:
        remedy = "" if str(node.tag).startswith(TAG) else "; a value that begins with ! needs quotes"
        self.problem(node, f"the tag {node.tag} is not accepted: plain YAML 1.2 is{remedy}", "yaml-tag")

    def problem(self, node: Node, message: str, code: str) -> None:
        self.problems.append(Problem(self.path, *place_of(node), message, code=code))


def place_of(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


class NotYamlError(Exception):
    """The text is no YAML of ours. `place` says where."""

    def __init__(self, message: str, place: Place = (1, 1), code: str = "yaml-syntax") -> None:
        super().__init__(message)
        self.place = place
        self.code = code


def parse(text: str, path: str) -> tuple[Document | None, list[Problem]]:
    """The document, or None with what is wrong. `path` is only for the messages."""
    reader = Reader(path)
    try:
        data = reader.read(compose(text))
    except NotYamlError as error:
        return None, [Problem(path, *error.place, str(error), code=error.code)]
    except (OverflowError, RecursionError):
        return None, [Problem(path, 1, 1, "the file is too large or too deep", code="file-size")]
    return Document(data, reader.keys, reader.values, reader.texts, lines_of(text)), reader.problems


def compose(text: str) -> Node:
    """Raises NotYamlError."""
    if len(text) > MAX_BYTES:
        raise NotYamlError(f"the file has more than {MAX_BYTES >> 20} MiB", code="file-size")
    if sum(map(text.count, ",\n[{")) > MAX_MARKS:
        raise NotYamlError(f"the file has more than {MAX_MARKS:,} lines and commas", code="file-size")
    if other := _OTHER_VERSION.search(text):
        raise NotYamlError("plain YAML 1.2 is accepted: drop this line", place_in(text, other.start()))
    try:
        with warnings.catch_warnings():
            # An anchor may be defined anew.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        raise NotYamlError("not YAML: a control character", place_in(text, error.position)) from None
    except MarkedYAMLError as error:
        raise NotYamlError(*explain(error, text)) from None
    except (YAMLError, RecursionError, ValueError, OverflowError, AttributeError) as error:
        raise NotYamlError(f"not YAML: {type(error).__name__}") from None
    if node is None:
        raise NotYamlError("the file is empty: sender, secrets and rules are expected")
    return node


def place_in(text: str, position: int) -> Place:
    before = text[:position]
    return before.count("\n") + 1, len(before) - before.rfind("\n")

"""YAML 1.2 with places: plain values, and for each of them the line and column it came from.

ruamel.yaml composes; what tags mean is decided here, so that `NO` and `2024-01-01` stay the text that was written.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_NODES = 100_000
MAX_BYTES = 1 << 20

#: From keys and indices to a line and a column, both from 1.
Path = tuple[str | int, ...]
Place = tuple[int, int]

QUOTES = ("'", '"')
BLOCK_STYLES = ("|", ">")
TAG = "tag:yaml.org,2002:"


def finite(text: str) -> float:
    number = float(text.replace("_", ""))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


SCALARS: Mapping[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": lambda text: int(text.replace("_", ""), 0),
    "float": finite,
    "str": str,
    "timestamp": str,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a mapping file: where, what, and what is accepted."""

    path: str
    line: int
    column: int
    message: str
    level: str = "error"

    def __str__(self) -> str:
        label = "" if self.level == "error" else f"{self.level}: "
        return f"{self.path}:{self.line}:{self.column}: {label}{self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    data: Any
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    #: Where the text itself begins, for values in quotes or plain.
    texts: Mapping[Path, Place]

    def place(self, path: Path, offset: int | None = None) -> Place:
        """Where the value at `path` is, or the character at `offset` in it; else the nearest thing around it."""
        if offset is not None and path in self.texts:
            line, column = self.texts[path]
            return line, column + offset
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

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
                self.problem(key_node, "a key must be text")
                continue
            key = str(key_node.value)
            if key in result:
                line, _ = self.keys[(*path, key)]
                self.problem(key_node, f"{key!r} is given twice: first in line {line}")
                continue
            self.keys[(*path, key)] = place_of(key_node)
            result[key] = self.read(value_node, (*path, key))
        return result

    def read_scalar(self, node: ScalarNode, path: Path) -> Any:
        line, column = place_of(node)
        if node.style not in BLOCK_STYLES:
            self.texts[path] = (line, column + (1 if node.style in QUOTES else 0))
        text, kind = str(node.value), str(node.tag).removeprefix(TAG)
        if kind not in SCALARS:
            self.problem(node, f"the tag {node.tag} is not accepted: plain YAML 1.2 is")
            return text
        try:
            return SCALARS[kind](text)
        except ValueError:
            self.problem(node, f"{text} is no number that JSON could hold: put it in quotes if it is text")
            return text

    def problem(self, node: Node, message: str) -> None:
        self.problems.append(Problem(self.path, *place_of(node), message))


def place_of(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def parse(text: str, path: str) -> tuple[Document | None, list[Problem]]:
    """The document, or None with what is wrong. `path` is only for the messages."""
    if len(text) > MAX_BYTES:
        return None, [Problem(path, 1, 1, f"the file has more than {MAX_BYTES >> 20} MiB")]
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        hint = ": put the expression in quotes" if "'`'" in (error.problem or "") else ""
        return None, [Problem(path, line, column, f"not YAML: {error.problem or error.context}{hint}")]
    except (YAMLError, RecursionError, ValueError) as error:
        return None, [Problem(path, 1, 1, f"not YAML: {type(error).__name__}")]
    if node is None:
        return None, [Problem(path, 1, 1, "the file is empty: sender, secrets and rules are expected")]
    reader = Reader(path)
    try:
        data = reader.read(node)
    except (OverflowError, RecursionError):
        return None, [Problem(path, 1, 1, "the file is too large or too deep")]
    return Document(data, reader.keys, reader.values, reader.texts), reader.problems

"""A document becomes a Source, or a list of everything that is wrong with it."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from bridge.errors import SettingError
from bridge.mapping import crosswalks, documents, lint
from bridge.mapping.arguments import flaws
from bridge.mapping.checks import Said, check_of
from bridge.mapping.crosswalks import Crosswalk, CrosswalkError, Table
from bridge.mapping.dating import FutureAction, FutureEvents
from bridge.mapping.documents import Document, Path, Problem
from bridge.mapping.expressions import Expression, ExpressionError, compile_expression
from bridge.mapping.hints import accepted
from bridge.mapping.locators import Locator
from bridge.mapping.lookups import CrosswalkSchema, kind_of
from bridge.mapping.roles import misfit
from bridge.mapping.rules import Absent, CaptureRule, Example, FieldRule, Rule, Source, TooLong, matches
from bridge.mapping.schema import SourceSchema, flat
from bridge.mapping.sharing import ELEMENT
from bridge.senders import SENDERS, Sender

#: The value of an environment variable, or of the file that its `_FILE` sibling names; None if unset.
Environ = Callable[[str], str | None]

#: Checks that are about a key and not about its value.
ABOUT_KEYS = ("unknown-key",)

#: Keys whose values are expressions.
EXPRESSIONS = (("when",), ("for_each",), ("id",), ("occurred_at",), ("path",))

#: What stands in a file for an environment variable.
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def compile_source(name: str, path: str, text: str, environ: Environ) -> tuple[Source | None, list[Problem]]:
    """The source, if it can work, and every problem: errors mean that there is none."""
    document, problems = documents.parse(text, path)
    if document is None:
        return None, problems
    return Compiler(path, document, environ, problems).source(name, text)


class Compiler:
    """Walks one document; what it cannot use it reports and leaves out, so that everything is reported at once."""

    def __init__(self, path: str, document: Document, environ: Environ, problems: list[Problem]) -> None:
        self.path = path
        self.document = document
        self.environ = environ
        self.problems = problems
        self.unset: list[str] = []
        self.expressions: dict[Path, Expression] = {}
        self.tables: dict[str, Table] = {}
        #: By file and columns.
        self.crosswalks: dict[tuple[str, str, str], Crosswalk] = {}

    def source(self, name: str, text: str) -> tuple[Source | None, list[Problem]]:
        data = self.shaped()
        self.find_expressions()
        sender = self.sender()
        secrets = self.secrets(sender) if sender else ()
        self.find_crosswalks()
        source = self.compiled(name, text, data, sender, secrets) if data and sender and self.sound() else None
        if not self.sound():
            self.problems += lint.sketch(self.path, self.document, self.expressions)
        self.problems.sort(key=lambda problem: (problem.line, problem.column))
        return (source if self.sound() else None), self.problems

    def sound(self) -> bool:
        return not any(problem.level == "error" for problem in self.problems)

    def shaped(self) -> Mapping[str, Any] | None:
        try:
            return dict(SourceSchema().load(self.document.data))
        except ValidationError as error:
            for path, message in flat(error.messages):
                about_key = message.code in ABOUT_KEYS or message.startswith("a key")
                self.report(path, message + self.hint(path, message), code=message.code, key=about_key)
            return None

    def hint(self, path: Path, message: Said) -> str:
        """What YAML made of a slip of the keyboard."""
        key = str(path[-1]) if path else ""
        if message.code == "empty-value" and ":" in key:
            return ": a space is missing after the colon"
        if path[-1:] in EXPRESSIONS and isinstance(self.at(*path), dict | list):
            return ": put an expression that begins with [ or { in quotes"
        return ""

    def at(self, *path: str | int) -> Any:
        """What the file has there, whatever it is; None if nothing."""
        return self.document.at(path)

    def find_expressions(self) -> None:
        for index, _ in enumerate(self.list_at("rules")):
            for key in ("when", "for_each", "id", "occurred_at"):
                self.find_expression("rules", index, key)
            for path in paths_in(self.at("rules", index, "lookup")):
                self.find_expression("rules", index, "lookup", *path)
            for key in self.keys_at("rules", index, "fields"):
                self.find_expression("rules", index, "fields", key)
                self.find_expression("rules", index, "fields", key, "path")

    def list_at(self, *path: str | int) -> list[Any]:
        found = self.at(*path)
        return found if isinstance(found, list) else []

    def keys_at(self, *path: str | int) -> list[str]:
        found = self.at(*path)
        return list(found) if isinstance(found, dict) else []

    def find_expression(self, *path: str | int) -> None:
        text = self.at(*path)
        if not isinstance(text, str) or not text:
            return
        try:
            each = path[2] != "for_each" and self.at(*path[:2], "for_each") is not None
            names = path[2] in ("id", "lookup")
            self.expressions[path] = compile_expression(text, for_each=each, names=names)
        except ExpressionError as error:
            for flaw in error.flaws:
                self.report(path, flaw.message + self.cut_off(path, text), offset=flaw.offset, code=flaw.code)
            return
        tree = self.expressions[path].tree
        wrong = list(flaws(tree))
        for flaw in wrong:
            self.report(path, flaw.message, offset=flaw.offset, code=flaw.code)
        if not wrong and (message := misfit(str(path[2]), tree)):
            self.report(path, message, offset=0, code="never-works")

    def cut_off(self, path: Path, text: str) -> str:
        """Where YAML ended a value before its time."""
        rest = self.document.after(path, len(text))
        if re.match(r"\s+#", rest):
            return ": YAML takes what follows # for a comment: put the whole value in quotes"
        return ": between { and } a comma ends a value: put it in quotes" if re.match(r"\s*,", rest) else ""

    def sender(self) -> Sender | None:
        name = self.at("sender")
        sender = SENDERS.get(name) if isinstance(name, str) else None
        if sender is None:
            return None
        bound = sender.bound(self.options(sender))
        if bound.weak:
            self.report(("sender",), f"{sender.name}: {bound.weak}", code="weak-sender")
        return bound

    def compiled(
        self, name: str, text: str, data: Mapping[str, Any], sender: Sender, secrets: tuple[str, ...]
    ) -> Source:
        return Source(
            name=name,
            path=self.path,
            sender=sender,
            rules=tuple(self.rule(index, rule, sender) for index, rule in enumerate(data["rules"])),
            digest=self.digest(text),
            secrets=secrets,
            unset=tuple(self.unset),
            examples=tuple(self.example(index, example) for index, example in enumerate(data.get("examples", []))),
            future_events=self.future_events(data.get("future_events", {})),
            capture=self.capture(data),
            document=self.document,
        )

    def future_events(self, data: Mapping[str, Any]) -> FutureEvents:
        action = {"action": FutureAction(data["action"])} if "action" in data else {}
        return FutureEvents(**{**data, **action})

    def capture(self, data: Mapping[str, Any]) -> CaptureRule | None:
        if "on_unverified" not in data:
            return None
        made = CaptureRule(**data["on_unverified"])
        answer = "and acknowledges what it cannot verify, which is lost then, " if made.acknowledge else ""
        self.report(
            ("on_unverified",),
            f"this source keeps refused requests {answer}for {made.hours} hours: take it out once all is set up",
            code="capture-on",
            key=True,
        )
        return made

    def options(self, sender: Sender) -> Mapping[str, Any]:
        given = self.at("options") or {}
        if sender.options is None and given:
            self.report(("options",), f"the sender {sender.name} takes no options", code="unknown-key", key=True)
        if sender.options is None or not isinstance(given, dict):
            return {}
        schema = sender.options()
        try:
            return dict(schema.load(self.filled(given, ("options",))))
        except ValidationError as error:
            for path, message in flat(error.messages, ("options",)):
                unknown = message.code == "unknown-key"
                hint = accepted(str(path[-1]), schema.fields) if unknown else ""
                code = "invalid-options" if message.code == "wrong-value" else message.code
                self.report(path, message + hint, code=code, key=unknown)
            return {}

    def secrets(self, sender: Sender) -> tuple[str, ...]:
        given = self.list_at("secrets")
        found = [self.secret(text, ("secrets", index), sender) for index, text in enumerate(given)]
        return tuple(secret for secret in found if secret)

    def secret(self, text: Any, path: Path, sender: Sender) -> str | None:
        if not isinstance(text, str):
            return None
        if not VARIABLE.search(text):
            self.report(path, "a secret does not belong in a file: write ${NAME} and set NAME", code="secret-in-file")
        unset = len(self.unset)
        secret = str(self.filled(text, path))
        if len(self.unset) > unset:
            return None
        if secret != secret.strip():
            self.report(path, "this secret has white space around it: remove it where it is set", code="secret-invalid")
        elif problem := sender.check_secret(secret):
            self.report(path, f"this secret ({sender.credential}) {problem}", code="secret-invalid")
        return secret

    def filled(self, value: Any, path: Path) -> Any:
        """With every ${NAME} replaced by what the environment says."""
        if isinstance(value, dict):
            return {key: self.filled(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner, (*path, index)) for index, inner in enumerate(value)]
        return VARIABLE.sub(lambda match: self.variable(match[1], path), value) if isinstance(value, str) else value

    def variable(self, name: str, path: Path) -> str:
        try:
            value = self.environ(name.removesuffix("_FILE"))
        except SettingError as error:
            self.report(path, str(error), code="secret-invalid")
            return ""
        if value is None:
            self.unset.append(name)
            self.report(path, f"{name} is not set: until it is, this source is closed", code="secret-unset")
        return value or ""

    def rule(self, index: int, data: Mapping[str, Any], sender: Sender) -> Rule:
        path = ("rules", index)
        whose = "lookup" if "lookup" in data else "id"
        if sender.undated and "occurred_at" not in data:
            self.report(
                (*path, "name"),
                f"{sender.name} may not say when things happened: {sender.undated}, or set occurred_at; else the time"
                " of receipt decides which value is newest",
                code="no-event-time",
            )
        self.check_content(path, data.get("events", ()), sender)
        return Rule(
            name=data["name"],
            entity=data["entity"],
            events=tuple(data.get("events", ())),
            when=self.expressions.get((*path, "when")),
            for_each=self.expressions.get((*path, "for_each")),
            locator=self.locator(data[whose], (*path, whose)),
            occurred_at=self.expressions.get((*path, "occurred_at")),
            partial=data.get("partial_", False),
            fields=tuple(self.field(key, spec, (*path, "fields", key)) for key, spec in data["fields_"].items()),
        )

    def locator(self, given: Mapping[str, Any] | str, path: Path) -> Locator:
        """`given`: a path to an id, or a lookup."""
        if isinstance(given, str):
            return Locator("id", self.expressions[path])
        kind = kind_of(given)
        spec = given[kind]
        return Locator(
            kind,
            self.expressions[(*path, kind, "value") if isinstance(spec, dict) else (*path, kind)],
            key=spec["key"] if kind == "custom_field" else None,
            customer=self.locator(given["customer"], (*path, "customer")) if "customer" in given else None,
            crosswalk=self.crosswalks[spec["file"], spec["from_"], spec["to"]] if kind == "crosswalk" else None,
        )

    def find_crosswalks(self) -> None:
        for index, _ in enumerate(self.list_at("rules")):
            for path in (("lookup", "crosswalk"), ("lookup", "customer", "crosswalk")):
                spec = self.at("rules", index, *path)
                if isinstance(spec, dict) and not CrosswalkSchema().validate(spec):
                    self.find_crosswalk(spec["file"], spec["from"], spec["to"], ("rules", index, *path))

    def find_crosswalk(self, name: str, source: str, target: str, path: Path) -> None:
        if (name, source, target) in self.crosswalks:
            return
        try:
            if name not in self.tables:
                self.tables[name] = crosswalks.read(self.path, name)
            made, problems = crosswalks.crosswalk(self.tables[name], source, target)
        except CrosswalkError as error:
            self.report((*path, error.about), f"{name} {error}", code="crosswalk")
            return
        self.crosswalks[name, source, target] = made
        self.problems += [problem for problem in problems if problem not in self.problems]

    def digest(self, text: str) -> str:
        """Of everything that the rules were made of."""
        made = hashlib.sha256(text.encode())
        for _, table in sorted(self.tables.items()):
            made.update(table.content)
        return made.hexdigest()[:12]

    def check_content(self, rule: Path, events: Sequence[str], sender: Sender) -> None:
        """Warns of paths that a vendor which sends ids only cannot fill."""
        known = thin_contents(sender, events)
        for path, expression in self.expressions.items():
            if not known or path[: len(rule)] != rule:
                continue
            for steps in expression.paths:
                if steps and steps[0] != ELEMENT and not any(has(content, steps) for content in known):
                    self.report(
                        path,
                        f"{sender.name} sends no {'.'.join(map(str, steps))} with these events, only"
                        f" {', '.join(known[0])}",
                        code="thin-event",
                    )

    def field(self, key: str, data: Mapping[str, Any], path: Path) -> FieldRule:
        absent = Absent.DEFAULT if "default" in data else None
        return FieldRule(
            key=key,
            path=self.expressions.get(path) or self.expressions.get((*path, "path")),
            constant=data.get("value"),
            default=data.get("default"),
            when_missing=Absent(data.get("when_missing", absent or Absent.SKIP)),
            when_null=Absent(data.get("when_null", absent or Absent.REMOVE)),
            too_long=TooLong(data.get("too_long", TooLong.ERROR)),
            unique=data.get("unique"),
            place=self.document.key_place(path),
            said=frozenset(data),
        )

    def example(self, index: int, data: Mapping[str, Any]) -> Example:
        return Example(
            name=data["name"],
            event=data.get("event"),
            file=data.get("file"),
            headers={name.lower(): value for name, value in data.get("headers", {}).items()},
            expect=data["expect"],
            place=self.document.place(("examples", index, "name")),
        )

    def report(self, path: Path, message: str, *, code: str, key: bool = False, offset: int | None = None) -> None:
        place = self.document.key_place(path) if key else self.document.place(path, offset)
        self.problems.append(Problem(self.path, *place, message, check_of(code).level, code))


def paths_in(lookup: Any) -> Iterator[Path]:
    """Where expressions stand in a lookup, whatever else is wrong with it."""
    for key, inner in lookup.items() if isinstance(lookup, dict) else ():
        if isinstance(inner, str):
            yield (key,)
        elif key == "customer":
            yield from ((key, *path) for path in paths_in(inner))
        else:
            yield (key, "value")


def thin_contents(sender: Sender, events: Sequence[str]) -> list[tuple[str, ...]]:
    """All that these events may carry, if each of them is thin; else nothing, since nothing is certain then."""
    by_event = [
        [content for pattern, content in sender.thin.items() if pattern == "*" or matches(pattern, event)]
        for event in events or ("*",)
    ]
    return [content for found in by_event for content in found] if all(by_event) else []


def has(content: Sequence[str], steps: Sequence[str | int]) -> bool:
    """Whether a path leads to, through or into what is there."""
    path = ".".join(map(str, steps)) + "."
    return any(path.startswith(f"{known}.") or f"{known}.".startswith(path) for known in content)

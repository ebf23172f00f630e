"""How a rule finds its entity: an id, a row of a crosswalk, or what Metronome is asked for. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.errors import RuleError
from bridge.mapping.crosswalks import Crosswalk
from bridge.mapping.documents import Path
from bridge.mapping.expressions import Expression
from bridge.mapping.values import is_uuid, to_text
from bridge.model import MAX_VALUE_LENGTH, Reference
from bridge.payload import MISSING

MAX_REFERENCE_LENGTH = 255
#: What has a lower limit in Metronome: nothing longer could ever be found.
LIMITS = {"custom_field": MAX_VALUE_LENGTH}


@dataclass(frozen=True, slots=True)
class Locator:
    """Where in the payload stands whose fields are set, and what that is."""

    #: `id`, or what is looked up: see `schema.LOOKUPS`.
    kind: str
    path: Expression
    #: Of a custom field.
    key: str | None = None
    #: Under whom a contract is looked up.
    customer: "Locator | None" = None
    crosswalk: Crosswalk | None = None

    def reference(self, scope: Any) -> Reference:
        """Raises RuleError."""
        text = self.text(scope)
        if self.kind == "id":
            return Reference("id", self.uuid(text))
        if self.crosswalk:
            return Reference("id", self.found(text, self.crosswalk))
        most = LIMITS.get(self.kind, MAX_REFERENCE_LENGTH)
        if len(text) > most or not text.isprintable():
            raise RuleError(f"{self.place} must have at most {most} printable characters")
        parts = [text] if self.key is None else [self.key, text]
        return Reference.of(self.kind, parts, self.customer.reference(scope) if self.customer else None)

    @property
    def place(self) -> str:
        return f"{'id' if self.kind == 'id' else f'lookup {self.kind}'}: {self.path.text}"

    def expressions(self, path: Path = ()) -> Iterator[tuple[Path, Expression]]:
        """Its own and its customer's, and where below `path` they stand in a lookup."""
        inner = () if self.kind == "id" else (self.kind,)
        yield (*path, *inner, *(("value",) if self.key or self.crosswalk else ())), self.path
        if self.customer:
            yield from self.customer.expressions((*path, "customer"))

    @property
    def indexed_keys(self) -> frozenset[str]:
        """Custom fields of customers by which this is looked up."""
        if self.customer:
            return self.customer.indexed_keys
        return frozenset({self.key} if self.key else ())

    def text(self, scope: Any) -> str:
        try:
            value = self.path.evaluate(scope)
            text = "" if value is MISSING or value is None else to_text(value)
        except RuleError as error:
            raise RuleError(f"{self.place} {error}") from None
        if not text:
            part = "; concat() needs all of its parts here" if "concat(" in self.path.text else ""
            raise RuleError(f"{self.place} is {'missing' if value is MISSING else 'null or empty'}{part}")
        return text

    def uuid(self, text: str) -> str:
        if not is_uuid(text.strip()):
            raise RuleError(f"{self.place} is no UUID")
        return text.strip().lower()

    def found(self, text: str, crosswalk: Crosswalk) -> str:
        entity_id = crosswalk.rows.get(text.strip())
        if entity_id is None:
            raise RuleError(f"{self.place}: no row in {crosswalk.file} has this {crosswalk.column}")
        return entity_id

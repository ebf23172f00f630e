"""What the place of an expression takes, and what can therefore never stand there."""

from collections.abc import Mapping

from bridge.errors import RuleError
from bridge.mapping.arguments import KINDS, known
from bridge.mapping.closures import Node
from bridge.mapping.functions import moment
from bridge.mapping.outcomes import (
    BOOLEAN,
    EXPRESSION,
    LIST,
    NULL,
    NUMBER,
    OBJECT,
    TEXT,
    kind_of,
)
from bridge.mapping.values import is_uuid

#: Key of a mapping file -> what its value must be, and the kinds that it then never is.
ROLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "when": ("a condition", (EXPRESSION,)),
    "for_each": ("a list", (TEXT, NUMBER, BOOLEAN, OBJECT, NULL, EXPRESSION)),
    "id": ("a UUID as text", (NUMBER, BOOLEAN, LIST, OBJECT, NULL, EXPRESSION)),
    "lookup": ("text", (BOOLEAN, LIST, OBJECT, NULL, EXPRESSION)),
    "occurred_at": ("a time", (BOOLEAN, LIST, OBJECT, NULL, EXPRESSION)),
    "fields": ("text, a number, or true or false", (LIST, OBJECT, EXPRESSION)),
}
REMEDIES = {
    LIST: ": take one element, as in (...)[0], or make text of it, as in join(', ', list)",
    OBJECT: ": take one of its keys",
    EXPRESSION: ": drop the &",
}


def misfit(role: str, tree: Node) -> str | None:
    """Why what the expression gives can never stand there, whatever the event."""
    expected, refused = ROLES[role]
    kind = kind_of(tree)
    if kind in refused and kind:
        remedy = "" if role == "for_each" and kind != EXPRESSION else REMEDIES.get(kind, "")
        return f"{expected} is expected here, and this is always {KINDS[kind]}{remedy}"
    exact = known(tree)
    return wrong_constant(role, exact[0]) if exact else None


def wrong_constant(role: str, value: object) -> str | None:
    if role == "id" and isinstance(value, str) and not is_uuid(value.strip()):
        return "a UUID is expected here, and this text is none: a path stands without single quotes"
    if role != "occurred_at":
        return None
    try:
        moment(value)
    except RuleError:
        return "a time is expected here, and this text is none: a path stands without single quotes"
    return None

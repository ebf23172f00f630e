"""What entities can be looked up by, as it stands in a mapping file."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from bridge.mapping.crosswalks import FILE_NAME
from bridge.mapping.shapes import Strict, Text
from bridge.model import ENTITIES, MAX_KEY_LENGTH, Reference

#: What a rule can look an entity up by, and which entity that finds.
LOOKUPS: Mapping[str, tuple[str, ...]] = {
    "ingest_alias": ("customer",),
    "salesforce_account_id": ("customer",),
    "custom_field": ("contract", "customer"),
    "uniqueness_key": ("contract",),
    "salesforce_opportunity_id": ("contract",),
    "crosswalk": ENTITIES,
}


class CustomFieldSchema(Strict):
    key = Text(required=True, validate=validate.Length(max=MAX_KEY_LENGTH))
    value = Text(required=True)


def check_file_name(name: str) -> None:
    if not FILE_NAME.fullmatch(name):
        raise ValidationError("the name of a file beside this one is expected, such as customers.csv")


class CrosswalkSchema(Strict):
    file = Text(required=True, validate=check_file_name)
    from_ = Text(required=True, data_key="from")
    to = Text(required=True)
    value = Text(required=True)


def check_one_kind(given: Any, kinds: Iterable[str]) -> None:
    found = [kind for kind in kinds if kind in given] if isinstance(given, dict) else []
    if len(found) != 1:
        raise ValidationError(f"one thing to look up by is expected: accepted are {', '.join(sorted(kinds))}")


class CustomerLookupSchema(Strict):
    """What finds a customer, under whom a contract is then looked up."""

    ingest_alias = Text()
    salesforce_account_id = Text()
    custom_field = fields.Nested(CustomFieldSchema)
    crosswalk = fields.Nested(CrosswalkSchema)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_kind(self, _data: Any, original: Any, **_: Any) -> None:
        # An unknown key is told with what it may have meant: that is enough.
        if isinstance(original, dict) and original.keys() <= self.fields.keys():
            check_one_kind(original, self.fields.keys() & LOOKUPS)


class CustomerField(fields.Field[Any]):
    """A path to the customer's id, or a lookup."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, dict):
            return dict(CustomerLookupSchema().load(value))
        return Text().deserialize(value)


class LookupSchema(CustomerLookupSchema):
    uniqueness_key = Text()
    salesforce_opportunity_id = Text()
    customer = CustomerField()


class LookupField(fields.Field[Mapping[str, Any]]):
    """`{ingest_alias: path}`, or a longer form with its own keys."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            check_one_kind(value, LOOKUPS)
        return dict(LookupSchema().load(value))


def check_lookup(entity: str, lookup: Any) -> None:
    """Whether such a lookup finds such an entity. What is no lookup at all is told elsewhere."""
    kinds = [kind for kind in LOOKUPS if kind in lookup] if isinstance(lookup, dict) else []
    if len(kinds) != 1:
        return
    (kind,) = kinds
    if entity not in LOOKUPS[kind]:
        raise ValidationError({"lookup": [f"{kind} finds a {' or a '.join(LOOKUPS[kind])}, not a {entity}"]})
    under_customer = entity == "contract" and kind != "crosswalk"
    if under_customer and "customer" not in lookup:
        raise ValidationError({"lookup": ["customer is missing: a contract is looked up under its customer"]})
    if "customer" in lookup and not under_customer:
        what = "a crosswalk needs no customer" if kind == "crosswalk" else "only a contract is looked up under one"
        raise ValidationError({"lookup": {"customer": [what]}})


def kind_of(lookup: Mapping[str, Any]) -> str:
    return next(kind for kind in LOOKUPS if kind in lookup)


class ExpectedLookupField(LookupField):
    """As a rule's `lookup`, with the texts that the paths come to. It becomes a Reference."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        lookup = super()._deserialize(value)
        if "crosswalk" in value:
            raise ValidationError({"crosswalk": ["a crosswalk leads to an id: expect that"]})
        return reference_of(lookup)


def reference_of(lookup: Mapping[str, Any] | str) -> Reference:
    if isinstance(lookup, str):
        return Reference("id", lookup.lower())
    kind = kind_of(lookup)
    if kind == "crosswalk":
        raise ValidationError({"customer": {"crosswalk": ["a crosswalk leads to an id: expect that"]}})
    given = lookup[kind]
    parts = [given["key"], given["value"]] if kind == "custom_field" else [given]
    return Reference.of(kind, parts, reference_of(lookup["customer"]) if "customer" in lookup else None)

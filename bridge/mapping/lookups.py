"""What entities can be looked up by, as it stands in a mapping file."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from bridge.mapping.checks import Said
from bridge.mapping.crosswalks import FILE_NAME
from bridge.mapping.kinds import Strict, Text, conflict
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


#: What is said where an example expects a crosswalk.
LEADS_TO_ID = "a crosswalk leads to an id: expect that"


class CustomFieldSchema(Strict):
    key = Text(
        required=True,
        validate=validate.Length(max=MAX_KEY_LENGTH),
        metadata={"help": "The custom field key that the entity carries."},
    )
    value = Text(required=True, metadata={"help": "Where its value is."})


def check_file_name(name: str) -> None:
    if not FILE_NAME.fullmatch(name):
        raise ValidationError("the name of a file beside this one is expected, such as customers.csv")


class CrosswalkSchema(Strict):
    file = Text(
        required=True,
        validate=check_file_name,
        metadata={"help": "A CSV file with a header, beside this file."},
    )
    from_ = Text(required=True, data_key="from", metadata={"help": "The column with what the payload has."})
    to = Text(required=True, metadata={"help": "The column with the entity's UUID."})
    value = Text(required=True, metadata={"help": "Where in the payload that is."})


def conflicting(messages: Mapping[str, Any]) -> ValidationError:
    """One message, at the place that the keys lead to."""

    def leaf(inner: Any) -> Any:
        if isinstance(inner, str):
            return [Said("conflicting-keys", inner)]
        return {key: leaf(value) for key, value in inner.items()}

    return ValidationError(leaf(messages))


def check_one_kind(given: Any, kinds: Iterable[str]) -> None:
    found = [kind for kind in kinds if kind in given] if isinstance(given, dict) else []
    if len(found) != 1:
        raise conflict(f"one thing to look up by is expected: accepted are {', '.join(sorted(kinds))}")


class CustomerLookupSchema(Strict):
    """What finds a customer, under whom a contract is then looked up."""

    ingest_alias = Text(metadata={"help": "Where the customer's ingest alias is."})
    salesforce_account_id = Text(metadata={"help": "Where its Salesforce account id is, of 15 or 18 characters."})
    custom_field = fields.Nested(
        CustomFieldSchema, metadata={"help": "By a custom field, in an index of all customers."}
    )
    crosswalk = fields.Nested(CrosswalkSchema, metadata={"help": "By a CSV file beside this one."})

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
    uniqueness_key = Text(metadata={"help": "Where the contract's uniqueness key is; `customer` is needed too."})
    salesforce_opportunity_id = Text(
        metadata={"help": "Where the contract's Salesforce opportunity id is; `customer` is needed too."}
    )
    customer = CustomerField(metadata={"help": "Whose contract it is: a path to the customer's id, or a lookup."})


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
        raise conflicting({"lookup": f"{kind} finds a {' or a '.join(LOOKUPS[kind])}, not a {entity}"})
    under_customer = entity == "contract" and kind != "crosswalk"
    if under_customer and "customer" not in lookup:
        raise conflicting({"lookup": "customer is missing: a contract is looked up under its customer"})
    if "customer" in lookup and not under_customer:
        what = "a crosswalk needs no customer" if kind == "crosswalk" else "only a contract is looked up under one"
        raise conflicting({"lookup": {"customer": what}})


def kind_of(lookup: Mapping[str, Any]) -> str:
    return next(kind for kind in LOOKUPS if kind in lookup)


class ExpectedLookupField(LookupField):
    """As a rule's `lookup`, with the texts that the paths come to. It becomes a Reference."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        lookup = super()._deserialize(value)
        if "crosswalk" in value:
            raise conflicting({"crosswalk": LEADS_TO_ID})
        return reference_of(lookup)


def reference_of(lookup: Mapping[str, Any] | str) -> Reference:
    if isinstance(lookup, str):
        return Reference("id", lookup.lower())
    kind = kind_of(lookup)
    if kind == "crosswalk":
        raise conflicting({"customer": {"crosswalk": LEADS_TO_ID}})
    given = lookup[kind]
    parts = [given["key"], given["value"]] if kind == "custom_field" else [given]
    return Reference.of(kind, parts, reference_of(lookup["customer"]) if "customer" in lookup else None)

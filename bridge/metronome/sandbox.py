"""A local stand-in for the parts of Metronome's API that the bridge uses: same validation, and faults to switch on.

For development and tests. `GET /sandbox` shows everything it holds and was asked, `POST /sandbox` changes it.
"""

import hmac
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import orjson
from flask import Flask, Response, g, request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from werkzeug.exceptions import HTTPException

from bridge.metronome.rules import Asked, RuleBody
from bridge.metronome.wire import Connection
from bridge.metronome.world import PARTS, ApiError, Json, World
from bridge.model import ENTITIES, MAX_KEY_LENGTH, MAX_VALUE_LENGTH

#: What a list endpoint gives at most, and by default.
PAGE = 100
#: Of the digits in `next_page`.
MAX_CURSOR_LENGTH = 18


class Body(Schema):
    """The API ignores properties that it does not describe."""

    class Meta:
        unknown = EXCLUDE


def entity() -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(ENTITIES))


def uuid(**kwargs: Any) -> fields.String:
    pattern = r"(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
    return fields.String(validate=validate.Regexp(pattern, error="Not a UUID."), **kwargs)


def key() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, MAX_KEY_LENGTH))


def custom_fields(**kwargs: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.Length(1, MAX_KEY_LENGTH)),
        values=fields.String(required=True, validate=validate.Length(max=MAX_VALUE_LENGTH)),
        **kwargs,
    )


class SetValuesBody(Body):
    entity = entity()
    entity_id = uuid(required=True)
    custom_fields = custom_fields(required=True)


class DeleteValuesBody(Body):
    entity = entity()
    entity_id = uuid(required=True)
    keys = fields.List(fields.String(), required=True)


class ListKeysBody(Body):
    entities = fields.List(fields.String(validate=validate.OneOf(ENTITIES)))


class TrueOrFalse(fields.Boolean):
    """1 == True, but not in JSON."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class AddKeyBody(Body):
    entity = entity()
    key = key()
    enforce_uniqueness = TrueOrFalse(required=True)


class RemoveKeyBody(Body):
    entity = entity()
    key = key()


class CustomerBody(Body):
    name = fields.String(required=True)
    ingest_aliases = fields.List(fields.String(validate=validate.Length(1, 128)))
    custom_fields = custom_fields()
    #: The API makes up the first and takes the second elsewhere: here they are for setting the scene.
    id = uuid()
    salesforce_account_id = fields.String()


class ContractsBody(Body):
    customer_id = uuid(required=True)


class ItemBody(Body):
    id = uuid(required=True)


class PartBody(Body):
    entity = fields.String(required=True, validate=validate.OneOf(PARTS))
    id = uuid(required=True)


class CatalogBody(Body):
    entity = fields.String(required=True, validate=validate.OneOf(["billable_metric", "contract_product", "rate_card"]))
    id = uuid()
    name = fields.String(required=True)


class ContractBody(Body):
    customer_id = uuid(required=True)
    id = uuid()
    name = fields.String()
    uniqueness_key = fields.String()
    salesforce_opportunity_id = fields.String()
    netsuite_sales_order_id = fields.String()
    #: The API makes these up from what it is told of each.
    parts = fields.List(fields.Nested(PartBody))


class FaultsBody(Schema):
    latency_ms = fields.Float(validate=validate.Range(0, 60_000))
    rate_limit = fields.Float(validate=validate.Range(0))
    error_rate = fields.Float(validate=validate.Range(0, 1))
    outage = fields.Boolean()
    enforce_keys = fields.Boolean()
    enforce_customers = fields.Boolean()
    conflict_status = fields.Integer(strict=True, validate=validate.OneOf([400, 409]))


class ControlBody(Schema):
    reset = fields.Boolean()
    faults = fields.Nested(FaultsBody)
    customers = fields.List(fields.Nested(CustomerBody))
    contracts = fields.List(fields.Nested(ContractBody))
    catalog = fields.List(fields.Nested(CatalogBody))
    rules = fields.List(fields.Nested(RuleBody))


def set_values(world: World, body: Json) -> None:
    world.set_values(body["entity"], body["entity_id"].lower(), body["custom_fields"])


def delete_values(world: World, body: Json) -> None:
    world.delete_values(body["entity"], body["entity_id"].lower(), body["keys"])


def list_keys(world: World, body: Json) -> Json:
    wanted = body.get("entities") or ENTITIES
    rows = [
        {"entity": entity, "key": key, "enforce_uniqueness": unique}
        for (entity, key), unique in sorted(world.keys.items())
        if entity in wanted
    ]
    return page(rows, PAGE)


def add_key(world: World, body: Json) -> None:
    world.add_key(body["entity"], body["key"], unique=body["enforce_uniqueness"])


def remove_key(world: World, body: Json) -> None:
    world.remove_key(body["entity"], body["key"])


def list_customers(world: World, _body: Json) -> Json:
    limit = request.args.get("limit", str(PAGE))
    if not limit.isdecimal() or not 1 <= int(limit) <= PAGE:
        raise ApiError(400, f"limit must be from 1 to {PAGE}")
    if request.args.get("only_archived") == "true":
        return page([], PAGE)
    aliases = request.args.getlist("ingest_alias")
    accounts = request.args.getlist("salesforce_account_ids")
    ids = [one.lower() for one in request.args.getlist("customer_ids")]
    if max(len(accounts), len(ids)) > PAGE:
        raise ApiError(400, f"at most {PAGE} ids are accepted")
    wanted = set(ids)
    asked_for = [one for one in world.customers if one in wanted] if ids else world.customers
    rows = [
        customer
        for customer in map(world.customer, asked_for)
        if (not aliases or set(aliases) & set(customer["ingest_aliases"]))
        and (not accounts or customer["customer_config"]["salesforce_account_id"] in accounts)
    ]
    return page(rows, int(limit))


def create_customer(world: World, body: Json) -> Json:
    return {"data": world.add_customer(body, g.now)}


def get_customer(world: World, _body: Json, customer_id: str) -> Json:
    return {"data": world.customer(customer_id.lower())}


def list_contracts(world: World, body: Json) -> Json:
    owned = [one for one in map(world.contract, world.contracts) if one["customer_id"] == body["customer_id"].lower()]
    return {"data": owned}


def get_billable_metric(world: World, _body: Json, billable_metric_id: str) -> Json:
    return {"data": world.item("billable_metric", billable_metric_id.lower())}


def get_product(world: World, body: Json) -> Json:
    return {"data": world.item("contract_product", body["id"].lower())}


def get_rate_card(world: World, body: Json) -> Json:
    return {"data": world.item("rate_card", body["id"].lower())}


def page(rows: Sequence[Json], limit: int) -> Json:
    """One page from where `next_page` says."""
    cursor = request.args.get("next_page", "0")
    if not cursor.isdecimal() or len(cursor) > MAX_CURSOR_LENGTH:
        raise ApiError(400, "next_page is not one that was given out")
    end = int(cursor) + limit
    return {"data": rows[int(cursor) : end], "next_page": str(end) if end < len(rows) else None}


#: Method, path, what the body must be, and what is done.
ROUTES: Sequence[tuple[str, str, type[Schema] | None, Callable[..., Json | None]]] = (
    ("POST", "/v1/customFields/setValues", SetValuesBody, set_values),
    ("POST", "/v1/customFields/deleteValues", DeleteValuesBody, delete_values),
    ("POST", "/v1/customFields/listKeys", ListKeysBody, list_keys),
    ("POST", "/v1/customFields/addKey", AddKeyBody, add_key),
    ("POST", "/v1/customFields/removeKey", RemoveKeyBody, remove_key),
    ("GET", "/v1/customers", None, list_customers),
    ("POST", "/v1/customers", CustomerBody, create_customer),
    ("GET", "/v1/customers/<customer_id>", None, get_customer),
    ("POST", "/v2/contracts/list", ContractsBody, list_contracts),
    ("GET", "/v1/billable-metrics/<billable_metric_id>", None, get_billable_metric),
    ("POST", "/v1/contract-pricing/products/get", ItemBody, get_product),
    ("POST", "/v1/contract-pricing/rate-cards/get", ItemBody, get_rate_card),
)


def create_sandbox(world: World, *, clock: Callable[[], int], token: str | None = None) -> Flask:
    """`token`: the only one that is accepted; None accepts any. `clock` gives microseconds."""
    app = Flask("sandbox", static_folder=None)
    lock = threading.Lock()

    def api(schema: type[Schema] | None, handle: Callable[..., Json | None]) -> Callable[..., Response]:
        """A view: latency, rules, faults, the token, the body, and only then the world. Every call is remembered."""

        def view(**given: str) -> Response:
            g.now = clock()
            connection = Connection(request.environ)
            time.sleep(world.faults.latency_ms / 1000)
            with lock:
                rule = world.rule_for(asked(world.has_served(connection.identity)))
            rule.wait()
            with lock:
                body, response = (lenient_json(), rule.response()) if rule.prevents else usual(given)
                call = f"{request.method} {request.full_path.rstrip('?')}"
                world.remember(call, body, rule.status_instead_of(response.status_code), g.now)
            return rule.response_instead_of(response, connection)

        def usual(given: Mapping[str, str]) -> tuple[Json, Response]:
            body: Json = {}
            try:
                world.check_faults(g.now)
                check_token(token)
                body = validated(schema, read_json()) if schema else {}
                return body, reply(200, handle(world, body, **given) or {})
            except ApiError as error:
                return body, reply(error.status, {"message": str(error)}, error.headers)

        return view

    for method, path, schema, handle in ROUTES:
        app.add_url_rule(path, handle.__name__, api(schema, handle), methods=[method])

    @app.get("/sandbox")
    def show() -> Response:
        with lock:
            return reply(200, world.dump() | {"faults": asdict(world.faults)})

    @app.post("/sandbox")
    def control() -> Response:
        try:
            with lock:
                arrange(world, read_json(), clock())
        except ApiError as error:
            return reply(error.status, {"message": str(error)})
        return show()

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> Response:
        return reply(error.code or 500, {"message": error.description or error.name})

    return app


def arrange(world: World, given: Any, now: int) -> None:
    """Set the scene: {reset, faults, rules, customers, contracts, catalog}, all optional. Raises ApiError."""
    body = validated(ControlBody, given)
    if body.get("reset"):
        world.reset()
    world.faults = replace(world.faults, **body.get("faults", {}))
    if "rules" in body:
        world.set_rules(body["rules"])
    for customer in body.get("customers", []):
        world.add_customer(customer, now)
    for contract in body.get("contracts", []):
        world.add_contract(contract, now)
    for item in body.get("catalog", []):
        world.add_item(item, now)


def asked(reused: bool) -> Asked:
    query = {name: request.args.getlist(name) for name in request.args}
    return Asked(request.method, request.path, query, lenient_json(), reused)


def lenient_json() -> Json:
    """The body for rules: whatever is not an object says nothing."""
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def check_token(token: str | None) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise ApiError(401, "a bearer token is expected")
    if token is not None and not hmac.compare_digest(given.encode(), token.encode()):
        raise ApiError(401, "the token is not valid")


def read_json() -> Any:
    try:
        return orjson.loads(request.get_data() or b"{}")
    except orjson.JSONDecodeError:
        raise ApiError(400, "the body is not JSON") from None


def validated(schema: type[Schema], given: Any) -> Json:
    try:
        return dict(schema().load(given))
    except ValidationError as error:
        raise ApiError(
            400, f"the body is not valid: {orjson.dumps(error.messages, option=orjson.OPT_NON_STR_KEYS).decode()}"
        ) from None


def reply(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, content_type="application/json")

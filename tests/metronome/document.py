"""Metronome's own description of its API, and whether a request or an answer is what it describes."""

import json
import re
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

FILE = Path(__file__).parent.parent / "fixtures" / "metronome" / "openapi.json"
DOCUMENT = json.loads(FILE.read_bytes())
COMPONENTS = DOCUMENT["components"]

FORMATS = FormatChecker(formats=())
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@FORMATS.checks("uuid", raises=ValueError)
def is_uuid(value):
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value):
    return not isinstance(value, str) or bool(RFC3339.fullmatch(value) and datetime.fromisoformat(value))


def problems(value, schema):
    """What is wrong with a value, by a schema of the document."""
    validator = Draft202012Validator({"allOf": [schema], "components": COMPONENTS}, format_checker=FORMATS)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def schema_of(content):
    return content["content"]["application/json"]["schema"]


def resolve(node):
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].split("/")[-2:]
    return COMPONENTS[kind][name]


def find_operation(method, path):
    """What the document says of a call, and the values in its path; None if it says nothing."""
    for template, operations in DOCUMENT["paths"].items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        match = re.fullmatch(pattern, path)
        if match and method.lower() in operations:
            return operations[method.lower()], match.groupdict()
    return None


def typed(texts, schema):
    """The texts of a parameter as what the schema speaks of."""
    if schema["type"] == "array":
        return texts
    if len(texts) != 1:
        return texts  # an array is not valid where one value is expected
    readers = {"integer": r"-?\d+", "boolean": "true|false"}
    text = texts[0]
    return json.loads(text) if re.fullmatch(readers.get(schema["type"], "(?!)"), text) else text


def request_problems(method, target, headers, body):
    """What is wrong with a request. Names of headers are in lower case."""
    path, query = urlsplit(target).path, parse_qs(urlsplit(target).query, keep_blank_values=True)
    found = find_operation(method, path)
    if found is None:
        return [f"{method} {path} is not in the document"]
    operation, in_path = found
    given = {("query", name): texts for name, texts in query.items()}
    given |= {("path", name): [text] for name, text in in_path.items()}
    wrong = []
    for parameter in map(resolve, operation.get("parameters", [])):
        texts = given.pop((parameter["in"], parameter["name"]), None)
        if texts is not None:
            found = problems(typed(texts, parameter["schema"]), parameter["schema"])
            wrong += [f"{parameter['name']} {problem}" for problem in found]
        elif parameter.get("required"):
            wrong.append(f"{parameter['name']} is missing")
    wrong += [f"{name} in the {place} is not in the document" for place, name in given]
    return wrong + token_problems(headers) + body_problems(operation, headers, body)


def token_problems(headers):
    assert DOCUMENT["security"] == [{"bearerAuth": []}]
    assert COMPONENTS["securitySchemes"]["bearerAuth"] == {"type": "http", "scheme": "bearer"}
    ok = re.fullmatch(r"Bearer [\x21-\x7e]+", headers.get("authorization", ""))
    return [] if ok else ["there is no bearer token"]


def body_problems(operation, headers, body):
    if "requestBody" not in operation:
        return ["there is a body"] if body else []
    if headers.get("content-type") != "application/json":
        return ["the body is not said to be JSON"]
    return problems(json.loads(body), schema_of(operation["requestBody"]))


def answer_problems(method, path, status, value):
    """What is wrong with an answer. An error may always have the shape of all errors."""
    operation, _ = find_operation(method, path)
    content = operation["responses"].get(str(status), {})
    if status < 400:
        return problems(value, schema_of(content)) if content else []
    shapes = [{"$ref": "#/components/schemas/Error"}, *([schema_of(content)] if content else [])]
    return problems(value, {"anyOf": shapes})

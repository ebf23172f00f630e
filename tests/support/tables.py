"""The tables of the docs, made of the code: `make docs` writes them, a test sees that they are up to date."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from marshmallow import Schema

from bridge.authoring import jsonschema
from bridge.mapping.checks import CHECKS
from bridge.mapping.functions import FUNCTIONS, Function
from bridge.mapping.kinds import keys_of
from bridge.mapping.schema import ExampleSchema, ExpectationSchema, FieldRuleSchema, RuleSchema, SourceSchema
from bridge.mapping.standard import STANDARD, Standard
from bridge.settings import SETTINGS

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"


def functions(table: Mapping[str, Function | Standard]) -> str:
    rows = ["| function | what it gives | example |", "|---|---|---|"]
    for name, function in table.items():
        result = function.result if isinstance(function.result, str) else json.dumps(function.result)
        rows.append(f"| `{name}({function.arguments})` | {function.help} | ``{function.example}`` is `{result}` |")
    return "\n".join(rows)


def checks() -> str:
    rows = ["| check | level | what it finds | what to do | for example |", "|---|---|---|---|---|"]
    for code, check in CHECKS.items():
        cells = (f"`{code}`", check.level, check.title, check.remedy, f"`` {check.wrong} ``")
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def settings() -> str:
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        secret = " A secret." if setting.secret else ""
        rows.append(f"| `{setting.name}` | {default} | {setting.help}{secret} |")
    return "\n".join(rows)


def keys(schema: type[Schema]) -> str:
    """What `help` says of the keys of a block, and of what happens without them where it says so."""
    fields = keys_of(schema())
    has_defaults = any("default" in field.metadata for field in fields.values())
    rows = (
        ["| key | what it is | default |", "|---|---|---|"] if has_defaults else ["| key | what it is |", "|---|---|"]
    )
    for key, field in fields.items():
        needed = " Required." if field.required else ""
        default = f" `{field.metadata['default']}` |" if "default" in field.metadata else " |" if has_defaults else ""
        rows.append(f"| `{key}` | {field.metadata['help']}{needed} |{default}")
    return "\n".join(rows)


#: File -> marker -> what stands between `<!-- marker -->` and `<!-- /marker -->`.
TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "mapping.md": {
        "file": partial(keys, SourceSchema),
        "rule": partial(keys, RuleSchema),
        "field": partial(keys, FieldRuleSchema),
        "functions": partial(functions, FUNCTIONS),
        "standard": partial(functions, STANDARD),
        "example": partial(keys, ExampleSchema),
        "expectation": partial(keys, ExpectationSchema),
    },
    "lint.md": {"checks": checks},
    "configuration.md": {"settings": settings},
}


def filled(name: str) -> str:
    """The file as it should be."""
    text = (DOCS / name).read_text()
    for marker, make in TABLES[name].items():
        block = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
        assert block.search(text), f"{name} has no place for {marker}"
        text = block.sub(lambda match, make=make: f"{match[1]}{make()}\n{match[2]}", text)
    return text


#: Whole files that are made of the code.
FILES: Mapping[str, Callable[[], str]] = {"mappings/mapping.schema.json": jsonschema.text}


if __name__ == "__main__":
    for name in TABLES:
        (DOCS / name).write_text(filled(name))
    for name, make in FILES.items():
        (ROOT / name).write_text(make())

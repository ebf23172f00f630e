"""The tables of the docs, made of the code: `make docs` writes them, a test sees that they are up to date."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.mapping.functions import FUNCTIONS, Function
from bridge.mapping.standard import STANDARD, Standard
from bridge.settings import SETTINGS

DOCS = Path(__file__).parent.parent.parent / "docs"


def functions(table: Mapping[str, Function | Standard]) -> str:
    rows = ["| function | what it gives | example |", "|---|---|---|"]
    for name, function in table.items():
        result = function.result if isinstance(function.result, str) else json.dumps(function.result)
        rows.append(f"| `{name}({function.arguments})` | {function.help} | ``{function.example}`` is `{result}` |")
    return "\n".join(rows)


def settings() -> str:
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        secret = " A secret." if setting.secret else ""
        rows.append(f"| `{setting.name}` | {default} | {setting.help}{secret} |")
    return "\n".join(rows)


#: File -> marker -> what stands between `<!-- marker -->` and `<!-- /marker -->`.
TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "mapping.md": {"functions": lambda: functions(FUNCTIONS), "standard": lambda: functions(STANDARD)},
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


if __name__ == "__main__":
    for name in TABLES:
        (DOCS / name).write_text(filled(name))

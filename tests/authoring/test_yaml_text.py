"""What is written as YAML is read again as it was."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.authoring import yaml_text
from bridge.mapping import documents
from tests.mapping.making import QUICK, json_values

MARKS = "-?:,[]{}#&*!|>'\"%@`\\ \n\t\r\x00\x7f\x85\u2028\ufeffé🚀=~"
TEXTS = ["NO", "null", "on", "<<", ".nan", "---", "1_0", "0x1F", "1e5", "2026-11-22", "a: b", "a #b", "- a", "it's"]
ODD = st.sampled_from([*MARKS, *TEXTS, "x" * 2000])


@given(json_values() | st.dictionaries(ODD, ODD | st.lists(ODD)) | st.lists(st.dictionaries(ODD, json_values())))
@QUICK
def test_what_is_written_reads_back(value):
    document, problems = documents.parse("\n".join(yaml_text.lines_of({"value": value})) + "\n", "test.yaml")
    assert problems == []
    assert document.data == {"value": value}
    assert type(document.data["value"]) is type(value)


def test_it_is_pleasant_to_read():
    value = {
        "type": "deal.won",
        "at": "2026-11-22T10:00:00Z",
        "odd key": None,
        "items": [{"id": "a", "tags": ["x", []]}, 1.5],
    }
    assert (
        "\n".join(yaml_text.lines_of(value))
        == """\
type: deal.won
at: "2026-11-22T10:00:00Z"
odd key: null
items:
  - id: a
    tags:
      - x
      - []
  - 1.5"""
    )

"""Files of rows: what is in them comes out, what is bad about a row is its own, and rejects can be fed back."""

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import FileError
from bridge.pipeline.rejects import Rejects
from bridge.pipeline.row import Form
from bridge.pipeline.rows import open_rows
from bridge.pipeline.rows_json import CHUNK

MOST = 10_000


def opened(content, **given):
    return open_rows(io.BytesIO(content), **{"most": MOST, **given})


def rows(content, **given):
    """Each row as its value, or as where it is and why it is none."""
    return [row.value if row.problem is None else (row.place, row.problem) for row in opened(content, **given).rows]


#: Anything that any of the forms can hold: text, and no empty text, which CSV cannot tell from nothing.
names = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1).filter(
    lambda name: name.strip() and not name.startswith(("backfill_", "\ufeff"))
)
cells = st.text(st.characters(codec="utf-8"), min_size=1)


@st.composite
def tables(draw):
    header = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    row = st.fixed_dictionaries({}, optional=dict.fromkeys(header, cells)).filter(bool)
    return header, draw(st.lists(row, max_size=6))


def as_csv(header, values, delimiter=","):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *([value.get(name, "") for name in header] for value in values)])
    return text.getvalue().encode()


def as_lines(header, values):
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def as_array(header, values):
    return json.dumps(values, indent=1, ensure_ascii=False).encode()


@given(tables())
def test_every_form_holds_the_same_rows(table):
    _, values = table
    assert rows(as_csv(*table), form=Form.CSV) == values
    assert rows(as_csv(*table, delimiter=";"), form=Form.CSV, delimiter=";") == values
    assert rows(gzip.compress(as_csv(*table)), form=Form.CSV) == values
    assert rows(b"\xef\xbb\xbf" + as_csv(*table), form=Form.CSV) == values
    assert rows(as_array(*table)) == values
    assert rows(gzip.compress(as_array(*table))) == values
    assert rows(as_lines(*table), form=Form.LINES) == values


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers(0, 2**63) | st.text('aé"\\,]}'), st.lists)))
def test_an_array_that_is_cut_anywhere_into_reads_gives_its_elements(elements):
    class Dripping(io.RawIOBase):
        def __init__(self, content):
            self.content = io.BytesIO(content)

        def readable(self):
            return True

        def readinto(self, buffer):
            return self.content.readinto(memoryview(buffer)[:1])

    content = json.dumps(elements, ensure_ascii=False).encode()
    assert [row.value for row in open_rows(Dripping(content), most=MOST, form=Form.ARRAY).rows] == elements


def test_an_array_larger_than_what_is_read_at_a_time_gives_its_elements():
    elements = [{"n": number, "text": "ü" * 100} for number in range(3 * CHUNK // 100)]
    assert rows(json.dumps(elements, ensure_ascii=False).encode()) == elements


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"a,b\n1,2\n", Form.CSV),
        (b"\xef\xbb\xbfa\n", Form.CSV),
        (b'  \n{"a": 1}', Form.LINES),
        (b'\xef\xbb\xbf[{"a": 1}]', Form.ARRAY),
        (gzip.compress(b'[{"a": 1}]', mtime=0), Form.ARRAY),
    ],
)
def test_the_form_is_seen_in_the_content(content, form):
    assert opened(content).form == form


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a,b.c,b.d\n1,2,3\n", [{"a": "1", "b": {"c": "2", "d": "3"}}]),
        (b"a,b.c\r\n1,\r\n\r\n,2\r\n", [{"a": "1"}, {"b": {"c": "2"}}]),
        (b'a,b\n"x\ny, ""z""",1\n', [{"a": 'x\ny, "z"', "b": "1"}]),
        (b'a\n5" disk\n', [{"a": '5" disk'}]),
        (b"a,b\n1\n1,2\n1,2,3\n", [("line 2", "it has 1 cells, and the header has 2"), {"a": "1", "b": "2"},
                                   ("line 4", "it has 3 cells, and the header has 2")]),
        (b'a,b\n1,"2\n3,4\n5,6\n', [("line 2", "the line is not CSV: unexpected end of data"),
                                    {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]),
        (b'a,b\n"1"2,3\n4,5\n', [("line 2", "the line is not CSV: ',' expected after '\"'"), {"a": "4", "b": "5"}]),
        (b"a\n", []),
        (b"[]", []),
        (b'{"a": 1}\n\nnope\n{"a": NaN}\n2\n', [
            {"a": 1},
            ("line 3", "the row is not JSON: invalid literal, expected 'null' at line 1, column 1"),
            ("line 4", "the row is not JSON: unexpected character, expected a JSON value at line 1, column 7"),
            2,
        ]),
        (b'[{"a": 1.5}, {"a": 12345678901234567890}]', [{"a": 1.5}, {"a": 12345678901234567890}]),
    ],
)  # fmt: skip
def test_rows_come_out_and_bad_ones_say_why(content, found):
    assert rows(content) == found


def test_an_empty_cell_is_missing_or_null_as_is_asked():
    assert rows(b"a,b.c\n,\n") == [{}]
    assert rows(b"a,b.c\n,\n", empty=None) == [{"a": None, "b": {"c": None}}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "there is nothing in it"),
        (b" \n ", "there is nothing in it"),
        (b"a,b,a\n", "columns 1 and 3 have the same name: 'a'"),
        (b"a,,b\n", "column 2 has no name"),
        (b"a..b\n", "column 1: 'a..b' has a gap"),
        (b"a.b,c,a\n", "column 3 would be a value and hold column 1 too: 'a.b'"),
        (b"a\nx\n\xe4\n", "line 3 is not UTF-8, at byte 4 of the file"),
        ("a\nx\n".encode("utf-16"), "line 1 is not UTF-8, at byte 0 of the file"),
        (b'{\n"a": 1}', "line 1: the row is not JSON"),
        (b'[{"a": 1} {"a": 2}]', "after element 1 the array is broken"),
        (b'[{"a": 1}, {"a": ', "element 2 is not JSON, is not complete"),
        (b'[{"a": 1}', "element 1 is not JSON, is not complete"),
        (b'[{"a": 1}] 2', "something follows the array of 1 elements"),
        (b"[" * 100_000, "element 1 is nested too deep"),
        (b'["\xc3\x28"]', "the array is not UTF-8, at byte 2 of the file"),
        (gzip.compress(b"a\n" + bytes(range(48, 122)) * 9, mtime=0)[:-12], "it cannot be read to its end"),
    ],
)
def test_a_file_that_cannot_be_read_on_says_where_and_why(content, reason):
    with pytest.raises(FileError, match="^" + reason.replace(".", r"\.")):
        rows(content)


def test_a_column_that_is_needed_must_be_there():
    with pytest.raises(FileError, match="no column 'updated': did you mean 'updated_at'"):
        opened(b"id,updated_at\n", needed=("updated",))
    with pytest.raises(FileError, match="Or is ';' the delimiter"):
        opened(b"id;updated_at\n", needed=("updated_at",))


@pytest.mark.parametrize("content", [b"a\n%s\nend\n", b'a\n"%s"\nend\n', b'{"a": 1}\n{"a": "%s"}\n{"a": "end"}\n'])
@pytest.mark.parametrize("size", [MOST + 1, 5 * MOST])
def test_a_row_that_is_too_large_is_bad_alone(content, size):
    *_, bad, last = rows(content % (b"x" * size))
    assert bad[1].startswith("the row is larger than 10000 bytes: see BRIDGE_MAX_BODY_BYTES")
    assert last == {"a": "end"}


def test_a_quote_that_is_never_closed_costs_one_line():
    lines = b"".join(b"%d\n" % number for number in range(10_000))
    found = rows(b'a\n"open\n' + lines)
    assert found[0][0] == "line 2"
    assert found[1:] == [{"a": str(number)} for number in range(10_000)]


FEEDS = [
    b'a,b\n1,2\n1\n1,2,3\n"1"2,3\n',
    b'b;a\n1;"x;y"\n1\n',
    b'{"a": 1}\nnope\n[1, {"b": null}]\n"text"\n',
    b'[{"a": 1}, 2, [3], {"b": NaN}, {}]',
]


@pytest.mark.parametrize("content", FEEDS)
def test_rejects_are_read_again_as_what_they_were(content):
    delimiter = ";" if b";" in content else ","
    sheet = opened(content, delimiter=delimiter)
    written = io.BytesIO()
    rejects = Rejects(written, sheet, delimiter)
    before = list(sheet.rows)
    for row in before:
        rejects.add(row, row.problem or 'it is "bad", so to say;\nsee above')
    rejects.end()
    again = opened(written.getvalue(), delimiter=delimiter)
    assert (again.form, again.header) == (sheet.form, sheet.header)
    found = list(again.rows)
    assert [(row.value, row.given, row.problem is None) for row in found] == [
        (row.value, row.given, row.problem is None) for row in before
    ]


@pytest.mark.parametrize("content", [b"a\n", b"[]"])
def test_no_rejects_are_a_file_without_rows(content):
    written = io.BytesIO()
    Rejects(written, opened(content)).end()
    assert rows(written.getvalue()) == []

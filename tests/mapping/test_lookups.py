"""What a rule can find its entity by: every form, what is wrong with the others, and what it makes of a payload."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mapping import files
from bridge.mapping.crosswalks import MAX_CROSSWALK_BYTES, MAX_PROBLEMS, MAX_ROWS
from bridge.model import Reference, StoredEvent
from bridge.pipeline.translate import translate
from tests.mapping.making import NEEDLE, NOW, OTHER_UUID, QUICK, SECRETS, UUID, json_values, texts

RULE = """\
sender: stripe
secrets: ["${{SECRET}}"]
rules:
  - name: r
    entity: {entity}
    lookup: {lookup}
    fields: {{tier: tier}}
"""
CSV = f"crm_id,name,metronome_id\nA-1,Acme,{UUID.upper()}\nA-2,Bolt,{OTHER_UUID}\n"
PAYLOAD = {"tier": "gold", "crm": "A-1", "key": "K-1", "owner": UUID.upper(), "number": 7.0, "none": None}
CRM = "custom_field: {key: crm_id, value: crm}"
CROSSWALK = "crosswalk: {file: customers.csv, from: crm_id, to: metronome_id, value: crm}"


@pytest.fixture
def load(tmp_path):
    """The source that a rule with this lookup makes, and what is wrong with it; customers.csv lies beside it."""

    def read(lookup, entity="customer", csv=CSV, more=""):
        if csv is not None:
            (tmp_path / "customers.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
        (tmp_path / "crm.yaml").write_text(RULE.format(entity=entity, lookup=lookup) + more)
        mappings = files.load(tmp_path, SECRETS.get)
        return mappings.sources.get("crm"), [str(one).removeprefix(f"{tmp_path}/") for one in mappings.problems]

    return read


def made(source, payload=PAYLOAD):
    stored = StoredEvent(1, "crm", "evt_1", "x", NOW, NOW, payload)
    return translate(stored, {"crm": source})


#: Entity, lookup, what it comes to, and how an example says that.
RIGHT = [
    ("customer", "{ingest_alias: crm}", Reference("ingest_alias", "A-1"), "lookup: {ingest_alias: A-1}"),
    (
        "customer",
        f"{{{CRM}}}",
        Reference("custom_field", '["crm_id","A-1"]'),
        "lookup: {custom_field: {key: crm_id, value: A-1}}",
    ),
    (
        "customer",
        "{custom_field: {key: größe, value: \"lower('Ü')\"}}",
        Reference("custom_field", '["größe","ü"]'),
        "lookup: {custom_field: {key: größe, value: ü}}",
    ),
    (
        "customer",
        "{custom_field: {key: n, value: number}}",
        Reference("custom_field", '["n","7"]'),
        "lookup: {custom_field: {key: n, value: '7'}}",
    ),
    (
        "contract",
        "{uniqueness_key: key, customer: owner}",
        Reference("uniqueness_key", f'["K-1",["id","{UUID}"]]'),
        f"lookup: {{uniqueness_key: K-1, customer: {UUID.upper()}}}",
    ),
    (
        "contract",
        "{salesforce_opportunity_id: key, customer: {salesforce_account_id: crm}}",
        Reference("salesforce_opportunity_id", '["K-1",["salesforce_account_id","A-1"]]'),
        "lookup: {salesforce_opportunity_id: K-1, customer: {salesforce_account_id: A-1}}",
    ),
    (
        "contract",
        f"{{custom_field: {{key: deal, value: key}}, customer: {{{CRM}}}}}",
        Reference("custom_field", '["deal","K-1",["custom_field","crm_id","A-1"]]'),
        "lookup: {custom_field: {key: deal, value: K-1}, customer: {custom_field: {key: crm_id, value: A-1}}}",
    ),
    (
        "contract",
        f"{{uniqueness_key: key, customer: {{{CROSSWALK}}}}}",
        Reference("uniqueness_key", f'["K-1",["id","{UUID}"]]'),
        f"lookup: {{uniqueness_key: K-1, customer: {UUID}}}",
    ),
    *(
        (entity, f"{{{CROSSWALK}}}", Reference("id", UUID), f"id: {UUID}")
        for entity in ("customer", "contract", "subscription")
    ),
]


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right[3])
def test_every_form_names_the_entity_and_an_example_can_say_so(load, tmp_path, right):
    entity, lookup, reference, expected = right
    event = f"{{id: evt_1, type: x, created: 1, tier: gold, crm: A-1, key: K-1, owner: {UUID}, number: 7}}"
    expect = f"[{{entity: {entity}, {expected}, set: {{tier: gold}}}}]"
    source, problems = load(lookup, entity, more=f"examples: [{{name: e, event: {event}, expect: {expect}}}]\n")
    assert problems == []
    (change,) = made(source).changes
    assert change.reference == reference
    assert files.check(files.load(tmp_path, SECRETS.get), NOW) == ()


WRONG = [
    ("customer", "{}", "6:13: one thing to look up by is expected: accepted are crosswalk, custom_field, ingest_alias"),
    ("customer", "{ingest_alias: a, salesforce_account_id: b}", "6:13: one thing to look up by is expected"),
    ("customer", "{custom_feld: {key: a, value: b}}", "6:14: no key 'custom_feld': did you mean 'custom_field'?"),
    ("customer", "{custom_field: crm_id}", "6:28: a block of keys is expected here"),
    ("customer", "{custom_field: {key: crm_id}}", "6:28: 'value' is missing"),
    ("customer", "{custom_field: {value: crm}}", "6:28: 'key' is missing"),
    ("customer", "{custom_field: {key: a, valu: b, value: b}}", "6:37: no key 'valu': did you mean 'value'?"),
    ("customer", f"{{custom_field: {{key: {'x' * 101}, value: b}}}}", "6:34: Longer than maximum length 100."),
    ("customer", "{custom_field: {key: a, value: 'lower(b'}}", "6:52: not a JMESPath expression"),
    ("customer", "{custom_field: {key: a, value: b, path: c}}", "6:47: no key 'path'"),
    ("customer", "{uniqueness_key: key, customer: owner}", "6:13: uniqueness_key finds a contract, not a customer"),
    ("subscription", f"{{{CRM}}}", "6:13: custom_field finds a contract or a customer, not a subscription"),
    ("customer", f"{{{CRM}, customer: owner}}", "only a contract is looked up under one"),
    ("contract", f"{{{CROSSWALK}, customer: owner}}", "a crosswalk needs no customer"),
    ("contract", "{uniqueness_key: key}", "6:13: customer is missing: a contract is looked up under its customer"),
    ("contract", "{ingest_alias: key, customer: owner}", "6:13: ingest_alias finds a customer, not a contract"),
    ("contract", "{customer: owner}", "6:13: one thing to look up by is expected"),
    ("contract", "{uniqueness_key: key, customer: 7}", "6:45: text is expected, not a number"),
    ("contract", "{uniqueness_key: key, customer: []}", "6:45: text is expected, not a list"),
    ("contract", "{uniqueness_key: key, customer: {}}", "6:45: one thing to look up by is expected"),
    ("contract", "{uniqueness_key: key, customer: {id: owner}}", "6:46: no key 'id'"),
    ("contract", "{uniqueness_key: key, customer: {uniqueness_key: k}}", "6:46: no key 'uniqueness_key'"),
    ("contract", "{uniqueness_key: key, customer: {ingest_alais: a}}", "did you mean 'ingest_alias'?"),
    ("contract", "{uniqueness_key: key, customer: {ingest_alias: 'a['}}", "6:63: not a JMESPath expression"),
    ("contract", "{uniqueness_key: key, customer: 'a['}", "6:48: not a JMESPath expression"),
    ("contract", "{uniqueness_key: key, customer: {custom_field: {key: a, value: 'a['}}}", "6:79: not a JMESPath"),
    ("customer", "{crosswalk: customers.csv}", "6:25: a block of keys is expected here"),
    ("customer", "{crosswalk: {file: customers.csv, from: crm_id, value: crm}}", "6:25: 'to' is missing"),
    (
        "customer",
        f"{{{CROSSWALK.replace('value: crm', 'value: crm, form: a')}}}",
        "no key 'form': did you mean 'from'?",
    ),
    ("customer", f"{{{CROSSWALK.replace('value: crm', 'value: lower(crm')}}}", "not a JMESPath expression"),
    ("customer", f"{{{CROSSWALK.replace('customers.csv', 'others.csv')}}}", "6:32: others.csv is not there"),
    (
        "customer",
        f"{{{CROSSWALK.replace('from: crm_id', 'from: crm')}}}",
        "6:53: customers.csv has no column 'crm': did",
    ),
    ("customer", f"{{{CROSSWALK.replace('to: metronome_id', 'to: x')}}}", "6:65: customers.csv has no column 'x'"),
]
OUTSIDE = ["../a.csv", "/etc/passwd", "a/b.csv", "..csv", ".hidden.csv", "customers.txt", "C:\\a.csv", "a\\b.csv"]
WRONG += [("customer", f"{{{CROSSWALK.replace('customers.csv', repr(one))}}}", "the name of a file") for one in OUTSIDE]


@pytest.mark.parametrize(("entity", "lookup", "problem"), WRONG)
def test_every_other_form_is_told_with_its_place(load, entity, lookup, problem):
    source, problems = load(lookup, entity)
    assert source is None
    assert [problem in told for told in problems] == [True], problems


EXPECTED = [
    ("{crosswalk: {file: c.csv, from: a, to: b, value: c}}", "a crosswalk leads to an id: expect that"),
    (
        "{uniqueness_key: K, customer: {crosswalk: {file: c.csv, from: a, to: b, value: c}}}",
        "a crosswalk leads to an id",
    ),
    ("{custom_field: A-1}", "a block of keys is expected here"),
    ("{custom_field: {key: crm, value: 7}}", "text is expected, not a number"),
]


@pytest.mark.parametrize(("expected", "problem"), EXPECTED)
def test_an_expectation_that_could_never_be_met_is_told(load, expected, problem):
    more = f"examples:\n  - {{name: e, event: {{id: a, type: b, created: 1}}, expect: [{{lookup: {expected}}}]}}\n"
    source, problems = load("{ingest_alias: crm}", more=more)
    assert source is None
    assert [problem in told for told in problems] == [True], problems


UNUSABLE = [
    (f"{{{CRM}}}", {"crm": "x" * 201}, "lookup custom_field: crm must have at most 200 printable characters"),
    (f"{{{CRM}}}", {"crm": f"{NEEDLE}\n"}, "lookup custom_field: crm must have at most 200 printable characters"),
    (f"{{{CRM}}}", {}, "lookup custom_field: crm is missing"),
    (f"{{{CRM}}}", {"crm": [NEEDLE]}, "lookup custom_field: crm is a list: map one of its parts"),
    (f"{{{CROSSWALK}}}", {"crm": NEEDLE}, "lookup crosswalk: crm: no row in customers.csv has this crm_id"),
    (f"{{{CROSSWALK}}}", {"crm": ""}, "lookup crosswalk: crm is null or empty"),
    ("{uniqueness_key: key, customer: owner}", {"key": "K", "owner": NEEDLE}, "id: owner is no UUID"),
    ("{uniqueness_key: key, customer: {ingest_alias: a}}", {"key": "K"}, "lookup ingest_alias: a is missing"),
    ("{uniqueness_key: key, customer: {ingest_alias: a}}", {"a": "b"}, "lookup uniqueness_key: key is missing"),
]


@pytest.mark.parametrize(("lookup", "payload", "reason"), UNUSABLE)
def test_a_payload_that_names_nobody_fails_the_rule_and_is_not_quoted(load, lookup, payload, reason):
    source, problems = load(lookup, "contract" if "customer:" in lookup else "customer")
    assert problems == []
    result = made(source, {**payload, "tier": "gold"})
    assert result.changes == ()
    assert result.reason.startswith(f"rule 'r': {reason}")
    assert NEEDLE not in result.reason


@given(payload=json_values("tier", "crm", "key", "owner"))
@QUICK
def test_whatever_the_payload_holds_translating_it_raises_nothing(tmp_path_factory, payload):
    folder = tmp_path_factory.mktemp("mappings")
    (folder / "customers.csv").write_text(CSV)
    for number, (entity, lookup, *_) in enumerate(RIGHT):
        (folder / f"crm{number}.yaml").write_text(RULE.format(entity=entity, lookup=lookup))
    for source in files.load(folder, SECRETS.get).sources.values():
        for change in made(source, payload).changes:
            reference = change.reference
            assert str(reference)
            assert Reference.of(reference.kind, reference.parts, reference.customer) == reference


@given(
    parts=st.lists(texts(), min_size=1, max_size=1),
    customer=st.none() | texts().map(lambda text: ("ingest_alias", text)),
)
@QUICK
def test_what_a_reference_is_made_of_is_read_from_it_again(parts, customer):
    under = Reference(*customer) if customer else None
    reference = Reference.of("uniqueness_key" if under else "ingest_alias", parts, under)
    assert (reference.parts, reference.customer) == (tuple(parts), under)
    nested = Reference.of("custom_field", ["deal", *parts], Reference.of("custom_field", ["crm", *parts]))
    assert nested.parts == ("deal", *parts)
    assert nested.customer.parts == ("crm", *parts)


# Crosswalks.

READABLE = {
    "as Excel saves it": b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(),
    "old line ends": CSV.replace("\n", "\r").encode(),
    "empty lines": CSV.replace("\n", "\n\n,,\n").encode(),
    "spaces": CSV.replace(",", " , ").encode(),
    "quotes": CSV.replace("Acme", '"Acme, ""the""\r\nCompany"').encode(),
    "other columns": CSV.replace("name", "größe,name").replace("Acme", "L,Acme").replace("Bolt", "L,Bolt").encode(),
    "no end of the last line": CSV.rstrip().encode(),
}


@pytest.mark.parametrize("content", READABLE.values(), ids=READABLE)
@pytest.mark.parametrize("crm", ["A-2", " A-2 "])
def test_a_crosswalk_is_read_however_it_was_saved(load, content, crm):
    source, problems = load(f"{{{CROSSWALK}}}", csv=content)
    assert problems == []
    (change,) = made(source, {"tier": "gold", "crm": crm}).changes
    assert change.reference == Reference("id", OTHER_UUID)


UNREADABLE = [
    (None, "crm.yaml:6:32: customers.csv is not there, or is no file: put it beside the mapping file"),
    (b"", "crm.yaml:6:32: customers.csv is empty: a line with the names of its columns is expected"),
    (b"\n\n", "crm.yaml:6:32: customers.csv is empty"),
    (b"crm_id,metronome_id\nA\xff,b", "crm.yaml:6:32: customers.csv is not UTF-8 text: byte 22 does not belong there"),
    (CSV.encode("utf-16"), "customers.csv is not UTF-8 text"),
    (b'crm_id,metronome_id\n"A-1,b\n', "customers.csv is not CSV: unexpected end of data in line 2"),
    (CSV.replace(",", ";"), "crm.yaml:6:53: customers.csv has no column 'crm_id': its columns are separated by ;"),
    (CSV.replace("name", "crm_id"), "crm.yaml:6:53: customers.csv has 2 columns 'crm_id'"),
    (CSV + "A-3,Coil\n", "customers.csv:4:1: has 2 cells: 3 columns are named"),
    (CSV + "A-3,Coil,no uuid\n", "customers.csv:4:1: metronome_id is no UUID"),
    (CSV + f"\nA-1,Acme,{OTHER_UUID}\n", "customers.csv:5:1: this crm_id is given twice: first in line 2"),
    (b"x" * (MAX_CROSSWALK_BYTES + 1), "customers.csv has more than 10 MiB"),
    ("crm_id,metronome_id\n" + "a,b\n" * (MAX_ROWS + 1), f"customers.csv has more than {MAX_ROWS} rows"),
]


@pytest.mark.parametrize(("content", "problem"), UNREADABLE, ids=[problem[:50] for _, problem in UNREADABLE])
def test_a_crosswalk_that_cannot_be_used_is_told_with_its_place(load, content, problem):
    source, problems = load(f"{{{CROSSWALK}}}", csv=content)
    assert source is None
    assert [problem in told for told in problems] == [True], problems


def test_a_folder_in_place_of_a_crosswalk_is_no_file(load, tmp_path):
    (tmp_path / "customers.csv").mkdir()
    assert "is not there, or is no file" in load(f"{{{CROSSWALK}}}", csv=None)[1][0]


def test_of_very_many_bad_rows_the_first_are_told(load):
    _, problems = load(f"{{{CROSSWALK}}}", csv="crm_id,metronome_id\n" + "".join(f"{n},x\n" for n in range(1000)))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].startswith(f"customers.csv:{MAX_PROBLEMS + 2}:1: and {1000 - MAX_PROBLEMS} more such lines")


def test_rows_without_an_id_are_left_out_and_told(load):
    source, problems = load(f"{{{CROSSWALK}}}", csv=CSV + f"A-3,Coil,\n,,{UUID}\n")
    left_out = "rows with an empty crm_id or metronome_id are left out: 2, of which this is the first"
    assert problems == [f"customers.csv:4:1: warning: {left_out}"]
    assert made(source, {"tier": "gold", "crm": "A-3"}).reason.endswith("no row in customers.csv has this crm_id")


def test_a_mapping_with_another_crosswalk_is_another_mapping(load):
    digests = [load(f"{{{CROSSWALK}}}", csv=csv)[0].digest for csv in (CSV, CSV.replace("Acme", "Acne"), CSV)]
    assert digests[0] == digests[2] != digests[1]
    plain = [load("{ingest_alias: crm}", csv=csv)[0].digest for csv in (CSV, CSV.replace("Acme", "Acne"))]
    assert plain[0] == plain[1]


def test_many_rules_read_a_crosswalk_once(load):
    another = f"  - {{name: s, entity: contract, lookup: {{{CROSSWALK}}}, fields: {{a: b}}}}\n"
    source, _ = load(f"{{{CROSSWALK}}}", more=another)
    first, second = source.rules
    assert first.locator.crosswalk is second.locator.crosswalk


def test_a_row_that_was_added_is_found_once_the_files_are_read_anew(load):
    source, _ = load(f"{{{CROSSWALK}}}")
    payload = {"tier": "gold", "crm": "A-3"}
    assert made(source, payload).changes == ()
    source, _ = load(f"{{{CROSSWALK}}}", csv=CSV + f"A-3,Coil,{OTHER_UUID}\n")
    assert made(source, payload).changes[0].reference == Reference("id", OTHER_UUID)


def test_a_rule_says_by_which_custom_fields_of_customers_it_looks_up(load):
    found = [load(lookup, entity)[0].rules[0].locator.indexed_keys for entity, lookup, *_ in RIGHT]
    assert [sorted(keys) for keys in found] == [[], ["crm_id"], ["größe"], ["n"], [], [], ["crm_id"], [], [], [], []]

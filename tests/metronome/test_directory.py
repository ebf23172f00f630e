"""Whose entity is this? Asked of a fake that gives out pages as Metronome does."""

import pytest

from bridge.gates import Endpoint
from bridge.mapping import lookups as mapping_lookups
from bridge.metronome.directory import CONTRACT_LOOKUPS, LOOKUPS, MAX_PAGES, Directory, Found, Page
from bridge.model import Outcome, Reference, Verdict
from bridge.times import SECOND

ACCEPTED = Outcome(Verdict.ACCEPTED, 200)
ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"
THREE = "00000000-0000-4000-8000-000000000003"

ALIAS = Reference("ingest_alias", "cus_1")
SHORT = "0015f00000AbCdE"
LONG = "0015f00000AbCdEAAV"


class Pages:
    """Gives out these pages, one after the other, whatever was asked. An Outcome in place of a page is a failure."""

    def __init__(self, *pages):
        self.pages = pages
        self.asked = []

    def customers(self, query):
        self.asked.append(dict(query))
        number = int(query.get("next_page", "1"))
        page = self.pages[number - 1]
        if isinstance(page, Outcome):
            return page, {}
        return ACCEPTED, {"data": page, "next_page": str(number + 1) if number < len(self.pages) else None}

    def contracts(self, customer_id):
        self.asked.append(customer_id)
        (page,) = self.pages
        return (page, {}) if isinstance(page, Outcome) else (ACCEPTED, {"data": page})


def customer(customer_id, *aliases, account=None):
    return {
        "id": customer_id,
        "ingest_aliases": list(aliases),
        "customer_config": {"salesforce_account_id": account},
        "name": "Acme",
        "custom_fields": {},
    }


def find(reference, *pages):
    return Directory(Pages(*pages)).find(reference)


def salesforce(account):
    return Reference("salesforce_account_id", account)


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        (ALIAS, {"ingest_alias": "cus_1", "limit": "100"}),
        (salesforce(LONG), {"salesforce_account_ids": LONG, "limit": "100"}),
    ],
)
def test_a_lookup_is_one_question(reference, asked):
    customers = Pages([])
    Directory(customers).find(reference)
    assert customers.asked == [asked]


def test_every_kind_of_lookup_is_asked_about_here():
    assert set(LOOKUPS) == {"ingest_alias", "salesforce_account_id"}
    assert set(CONTRACT_LOOKUPS) == {"uniqueness_key", "salesforce_opportunity_id", "custom_field"}


@pytest.mark.parametrize("kinds", [LOOKUPS, CONTRACT_LOOKUPS])
def test_mappings_and_the_directory_speak_of_the_same_kinds(kinds):
    assert set(kinds) <= set(mapping_lookups.LOOKUPS)


FINDS = [
    pytest.param(ALIAS, [[customer(ONE, "cus_1")]], (ONE,), id="one"),
    pytest.param(ALIAS, [[customer(ONE, "acme", "cus_1", "acme-2")]], (ONE,), id="one of several aliases"),
    pytest.param(ALIAS, [[]], (), id="none"),
    pytest.param(ALIAS, [[customer(ONE, "cus_1"), customer(TWO, "cus_1")]], (ONE, TWO), id="several"),
    pytest.param(ALIAS, [[customer(ONE, "cus_1")] * 2], (ONE,), id="the same one twice"),
    # A filter that the API ignored: everybody is in the answer.
    pytest.param(ALIAS, [[customer(ONE, "cus_2"), customer(TWO, "cus_1"), customer(THREE)]], (TWO,), id="ignored"),
    pytest.param(ALIAS, [[customer(ONE, "cus_2"), customer(TWO)]], (), id="ignored, and none"),
    pytest.param(ALIAS, [[customer(ONE, "CUS_1", "cus_10", "cus", " cus_1")]], (), id="nearly"),
    pytest.param(ALIAS, [[customer(ONE, account="cus_1")]], (), id="carried elsewhere"),
    pytest.param(ALIAS, [[], [customer(ONE, "cus_1")]], (ONE,), id="on the second page"),
    pytest.param(ALIAS, [[customer(ONE, "cus_1")], [customer(TWO, "cus_1")]], (ONE, TWO), id="on two pages"),
    pytest.param(ALIAS, [[customer(ONE, "cus_1")]] * 3, (ONE,), id="the same one on every page"),
    pytest.param(salesforce(SHORT), [[customer(ONE, account=SHORT)]], (ONE,), id="15 of 15"),
    pytest.param(salesforce(SHORT), [[customer(ONE, account=LONG)]], (ONE,), id="15 of 18"),
    pytest.param(salesforce(LONG), [[customer(ONE, account=SHORT)]], (ONE,), id="18 of 15"),
    pytest.param(salesforce(LONG), [[customer(ONE, account=LONG)]], (ONE,), id="18 of 18"),
    # The first 15 characters tell upper from lower case apart.
    pytest.param(salesforce(LONG), [[customer(ONE, account=SHORT.lower())]], (), id="another case"),
    pytest.param(salesforce(LONG), [[customer(ONE, account=SHORT[:-1])]], (), id="14 characters"),
    pytest.param(salesforce(SHORT[:-1]), [[customer(ONE, account=SHORT)]], (), id="asked with 14 characters"),
    pytest.param(salesforce(SHORT), [[customer(ONE), customer(TWO, SHORT)]], (), id="no account"),
    pytest.param(salesforce(""), [[customer(ONE, account=""), customer(TWO)]], (), id="an empty account"),
    # Only 18 characters have a checksum to leave out.
    pytest.param(salesforce("customer-number-1"), [[customer(ONE, account="customer-number-2")]], (), id="no such id"),
    pytest.param(salesforce("customer-number-1"), [[customer(ONE, account="customer-number-1")]], (ONE,), id="as is"),
]


@pytest.mark.parametrize(("reference", "pages", "found"), FINDS)
def test_whoever_carries_the_value_is_found_and_nobody_else(reference, pages, found):
    assert find(reference, *pages) == Found(ACCEPTED, found)


BOTH = {"ingest_aliases": ["cus_1"], "customer_config": {"salesforce_account_id": LONG}}
MALFORMED = {
    "null": None,
    "number": 7,
    "text": "cus_1",
    "array": [],
    "nothing in it": {},
    "no id": BOTH,
    "id is null": {**BOTH, "id": None},
    "id is a number": {**BOTH, "id": 7},
    "id is empty": {**BOTH, "id": ""},
    "id has a NUL": {**BOTH, "id": "a\x00b"},
    "id is long": {**BOTH, "id": "a" * 256},
    "id alone": {"id": ONE},
    "details are null": {"id": ONE, "ingest_aliases": None, "customer_config": None},
    "details are text": {"id": ONE, "ingest_aliases": "not cus_1 at all", "customer_config": LONG},
    "details are numbers": {"id": ONE, "ingest_aliases": 7, "customer_config": 7},
    "details are booleans": {"id": ONE, "ingest_aliases": True, "customer_config": True},
    "details are of each other's type": {"id": ONE, "ingest_aliases": {"cus_1": 1}, "customer_config": [LONG]},
    "values are no text": {
        "id": ONE,
        "ingest_aliases": [None, 7, ["cus_1"], {"cus_1": 1}],
        "customer_config": {"salesforce_account_id": 7},
    },
    "account is an array": {"id": ONE, "customer_config": {"salesforce_account_id": [LONG]}},
    "account is an object": {"id": ONE, "customer_config": {"salesforce_account_id": {LONG: 1}}},
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("reference", [ALIAS, salesforce(LONG)], ids=lambda reference: reference.kind)
def test_what_is_no_customer_is_passed_over(reference, malformed):
    proper = customer(TWO, "cus_1", account=LONG)
    assert find(reference, [malformed, proper]) == Found(ACCEPTED, (TWO,))


FAILURES = [
    Outcome(Verdict.LIMITED, 429, "slow down", 7 * SECOND),
    Outcome(Verdict.UNAVAILABLE, message="no answer: ReadTimeout"),
    Outcome(Verdict.UNAUTHORIZED, 401, "who are you?"),
    Outcome(Verdict.REFUSED, 400, "limit must be from 1 to 100"),
    Outcome(Verdict.UNKNOWN, 404, "Not Found"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.verdict)
def test_a_question_that_failed_is_no_answer(failure):
    assert find(ALIAS, failure) == Found(failure)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.verdict)
def test_half_an_answer_is_no_answer(failure):
    """Who was found on the first page might not be the only one."""
    assert find(ALIAS, [customer(ONE, "cus_1")], failure) == Found(failure)


def test_pages_are_asked_for_one_by_one():
    customers = Pages([customer(ONE)], [customer(TWO)], [])
    Directory(customers).find(ALIAS)
    assert [asked.get("next_page") for asked in customers.asked] == [None, "2", "3"]
    assert {(asked["ingest_alias"], asked["limit"]) for asked in customers.asked} == {("cus_1", "100")}


def test_a_filter_that_is_ignored_does_not_lead_through_all_customers():
    customers = Pages(*[[customer(ONE)]] * 1000)
    assert Directory(customers).find(ALIAS) == Found(ACCEPTED)
    assert len(customers.asked) == MAX_PAGES


def test_a_cursor_that_leads_nowhere_new_is_not_followed_for_ever():
    class Circle:
        def __init__(self):
            self.asked = 0

        def customers(self, query):
            self.asked += 1
            return ACCEPTED, {"data": [customer(ONE, "cus_1")], "next_page": "the same"}

    circle = Circle()
    assert Directory(circle).find(ALIAS) == Found(ACCEPTED, (ONE,))
    assert circle.asked == MAX_PAGES


@pytest.mark.parametrize("last", [{"next_page": None}, {"next_page": ""}, {}])
def test_the_last_page_names_no_next_one(last):
    class OnePage:
        def customers(self, query):
            assert "next_page" not in query
            return ACCEPTED, {"data": [customer(ONE, "cus_1")], **last}

    assert Directory(OnePage()).find(ALIAS) == Found(ACCEPTED, (ONE,))


def by_field(customer_id, **held):
    return {**customer(customer_id), "custom_fields": held}


CARRYING = [
    ([by_field(ONE, crm="A-1")], (ONE,)),
    ([by_field(ONE, crm="A-1"), by_field(TWO, crm="A-1")], (ONE, TWO)),
    ([by_field(ONE, crm="A-1")] * 2, (ONE,)),
    ([by_field(ONE, crm="a-1"), by_field(TWO, crm="A-1 ")], ()),
    ([by_field(ONE, erp="A-1"), by_field(TWO)], ()),
    # A filter that the API ignored.
    ([by_field(ONE, crm="A-1"), by_field(THREE, crm="A-1")], (ONE,)),
    ([{"id": ONE, "custom_fields": held} for held in (None, [], "crm", {"crm": ["A-1"]}, {"crm": None})], ()),
    ([None, 7, {}, {"id": 7}, {"id": ONE}], ()),
    ([], ()),
]


@pytest.mark.parametrize(("page", "found"), CARRYING)
def test_of_candidates_those_who_have_the_custom_field_are_taken(page, found):
    assert Directory(Pages(page)).carrying("crm", "A-1", [ONE, TWO]) == Found(ACCEPTED, found)


def contract(contract_id, **given):
    return {"id": contract_id, "customer_id": ONE, **given}


DEAL = Reference.of("uniqueness_key", ["K-1"], ALIAS)
OPPORTUNITY = Reference.of("salesforce_opportunity_id", [LONG], ALIAS)
FIELD = Reference.of("custom_field", ["deal", "7"], ALIAS)
FOUND_CONTRACTS = [
    (DEAL, [contract(TWO, uniqueness_key="K-1"), contract(THREE, uniqueness_key="k-1")], (TWO,)),
    (DEAL, [contract(TWO, uniqueness_key="K-1"), contract(THREE, uniqueness_key="K-1")], (TWO, THREE)),
    (DEAL, [contract(TWO), contract(THREE, uniqueness_key=None), contract(ONE, name="K-1")], ()),
    (OPPORTUNITY, [contract(TWO, salesforce_opportunity_id=SHORT)], (TWO,)),
    (OPPORTUNITY, [contract(TWO, salesforce_opportunity_id=SHORT.lower()), contract(THREE)], ()),
    (FIELD, [contract(TWO, custom_fields={"deal": "7"}), contract(THREE, custom_fields={"deal": "8"})], (TWO,)),
    (FIELD, [None, "x", contract(None), contract(TWO), contract(THREE, custom_fields=None)], ()),
]


@pytest.mark.parametrize(("reference", "page", "found"), FOUND_CONTRACTS, ids=range(len(FOUND_CONTRACTS)))
def test_a_contract_is_known_by_what_it_carries(reference, page, found):
    contracts = Pages(page)
    assert Directory(contracts).contracts(reference, ONE) == Found(ACCEPTED, found, endpoint=Endpoint.CONTRACTS)
    assert contracts.asked == [ONE]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.verdict)
def test_a_failure_is_no_answer_whatever_was_asked(failure):
    directory = Directory(Pages(failure))
    assert directory.carrying("crm", "A-1", [ONE]) == Found(failure)
    assert directory.page(None) == Page(failure)
    found = directory.contracts(DEAL, ONE)
    # A customer who is not there has no contract.
    assert found == Found(
        failure if failure.verdict is not Verdict.UNKNOWN else Outcome(Verdict.ACCEPTED, 404, "Not Found"),
        endpoint=Endpoint.CONTRACTS,
    )


def test_all_customers_come_page_by_page():
    directory = Directory(Pages([by_field(ONE), None], []))
    first = directory.page(None)
    assert first == Page(ACCEPTED, (by_field(ONE),), "2")
    assert directory.page(first.cursor) == Page(ACCEPTED)

"""The emulator of Airtable, asked by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from pyairtable import Api
from pyairtable.api.table import Table as Client

from genesis.testing.airtable import Airtable, Limits, Table
from genesis.testing.airtable.server import Token

FREE = Limits(calls=10_000)
FIELDS = [
    {"name": "Name", "type": "singleLineText"},
    {"name": "Age", "type": "number", "options": {"precision": 1}},
    {"name": "Done", "type": "checkbox", "options": {"icon": "check", "color": "greenBright"}},
    {"name": "Born", "type": "date", "options": {"dateFormat": {"name": "iso"}}},
    {"name": "Status", "type": "singleSelect", "options": {"choices": [{"name": "PREP"}]}},
    {"name": "Tags", "type": "multipleSelects", "options": {"choices": [{"name": "a"}]}},
]


@pytest.fixture
def airtable() -> Iterator[Airtable]:
    with Airtable(limits=FREE) as emulator:
        emulator.base("app1").create_table({"name": "People", "fields": FIELDS})
        yield emulator


@pytest.fixture
def people(airtable: Airtable) -> Table:
    return airtable.base("app1").table("People")


@pytest.fixture
def client(airtable: Airtable) -> Client:
    return api(airtable).table("app1", "People")


def api(airtable: Airtable, token: str = "any") -> Api:  # noqa: S107
    return Api(token, endpoint_url=airtable.url, retry_strategy=None, timeout=(5, 5))


def refused(error: pytest.ExceptionInfo[requests.HTTPError]) -> tuple[int, Any]:
    return error.value.response.status_code, error.value.response.json()


def test_what_is_empty_is_left_out(client: Client) -> None:
    """False too, and nothing else that is false to Python."""
    client.create({"Name": "", "Age": 0, "Done": False, "Tags": [], "Born": None})
    assert [record["fields"] for record in client.all()] == [{"Age": 0}]


def test_pages_of_a_hundred(airtable: Airtable, people: Table, client: Client) -> None:
    """The last one has no offset."""
    for number in range(200):
        people.add(Name=str(number))
    assert [r["fields"]["Name"] for r in client.all()] == [str(n) for n in range(200)]
    assert len(airtable.calls) == 2


def test_fields_by_id(people: Table, client: Client) -> None:
    """Also when so many are asked for that the client sends a body."""
    people.add(Name="Ada", Age=36)
    id_ = people.field("Name").id
    assert client.all(fields=[id_], use_field_ids=True)[0]["fields"] == {id_: "Ada"}
    assert client.all(fields=[id_] * 900, use_field_ids=True)[0]["fields"] == {id_: "Ada"}


def test_patch_keeps_and_put_erases(people: Table, client: Client) -> None:
    """Which is why nobody should use PUT."""
    record = people.add(Name="Ada", Age=36)
    client.batch_update([{"id": record.id, "fields": {"Age": 37}}])
    assert people.rows == [{"Name": "Ada", "Age": 37}]
    client.batch_update([{"id": record.id, "fields": {"Age": 38}}], replace=True)
    assert people.rows == [{"Age": 38}]


def test_upsert_merges_or_makes_or_fails(people: Table, client: Client) -> None:
    """By the fields it is told, and never where two records match."""
    people.add(Name="Ada", Age=36)
    rows = [{"fields": {"Name": "Ada", "Age": 1}}, {"fields": {"Name": "Bob"}}]
    told = client.batch_upsert(rows, key_fields=["Name"])
    assert (len(told["updatedRecords"]), len(told["createdRecords"])) == (1, 1)
    people.duplicate(people.find(Name="Ada"))
    with pytest.raises(requests.HTTPError) as error:
        client.batch_upsert([{"fields": {"Name": "Ada"}}], key_fields=["Name"])
    assert refused(error)[0] == 422


def test_upsert_finds_what_is_there_by_now(people: Table, client: Client) -> None:
    """Whatever people and programs did to records since the last one."""
    ada = people.add(Name="Ada", Age=36)

    def merges(name: str) -> bool:
        told = client.batch_upsert([{"fields": {"Name": name}}], key_fields=["Name"])
        return bool(told["updatedRecords"])

    assert merges("Ada")
    people.edit(ada, Name="Eve")
    assert (merges("Eve"), merges("Ada")) == (True, False)
    people.remove(ada)
    assert (merges("Eve"), merges("Ada")) == (False, True)
    client.batch_update([{"id": people.find(Name="Ada").id, "fields": {"Age": 1}}], replace=True)
    assert not merges("Ada")
    assert client.batch_upsert([{"fields": {"Age": 1}}], key_fields=["Age"])["updatedRecords"]
    people.remove_field("Age")
    assert merges("Eve")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("Age", "12", 'Field "Age" cannot accept the provided value'),
        ("Name", 12, 'Field "Name" cannot accept the provided value'),
        ("Born", "tomorrow", 'Field "Born" cannot accept the provided value'),
        ("Status", "WRAP", 'Insufficient permissions to create new select option "WRAP"'),
        ("Tags", ["b"], 'Insufficient permissions to create new select option "b"'),
        ("Nmae", "x", 'Unknown field name: "Nmae"'),
    ],
)
def test_a_bad_value_refuses_its_batch(
    people: Table, client: Client, field: str, value: object, message: str
) -> None:
    """Whole, and in Airtable's words."""
    with pytest.raises(requests.HTTPError) as error:
        client.batch_create([{"Name": "good"}, {field: value}])
    assert refused(error)[0] == 422
    assert refused(error)[1]["error"]["message"] == message
    assert people.rows == []


def test_typecast_makes_options(people: Table, client: Client) -> None:
    """Where it is asked for."""
    client.create({"Status": "WRAP"}, typecast=True)
    assert people.field("Status").choices == ["PREP", "WRAP"]


def test_values_are_kept_as_airtable_does(people: Table, client: Client) -> None:
    """Numbers to their precision, instants in UTC to the millisecond."""
    people.add_field(
        "At",
        "dateTime",
        dateFormat={"name": "iso"},
        timeFormat={"name": "24hour"},
        timeZone="utc",
    )
    client.create({"Age": 7.25, "At": "2026-03-01T09:30:00.123456+01:00", "Born": "2026-03-01"})
    row = {"Age": 7.2, "At": "2026-03-01T08:30:00.123Z", "Born": "2026-03-01"}
    assert people.rows == [row]


def test_links_lead_both_ways(airtable: Airtable, people: Table, client: Client) -> None:
    """And only to records that are there."""
    films = airtable.base("app1").add_table("Films", "Title")
    people.add_field("Films", "multipleRecordLinks", linkedTableId=films.id)
    metropolis = films.add(Title="Metropolis")
    client.create({"Name": "Thea", "Films": [metropolis.id]})
    assert films.rows == [{"Title": "Metropolis", "People": [people.find(Name="Thea").id]}]
    with pytest.raises(requests.HTTPError) as error:
        client.create({"Films": ["rec404"]})
    assert refused(error)[1]["error"]["type"] == "ROW_DOES_NOT_EXIST"
    films.remove(metropolis)
    assert people.rows == [{"Name": "Thea"}]


def test_tables_and_fields_are_made(airtable: Airtable) -> None:
    """And read back as the client's own models."""
    base = api(airtable).base("app1")
    table = base.create_table("Films", [{"name": "Title", "type": "singleLineText"}])
    table.create_field("Year", "number", options={"precision": 0}, description="of release")
    schema = base.schema(force=True).table("Films")
    assert [(field.name, field.type) for field in schema.fields] == [
        ("Title", "singleLineText"),
        ("Year", "number"),
    ]
    assert schema.field("Year").description == "of release"
    assert [base.name for base in api(airtable).bases()] == ["app1"]


def test_who_may(airtable: Airtable) -> None:
    """No token, a wrong one, one for another base, one without the scope."""
    airtable.tokens["good"] = Token(["app1"], ["data.records:read"])
    airtable.tokens["other"] = Token(["app2"])
    url = f"{airtable.url}/v0/app1/People"
    assert requests.get(url, timeout=5).status_code == 401
    for token, status in (("bad", 401), ("other", 403), ("good", 200)):
        assert (
            requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code
            == status
        )
    with pytest.raises(requests.HTTPError) as error:
        api(airtable, "good").table("app1", "People").create({})
    assert refused(error)[1]["error"]["type"] == "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"


def test_the_sixth_call_of_a_second_locks_the_base(airtable: Airtable, client: Client) -> None:
    """For half a minute, whoever calls; another base is as it was."""
    airtable.limits = Limits()
    for _ in range(5):
        client.all()
    with pytest.raises(requests.HTTPError) as error:
        client.all()
    assert refused(error)[0] == 429
    airtable.clock.sleep(timedelta(seconds=29))
    with pytest.raises(requests.HTTPError):
        client.all()
    airtable.base("app2").add_table("Empty")
    assert api(airtable).table("app2", "Empty").all() == []
    airtable.clock.sleep(timedelta(seconds=1))
    assert client.all() == []


def test_plans_end(airtable: Airtable, client: Client) -> None:
    """A base is full, a month is spent."""
    airtable.base("app1").max_records = 1
    client.create({})
    with pytest.raises(requests.HTTPError) as error:
        client.create({})
    assert "record limit" in refused(error)[1]["error"]["message"]
    airtable.limits = Limits(calls_a_month=2)
    with pytest.raises(requests.HTTPError) as error:
        client.all()
    assert refused(error)[1]["errors"][0]["error"] == "PUBLIC_API_BILLING_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("fault", "done"),
    [("429", 0), ("503", 0), ("drop", 0), ("500-after", 1), ("drop-after", 1)],
)
def test_faults(airtable: Airtable, people: Table, client: Client, fault: Any, done: int) -> None:
    """Before or after the work is done, the client sees a failure."""
    airtable.faults = {1: fault}
    with pytest.raises(requests.RequestException):
        client.create({"Name": "x"})
    assert len(people.rows) == done


def test_a_list_can_lose_its_place(airtable: Airtable, people: Table, client: Client) -> None:
    """As those of Airtable do after a while."""
    for _ in range(101):
        people.add()
    airtable.faults = {2: "lost-place"}
    with pytest.raises(requests.HTTPError) as error:
        client.all()
    assert refused(error)[1]["error"]["type"] == "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"


def test_what_is_not_emulated_is_refused(airtable: Airtable, client: Client) -> None:
    """Loudly, so that no test passes by chance."""
    for ask in (
        lambda: client.all(formula="1"),
        lambda: client.all(sort=["Name"]),
        lambda: client.all(view="Grid view"),
        lambda: api(airtable).whoami(),
        lambda: client.create_field("Sum", "formula", options={"formula": "1"}),
    ):
        with pytest.raises(requests.HTTPError) as error:
            ask()
        assert refused(error)[0] == 501

"""stock/: upsert by store and SKU."""

from __future__ import annotations

from typing import Any

import pytest

from apps.shop.api.serializers import StockOut
from apps.shop.models import Product, StockLevel
from tests.feedback.api_fixtures import (  # noqa: F401
    Client,
    api_client,
    clean_shop,
    counted,
    loaded_shop,
    other_clients,
)

COUNT = {
    "store": "west",
    "sku": "MUG-1",
    "level": 5,
    "reorder_point": 2,
    "counted_at": "2026-01-05T10:00:00+08:00",
}


def test_a_level_is_made_changed_and_left_alone(client: Client) -> None:
    made = client.send("stock/", COUNT)
    row = StockLevel.objects.get()
    assert (made.status_code, made.json()) == (201, {"index": 0, "status": "created", "id": row.pk})
    assert client.send("stock/", COUNT).json()["status"] == "unchanged"
    later = COUNT | {"level": 3, "counted_at": "2026-01-05T11:00:00+08:00"}
    del later["reorder_point"]
    assert client.send("stock/", later).json()["status"] == "changed"
    row.refresh_from_db()
    assert (row.level, row.reorder_point) == (3, 2)


def test_an_older_count_changes_nothing(client: Client) -> None:
    client.send("stock/", COUNT)
    answer = client.send("stock/", COUNT | {"level": 99, "counted_at": "2026-01-05T09:00:00+08:00"})
    assert (answer.status_code, answer.json()["status"]) == (200, "unchanged")
    assert StockLevel.objects.get().level == 5


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"store": "nowhere"}, 422, "unknown_store"),
        ({"sku": "NONE"}, 422, "unknown_product"),
        ({"level": "many"}, 400, "invalid"),
        ({"level": 10**12}, 400, "max_value"),
        ({"level": None}, 400, "null"),
        ({"reorder_point": -1}, 400, "min_value"),
        ({"counted_at": "soon"}, 400, "invalid"),
    ],
)
def test_refusals_change_nothing(client: Client, change: dict, status: int, code: str) -> None:
    client.send("stock/", COUNT)
    before = StockLevel.objects.values().get()
    answer = client.send("stock/", COUNT | change)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert StockLevel.objects.values().get() == before


def test_many_counts(client: Client) -> None:
    answer = client.send(
        "stock/", [COUNT, COUNT | {"store": "nowhere"}, COUNT | {"store": "east"}, COUNT, "x"]
    )
    assert [r["status"] for r in answer.json()["results"]] == [
        "created",
        "rejected",
        "created",
        "unchanged",
        "rejected",
    ]
    assert answer.json()["results"][0]["id"] == answer.json()["results"][3]["id"]


def test_counts_cost_the_same_for_one_and_for_fifty(client: Client) -> None:
    Product.objects.bulk_create([Product(sku=f"S{i}", name=f"S{i}") for i in range(51)])
    one = counted(lambda: client.send("stock/", [COUNT | {"sku": "S50"}]))[1]
    counts = [COUNT | {"sku": f"S{i}"} for i in range(50)]
    made, fifty = counted(lambda: client.send("stock/", counts))
    assert (made.json()["created"], len(fifty)) == (50, len(one))
    later = [count | {"level": 1, "counted_at": "2026-02-01T00:00:00Z"} for count in counts]
    changed, again = counted(lambda: client.send("stock/", later))
    assert (changed.json()["changed"], len(again)) == (50, len(one))


def test_reading(client: Client, client_for: Any) -> None:
    client.send("stock/", [COUNT, COUNT | {"store": "east", "level": 7}])
    rows = client.read("stock/").json()["results"]
    assert [(row["store"], row["level"]) for row in rows] == [("east", 7), ("west", 5)]
    assert set(rows[0]) == set(StockOut().fields)
    assert rows[1]["counted_at"] == "2026-01-05T10:00:00+08:00"
    assert [row["store"] for row in client.read("stock/", store="west").json()["results"]] == ["west"]
    bound = client_for(["stock:read", "stock:write"], ["west"])
    assert [row["store"] for row in bound.read("stock/").json()["results"]] == ["west"]
    assert bound.read(f"stock/{rows[0]['id']}/").status_code == 404
    assert bound.read(f"stock/{rows[1]['id']}/").json() == rows[1]
    answer = bound.send("stock/", COUNT | {"store": "east", "level": 0, "counted_at": "2026-03-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_permitted")
    assert StockLevel.objects.get(store__code="east").level == 7

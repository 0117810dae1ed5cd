"""Every list of the back office asks the database the same for one row and for fifty."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.contrib import admin
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.feedback.models import Feedback
from tests.test_no_english import pages  # noqa: F401 - a shop in which every table has a row

pytestmark = pytest.mark.django_db


def cloned(row: models.Model, number: int) -> models.Model:
    """A copy that differs wherever the table wants it to."""
    twin = copy.copy(row)
    twin._state = copy.copy(row._state)
    twin.pk = None
    twin._state.adding = True
    unique = {name for names in type(row)._meta.total_unique_constraints for name in names.fields}
    unique |= {name for names in type(row)._meta.unique_together for name in names}
    for constraint in type(row)._meta.constraints:
        unique |= set(getattr(constraint, "fields", ()))
    for field in type(row)._meta.concrete_fields:
        if field.primary_key and not isinstance(field, models.AutoField):
            setattr(twin, field.attname, f"{row.pk}-{number}"[-field.max_length or None :])
        elif not (field.unique or field.name in unique) or field.primary_key or field.choices:
            continue
        elif isinstance(field, models.CharField):
            value = f"{number}-{getattr(row, field.attname)}"
            setattr(twin, field.attname, value[: field.max_length])
        elif isinstance(field, models.IntegerField) and not field.is_relation:
            setattr(twin, field.attname, (getattr(row, field.attname) or 0) + 1000 + number)
    return twin


def filled(model: type[models.Model], row: models.Model, count: int = 50) -> int:
    """Add copies of `row`; answers how many the table took."""
    done = 0
    for number in range(count):
        try:
            with transaction.atomic():
                model._default_manager.bulk_create([cloned(row, number)])
            done += 1
        except (IntegrityError, ValueError):
            return done
    return done


def asked(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200, address
    return len(captured.captured_queries)


def test_lists_ask_the_same_for_one_row_and_for_fifty(pages: Client) -> None:  # noqa: F811
    grown: list[str] = []
    tried: set[str] = set()
    for model, model_admin in admin.site._registry.items():
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        row: Any = model._default_manager.order_by("pk").last()
        if row is None or model is Feedback or not hasattr(model_admin, "list_display"):
            continue
        if pages.get(address).status_code == 302:
            # A policy with one row: its list leads straight there.
            continue
        before = asked(pages, address)
        if filled(model, row) < 40:
            continue
        tried.add(model._meta.label)
        after = asked(pages, address)
        # Pages beyond the first bring no query of their own; a list that filled its first page may add one.
        if after > before + 1:
            grown.append(f"{model._meta.label}: {before} queries, {after} with fifty rows")
    assert not grown, "\n".join(grown)
    # Tables whose rows can be copied: enough of them that this proves something.
    assert len(tried) >= 20, sorted(tried)

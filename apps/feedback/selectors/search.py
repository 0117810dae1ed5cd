"""The search box: what people type, and the fastest index that answers it."""

from __future__ import annotations

import re

from django.db import connection
from django.db.models import Max, Q

from apps.core.hashing import phone_key
from apps.customers.models import Customer, CustomerIdentity
from apps.customers.selectors import survivors
from apps.feedback import search
from apps.feedback.models import FeedbackSearch
from apps.feedback.querysets import FeedbackQuerySet

# More hits than anybody pages through; keeps a search for 不错 from fetching half the table.
MOST_HITS = 200
# Words that stand in every hundredth text or oftener are found among the newest rows without any index.
WINDOW = 20_000
NUMBER = re.compile(r"^F?(\d{1,12})$", re.IGNORECASE)
# An order's or a review's number at a platform: 18 digits at Taobao, letters and dashes elsewhere.
NUMBERED = re.compile(r"^(?=(?:\D*\d){6})[A-Za-z0-9][\w.#/-]{5,119}$", re.ASCII)
HASHED = re.compile(r"^~[0-9a-f]{64}$")
PHONE = re.compile(r"^(\+?86)?1[3-9]\d{9}$")


def without_phone(q: str) -> str:
    """The search as it may stand in an address: a whole phone number becomes its keyed hash (PIPL 51)."""
    compact = q.replace("\x00", "").replace(" ", "").replace("-", "")
    return f"~{phone_key(compact)}" if PHONE.match(compact) else q


def find(queryset: FeedbackQuerySet, q: str) -> FeedbackQuerySet:
    """The newest feedback matching `q`: a case number, a whole phone or order number, a platform id, or words.

    Words match the masked text (decision 12): two Chinese characters hit an index on PostgreSQL. At most MOST_HITS
    rows by words, the newest ones.
    """
    q = q.replace("\x00", "").strip()
    if not q:
        return queryset
    compact = q.replace(" ", "").replace("-", "")
    if PHONE.match(compact) or HASHED.match(q):
        key = q[1:] if q[0] == "~" else phone_key(compact)
        held = list(Customer.objects.filter(phone_hash=key)[:50])
        # Feedback of somebody merged lives on with the record they were merged into.
        lives_on = survivors(held)
        return queryset.filter(customer__in={customer.pk for customer in (*held, *lives_on.values())})
    number = NUMBER.match(q)
    if number and q[0] in "Ff":
        return queryset.filter(pk=int(number.group(1)))
    exact = Q(external_id=q) | Q(order__order_no=q) | Q(order_no=q)
    if NUMBERED.match(q):
        ids = list(queryset.filter(exact).values_list("pk", flat=True)[:MOST_HITS])
        if ids:
            return queryset.filter(pk__in=ids)
    hits = _by_words(q)
    if q.isascii():
        customers = list(
            CustomerIdentity.objects.filter(external_id=q).values_list("customer_id", flat=True)[:20]
        )
        if customers:
            return queryset.filter(Q(pk__in=hits) | Q(customer__in=customers))
    return queryset.filter(pk__in=hits)


def _by_words(q: str) -> list[int]:
    """Keys of the newest rows whose masked text holds every part of `q`."""
    parts = [part for part in search.body_of(q).split() if part]
    rows = FeedbackSearch.objects.all()
    expression = ""
    if connection.vendor == "postgresql":
        expression = search.query(q)
        if not expression:
            return []
    for part in parts:
        # Pairs can lie apart (好用 and 用心 for 好用心): the text itself has the last word.
        if not expression or len(part) > 2:
            rows = rows.filter(body__contains=part)
    rows = rows.order_by("-feedback_id").values_list("feedback_id", flat=True)
    if not expression:
        return list(rows[:MOST_HITS])
    if "&" in expression:
        # The planner takes several pairs for independent and expects next to nothing, so it would fetch every row of
        # a common word. What is common shows among the newest rows; what does not is rare, and the index is quick.
        newest = FeedbackSearch.objects.aggregate(top=Max("feedback_id"))["top"] or 0
        recent = rows.filter(feedback_id__gt=newest - WINDOW)
        for part in parts:
            recent = recent.filter(body__contains=part)
        found = list(recent[:MOST_HITS])
        if len(found) == MOST_HITS:
            return found
    return list(rows.extra(where=["grams @@ %s::tsquery"], params=[expression])[:MOST_HITS])

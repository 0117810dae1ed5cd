"""From items as they were sent to answers, for the three addresses that take feedback in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.core.api.batches import read_items, refusal, rejected, unknown_names
from apps.core.models import IntegrationToken
from apps.feedback.api import answers
from apps.feedback.api.serializers import FeedbackIn, incoming
from apps.feedback.incoming import IncomingFeedback, Outcome
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import reference

Taker = Callable[[list[IncomingFeedback]], list[Outcome]]
Errors = list[dict[str, Any]]


def take(
    raw: Sequence[Any], taker: Taker, *, token: IntegrationToken | None = None
) -> list[tuple[Outcome | None, Errors, list[str]]]:
    """(outcome, errors, ignored names) of each item, in order. What cannot be read never reaches `taker`.

    A token bound to stores may bring feedback of these stores only: see `_outside`.
    """
    serializer = FeedbackIn()
    read = read_items(serializer, raw)
    ready: list[tuple[int, IncomingFeedback]] = []
    out: list[tuple[Outcome | None, Errors, list[str]]] = []
    for index, (values, errors) in enumerate(read):
        out.append((None, errors, unknown_names(serializer, raw[index])))
        if values is not None:
            ready.append((index, incoming(values)))
    if token is not None and token.stores:
        refused = _outside(token, [item for _index, item in ready])
        for index, item in ready:
            if id(item) in refused:
                out[index] = (None, refused[id(item)], out[index][2])
        ready = [(index, item) for index, item in ready if id(item) not in refused]
    if ready:
        outcomes = taker([item for _index, item in ready])
        for (index, _item), outcome in zip(ready, outcomes, strict=True):
            errors = (
                refusal(outcome.code, outcome.message, outcome.field) if outcome.state == "rejected" else []
            )
            out[index] = (outcome, errors, out[index][2])
    return out


def _outside(token: IntegrationToken, items: list[IncomingFeedback]) -> dict[int, Errors]:
    """What a token bound to stores may not bring, by id() of the item: another store's feedback, nobody's, or
    a later

    version of a review that belongs to another store. With one store, that store is filled in.
    """
    ref = reference()
    allowed = set(token.stores)
    refused: dict[int, Errors] = {}
    for item in items:
        if not item.store and len(token.stores) == 1:
            item.store = token.stores[0]
        store = ref.store(item.store) if item.store else None
        if not item.store:
            refused[id(item)] = refusal(
                "store_missing", _("This token serves several stores: name one."), "store"
            )
        elif store is not None and store.code not in allowed:
            refused[id(item)] = refusal("not_permitted", _("This token does not serve that store."), "store")
    wanted = {item.external_id for item in items if item.external_id}
    if wanted:
        foreign = set(
            Feedback.objects.filter(external_id__in=wanted)
            .exclude(store__code__in=allowed)
            .values_list("channel__code", "external_id")
        )
        for item in items:
            if (item.channel, item.external_id) in foreign:
                refused[id(item)] = refusal(
                    "not_permitted",
                    _("This review belongs to a store that the token does not serve."),
                    "external_id",
                )
    return refused


def results(rows: list[tuple[Outcome | None, Errors, list[str]]]) -> list[dict[str, Any]]:
    """The lines of a bulk answer."""
    ids = {outcome.feedback_id for outcome, errors, _ignored in rows if outcome and not errors}
    tiers = answers.tiers(pk for pk in ids if pk is not None)
    out: list[dict[str, Any]] = []
    for index, (outcome, errors, ignored) in enumerate(rows):
        if errors or outcome is None:
            line = rejected(index, errors)
        else:
            line = {"index": index, "status": outcome.state}
            if outcome.feedback_id is not None:
                line |= {
                    "id": outcome.feedback_id,
                    "number": answers.number(outcome.feedback_id),
                    "tier": tiers.get(outcome.feedback_id),
                }
        if ignored:
            line["ignored"] = ignored
        out.append(line)
    return out

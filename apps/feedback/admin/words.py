"""Frequent words: what customers talk about, what rises, what hurts, what pleases (R12)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin.forms import PageForm
from apps.feedback.choices import Kind, Sentiment, Tier
from apps.feedback.models import Category, Channel
from apps.feedback.selectors.words import slice_words
from apps.shop.models import Product, Store

DAYS = (
    ("7", gettext_lazy("last 7 days")),
    ("30", gettext_lazy("last 30 days")),
    ("90", gettext_lazy("last 90 days")),
)


class SliceForm(PageForm):
    """Which feedback."""

    days = forms.ChoiceField(label=gettext_lazy("Time"), choices=DAYS, initial="30", required=False)
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), required=False)
    store = forms.ChoiceField(label=gettext_lazy("Store"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("Category"), required=False)
    product = forms.ChoiceField(label=gettext_lazy("Product"), required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=[("", "—"), *Kind.choices], required=False)
    sentiment = forms.ChoiceField(
        label=gettext_lazy("Sentiment"), choices=[("", "—"), *Sentiment.choices], required=False
    )
    tier = forms.ChoiceField(label=gettext_lazy("Tier"), choices=[("", "—"), *Tier.choices], required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = {
            "channel": [(row.code, str(row)) for row in Channel.objects.filter(is_active=True)],
            "store": [(row.code, str(row)) for row in Store.objects.filter(is_active=True)],
            "category": [
                (row.code, str(row)) for row in Category.objects.filter(is_active=True, parent__isnull=True)
            ],
            "product": [(row.sku, str(row)) for row in Product.objects.filter(is_active=True)[:300]],
        }
        for name, choices in rows.items():
            field: Any = self.fields[name]
            field.choices = [("", "—"), *choices]


def words_view(request: HttpRequest) -> HttpResponse:
    """GET only: a slice, its words, each with the way to its feedback."""
    if not request.user.has_perm("feedback.view_feedback"):
        raise PermissionDenied
    form = SliceForm(request.GET or None)
    values: dict[str, str] = {"days": "30"}
    if form.is_bound and form.is_valid():
        values |= {name: value for name, value in form.cleaned_data.items() if value}
    days = int(values.pop("days"))
    today = timezone.localdate()
    until = datetime.combine(today + timedelta(days=1), time.min, tzinfo=timezone.get_current_timezone())
    found = slice_words(user=request.user, filters=values, since=until - timedelta(days=days), until=until)
    queue = reverse("admin:feedback_feedback_changelist")

    def link(word: str, **more: str) -> str:
        kept = {name: value for name, value in values.items() if name != "product"}
        return f"{queue}?{urlencode({'tab': 'all', 'q': word} | kept | more)}"

    def lines(words: Any, **more: str) -> list[dict[str, Any]]:
        top = max((row.now for row in words), default=1)
        return [
            {"row": row, "link": link(row.word, **more), "share": round(100 * row.now / top)} for row in words
        ]

    counted = found.counted
    context = {
        **admin.site.each_context(request),
        "title": _("Frequent words"),
        "form": form if form.is_bound else SliceForm(),
        "found": found,
        "counted": counted,
        "columns": [
            (_("Most frequent"), _("in how many feedback"), lines(counted.frequent)),
            (_("Rising"), _("surely more than in the stretch before"), lines(counted.rising)),
            (
                _("Pain points"),
                _("surely more in complaints than in praise"),
                lines(counted.pains, sentiment="negative"),
            ),
            (
                _("What pleases"),
                _("surely more in praise than in complaints"),
                lines(counted.praise, sentiment="positive"),
            ),
        ],
        "small": counted.total < 30,
        "last_day": today,
    }
    return TemplateResponse(request, "admin/feedback/words.html", context)

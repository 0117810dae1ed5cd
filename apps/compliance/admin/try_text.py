"""Try a text before it is sent: what the rules say, where, and what would be lawful."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.compliance.choices import ACTION_COLOURS, Market, RuleAction
from apps.compliance.selectors import check
from apps.compliance.types import Facts, Finding
from apps.core.admin.forms import PageForm

KINDS = (
    ("text", gettext_lazy("any text")),
    ("reply", gettext_lazy("private reply")),
    ("public_reply", gettext_lazy("public reply")),
    ("sms", gettext_lazy("SMS")),
    ("sms_marketing", gettext_lazy("marketing SMS")),
)


class TryForm(PageForm):
    """A text, what it is, where it is read."""

    text = forms.CharField(
        label=gettext_lazy("text"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 6, "autofocus": True}),
    )
    kind = forms.ChoiceField(label=gettext_lazy("what it is"), choices=KINDS, initial="text")
    market = forms.ChoiceField(
        label=gettext_lazy("market"), choices=[c for c in Market.choices if c[0] != "ALL"], initial="CN"
    )


def facts_for(kind: str) -> Facts | None:
    """The facts that the chosen kind of text stands for; a text alone has no reward."""
    if kind == "text":
        return None
    if kind.startswith("sms"):
        return Facts(
            subject="template",
            channel="sms",
            message_class="marketing" if kind.endswith("marketing") else "service",
            reward="none",
            invites_review=False,
            review_script_required=False,
        )
    return Facts(subject=kind, reward="none", invites_review=False, review_script_required=False)  # type: ignore[arg-type]


def marked(text: str, findings: list[Finding]) -> list[tuple[str, str]]:
    """The text in pieces (piece, colour): the heaviest finding colours a place."""
    colours = [""] * len(text)
    for finding in reversed(findings):
        for start, end in finding.spans:
            for place in range(start, min(end, len(text))):
                colours[place] = ACTION_COLOURS[finding.action]
    pieces: list[tuple[str, str]] = []
    for char, colour in zip(text, colours, strict=True):
        if pieces and pieces[-1][1] == colour:
            pieces[-1] = (pieces[-1][0] + char, colour)
        else:
            pieces.append((char, colour))
    return pieces


def shown(findings: list[Finding]) -> list[dict[str, Any]]:
    """Findings as a page draws them."""
    labels = dict(RuleAction.choices)
    return [
        {
            "rule": finding.rule,
            "title": finding.title,
            "message": finding.message,
            "alternative": finding.alternative,
            "law": finding.law,
            "missing": finding.missing,
            "label": labels[finding.action],
            "colour": ACTION_COLOURS[finding.action],
        }
        for finding in findings
    ]


def try_view(request: HttpRequest) -> HttpResponse:
    """GET shows the form, POST the findings. Nothing is kept: it is a try."""
    if not request.user.has_perm("compliance.view_compliancerule"):
        raise PermissionDenied
    form = TryForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "tried": False}
    if request.method == "POST" and form.is_valid():
        text = form.cleaned_data["text"]
        findings = check(
            text,
            facts=facts_for(form.cleaned_data["kind"]),
            market=form.cleaned_data["market"],
            at=timezone.now(),
        )
        context |= {"tried": True, "findings": shown(findings), "pieces": marked(text, findings)}
    return TemplateResponse(
        request,
        "admin/compliance/try.html",
        {**admin.site.each_context(request), "title": _("Check a text")} | context,
    )

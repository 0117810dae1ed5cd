"""The page to try a text, verdicts, editing rules."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from apps.compliance.models import ComplianceRule, Verdict
from apps.compliance.selectors import check, was_approved
from apps.compliance.services import verdicts
from apps.compliance.services.reference_data import load_rules
from apps.core.models import Approval
from apps.core.services import approvals
from tests.factories import NOW, Cast


def test_a_text_is_tried_and_nothing_kept(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    page = client.post(reverse("compliance_try"), {"text": "五星好评返现5元", "kind": "text", "market": "CN"})
    html = page.content.decode()
    assert "<mark" in html and "REV-01" in html and "第九条" in html
    assert not Verdict.objects.exists()
    page = client.post(reverse("compliance_try"), {"text": "您的换货已寄出", "kind": "sms", "market": "CN"})
    assert "REV" not in page.content.decode()


def test_what_needs_approval_is_released_by_a_second_person(cast: Cast) -> None:
    text, key = "写评价领5元券", "feedback:1"
    findings = check(text, at=NOW)
    verdict = verdicts.keep(findings=findings, text=text, by=cast.alice, now=NOW, subject_key=key)
    assert verdict is not None and verdict.ruling == "asked" and not was_approved(subject_key=key, text=text)
    approval = verdicts.ask_approval(verdict=verdict, by=cast.alice, now=NOW, title="t", text=text)
    approvals.approve(approval=Approval.objects.get(pk=approval.pk), by=cast.lin, now=NOW)
    assert was_approved(subject_key=key, text=text)
    assert not was_approved(subject_key=key, text=text + "!")


def test_phone_numbers_are_not_kept_whole(cast: Cast) -> None:
    text = "好评返现,联系13812345678"
    verdict = verdicts.keep(findings=check(text, at=NOW), text=text, by=cast.alice, now=NOW)
    assert verdict is not None and "13812345678" not in verdict.text and verdict.ruling == "blocked"


def test_a_rule_that_fails_its_own_examples_is_not_saved_and_an_edit_stays(cast: Cast) -> None:
    rule = ComplianceRule.objects.get(code="TERM-01")
    cast.lin.is_superuser = True
    cast.lin.save()
    client = Client()
    client.force_login(cast.lin)
    url = reverse("admin:compliance_compliancerule_change", args=[rule.pk])
    import json

    data = {
        name: getattr(rule, name) or ""
        for name in (
            "title_zh title_en action scope confidence message_zh message_en alternative_zh alternative_en law position absent"
        ).split()
    } | {
        "is_active": "on", "negatable": "on", "valid_from": "", "valid_until": "", "hit": "\n".join(rule.hit), "miss": "\n".join(rule.miss), "exceptions": "",
        "subjects": json.dumps(rule.subjects), "patterns": json.dumps(["完全别的"]), "when": "null", "condition": "null",
    }  # fmt: skip
    page = client.post(url, data)
    assert page.status_code == 200 and "最终解释权归本店所有" in page.content.decode()
    rule.refresh_from_db()
    assert rule.version == 1
    page = client.post(url, data | {"patterns": json.dumps(rule.patterns), "action": "warn"})
    assert page.status_code == 302
    rule.refresh_from_db()
    assert (rule.version, rule.action) == (2, "warn")
    load_rules()
    rule.refresh_from_db()
    assert rule.action == "warn"
    assert {f.action for f in check("最终解释权归本店", at=NOW)} == {"warn"}

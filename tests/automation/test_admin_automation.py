"""The pages: a lead builds a rule, tries it, switches it on, reads its log; others may not."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.automation.models import Proposal, Rule, RuleRun, WebhookEndpoint
from apps.automation.services import engine, proposals
from apps.automation.services.stock_file import import_stock, write_rejects
from apps.core.exceptions import DomainError, NotPermitted
from apps.core.models import User
from apps.shop.models import StockLevel, WorkItem
from tests.factories import NOW, Cast, arrive

pytestmark = pytest.mark.django_db


def client(user: User) -> Client:
    browser = Client(HTTP_ACCEPT_LANGUAGE="zh-hans")
    browser.force_login(user)
    return browser


def posted(**values: Any) -> dict[str, Any]:
    rule = {
        "event": "taken_in",
        "event_params": {},
        "conditions": {"all": [{"field": "tier", "op": "in", "value": ["A"]}]},
        "actions": [{"code": "mark", "params": {"name": "跟进"}}],
    } | values
    return {
        "name": "A级打标签",
        "code": "tag-a",
        "position": "50",
        "max_per_hour": "500",
        "definition": json.dumps(rule),
    }


def test_a_lead_builds_tries_and_switches_on_a_rule(cast: Cast) -> None:
    lead = client(cast.lin)
    assert lead.get(reverse("admin:automation_rule_add")).status_code == 200
    bad = lead.post(
        reverse("admin:automation_rule_add"), posted(conditions={"field": "moon", "op": "in", "value": 1})
    )
    assert (
        bad.status_code == 200
        and "moon" in bad.content.decode()
        and not Rule.objects.filter(code="tag-a").exists()
    )
    assert lead.post(reverse("admin:automation_rule_add"), posted()).status_code == 302
    rule = Rule.objects.get(code="tag-a")
    page = lead.get(reverse("admin:automation_rule_change", args=[rule.pk])).content.decode()
    assert "跟进" in page
    enable = reverse("admin:automation_rule_move", args=[rule.pk, "enable"])
    lead.post(enable, {"seen": "draft"})
    rule.refresh_from_db()
    assert rule.status == "draft", "not before a dry run"
    row = arrive("A", now=timezone.now() - timedelta(minutes=5))
    arrive("B", now=timezone.now() - timedelta(minutes=5))
    tried = lead.post(reverse("admin:automation_rule_dry_run", args=[rule.pk]), {"days": "3"}, follow=True)
    assert row.number in tried.content.decode()
    assert lead.get(enable).status_code == 200
    assert Rule.objects.get(pk=rule.pk).status == "draft", "a GET changes nothing"
    lead.post(enable, {"seen": "draft"})
    assert Rule.objects.get(pk=rule.pk).status == "enabled"
    late = arrive("A", now=timezone.now())
    for pk in engine.arrived(feedback_ids=[late.pk], now=timezone.now()):
        engine.work_on(batch_id=pk, now=timezone.now())
    assert late.number in lead.get(reverse("admin:automation_rulerun_changelist")).content.decode()
    case = lead.get(reverse("admin:feedback_feedback_change", args=[late.pk])).content.decode()
    assert "跟进" in case and "A级打标签" in case
    for name in ("rule", "proposal", "rulerun", "webhookendpoint", "webhookdelivery"):
        assert lead.get(reverse(f"admin:automation_{name}_changelist")).status_code == 200
    assert lead.get(reverse("admin:index")).status_code == 200
    ops = client(cast.alice)
    assert ops.get(reverse("admin:automation_rule_change", args=[rule.pk])).status_code == 200
    assert ops.post(reverse("admin:automation_rule_move", args=[rule.pk, "disable"])).status_code == 403
    assert ops.get(reverse("admin:automation_rule_dry_run", args=[rule.pk])).status_code == 403
    assert client(cast.sue).get(reverse("admin:automation_rule_changelist")).status_code == 403
    assert RuleRun.objects.filter(rule=rule).count() == 1


def proposal(kind: str = "compensation") -> Proposal:
    return Proposal.objects.create(
        kind=kind,
        title="优惠券",
        feedback=arrive("A"),
        payload={"amount": 10, "text": "抱歉"},
        expires_at=timezone.now() + timedelta(days=3),
    )


def test_a_proposal_is_decided_once_by_who_may_and_becomes_work(cast: Cast) -> None:
    row = proposal()
    stale = Proposal.objects.get(pk=row.pk)
    with pytest.raises(NotPermitted):
        proposals.confirm(proposal=Proposal.objects.get(pk=row.pk), by=cast.alice, now=NOW)
    lead = client(cast.lin)
    page = lead.get(reverse("admin:automation_proposal_move", args=[row.pk, "confirm"]))
    assert page.status_code == 200 and Proposal.objects.get(pk=row.pk).status == "proposed"
    lead.post(reverse("admin:automation_proposal_move", args=[row.pk, "confirm"]), {"seen": "proposed"})
    with pytest.raises(DomainError):
        proposals.reject(proposal=stale, reason="不需要", by=cast.max, now=NOW)
    row.refresh_from_db()
    item = WorkItem.objects.get(origin_key=f"proposal:{row.pk}")
    assert (row.status, row.decided_by) == ("done", cast.lin) and str(item.pk) in row.result


def test_proposals_expire(cast: Cast) -> None:
    row = proposal("public_reply")
    assert proposals.expire_due(now=row.expires_at + timedelta(minutes=1)) == 1
    row.refresh_from_db()
    assert row.status == "expired"


def test_a_secret_is_shown_once_and_private_addresses_are_refused(cast: Cast) -> None:
    boss = User.objects.create_superuser("root", "root@example.com", "x")
    browser = client(boss)
    add = reverse("admin:automation_webhookendpoint_add")
    values = {"name": "ERP", "code": "erp", "url": "https://127.0.0.1/x", "is_active": "on"}
    assert browser.post(add, values).status_code == 200 and not WebhookEndpoint.objects.exists()
    values["url"] = "https://93.184.216.34/x"
    assert browser.post(add, values).status_code == 302
    row = WebhookEndpoint.objects.get()
    shown = browser.post(reverse("admin:automation_webhookendpoint_secret", args=[row.pk])).content.decode()
    row.refresh_from_db()
    assert (
        row.secret in shown
        and "no-store"
        in browser.get(reverse("admin:automation_webhookendpoint_secret", args=[row.pk]))["Cache-Control"]
    )
    assert (
        row.secret
        not in browser.get(reverse("admin:automation_webhookendpoint_change", args=[row.pk])).content.decode()
    )
    assert browser.get(reverse("admin:automation_webhookendpoint_test", args=[row.pk])).status_code == 405


def test_stock_comes_by_file_and_bad_rows_come_back(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    file.write_text(
        "门店,商品编码,库存,补货点\n人民路店,TEA-1,3,5\nrenmin,NONE,1,1\n人民路店,TEA-1,many,1\n",
        encoding="gb18030",
    )
    report = import_stock(path=file, now=NOW)
    level = StockLevel.objects.get(store=cast.store, product=cast.product)
    assert (level.level, level.reorder_point, report.read) == (3, 5, 3)
    assert [number for number, _values, _why in sorted(report.rejects, key=lambda r: r[0])] == [3, 4]
    write_rejects(report, tmp_path / "rejects.csv")
    assert "NONE" in (tmp_path / "rejects.csv").read_text("utf-8-sig")
    with pytest.raises(DomainError):
        file.write_text("a,b\n1,2\n")
        import_stock(path=file, now=NOW)

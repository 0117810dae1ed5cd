"""Mystery visits and symposiums, from the first entry to the feedback they become (R7, R73)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted
from apps.core.models import Reveal, User
from apps.customers.models import ConsentEvent, ContactHold, Customer
from apps.customers.selectors import timeline_of
from apps.customers.services import merging
from apps.feedback.models import (
    Category,
    Feedback,
    MysteryVisit,
    Symposium,
    SymposiumFinding,
    SymposiumInvitation,
    VisitCriterion,
    VisitFinding,
    VisitScore,
)
from apps.feedback.models.visits import points
from apps.feedback.selectors import visits as visit_selectors
from apps.feedback.selectors.visits import audience
from apps.feedback.services import visits
from tests.core.test_public import photo
from tests.factories import NOW, Cast, make_store
from tests.factories import queries as queries_of

pytestmark = pytest.mark.django_db
VISITS, TALKS = "/admin/feedback/mysteryvisit/", "/admin/feedback/symposium/"


def make_visit(cast: Cast, *texts: str, score: int | None = 8, **values: Any) -> MysteryVisit:
    """A draft with its checklist filled and these findings."""
    defaults = {"store": cast.store, "visited_at": NOW - timedelta(hours=3), "visitor": cast.alice}
    visit = MysteryVisit.objects.create(**(defaults | values))
    visits.start_checklist(visit=visit)
    visit.scores.update(score=score)
    for text in texts:
        VisitFinding.objects.create(visit=visit, text=text, severity="major")
    return visit


def make_talk(cast: Cast, **values: Any) -> Symposium:
    defaults = {"topic": "包装怎么改", "held_at": NOW + timedelta(days=7), "host": cast.lin}
    return Symposium.objects.create(**(defaults | values))


def agreeable(count: int = 1, tier: str = "gold", **values: Any) -> list[Customer]:
    """Customers who said yes to surveys."""
    made = [Customer.objects.create(nickname=f"=客{n}", member_tier=tier, **values) for n in range(count)]
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            customer=row,
            purpose="survey",
            channel="phone",
            granted=True,
            source="test",
            at=NOW - timedelta(9),
        )
        for row in made
    )
    return made


def staff(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# -- mystery visits ----------
def test_at_least_eight_criteria_are_shipped_with_both_names() -> None:
    rows = VisitCriterion.objects.filter(is_active=True)
    assert len(rows) >= 8
    assert all(row.name_zh and row.name_en and 1 <= row.weight <= 100 for row in rows)


def test_points_weigh_the_scores_and_old_visits_keep_their_weights(cast: Cast) -> None:
    visit = make_visit(cast, score=None)
    assert points(list(visit.scores.all())) is None
    first, second = visit.scores.all()[:2]
    VisitScore.objects.filter(pk=first.pk).update(score=10, weight=30)
    VisitScore.objects.filter(pk=second.pk).update(score=5, weight=10)
    assert points(list(visit.scores.all())) == Decimal("87.5")
    VisitCriterion.objects.update(weight=99)
    visits.start_checklist(visit=visit)
    assert points(list(visit.scores.all())) == Decimal("87.5")


def test_a_visit_needs_every_score_and_a_visitor(cast: Cast) -> None:
    visit = make_visit(cast)
    VisitScore.objects.filter(pk=visit.scores.first().pk).update(score=None)
    with pytest.raises(InvalidInput):
        visits.submit(visit=visit, by=cast.alice, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_visit(cast, visitor=None)


def test_findings_become_feedback_exactly_once(cast: Cast) -> None:
    visit = make_visit(cast, "收银台排队二十分钟没人管", "货架上有过期酸奶")
    visits.submit(visit=visit, by=cast.alice, now=NOW)
    visits.record(visit=visit, by=cast.lin, now=NOW)
    rows = Feedback.objects.filter(channel__code="mystery_visit")
    assert rows.count() == 2
    assert {row.store for row in rows} == {cast.store}
    assert set(visit.findings.values_list("feedback", flat=True)) == {row.pk for row in rows}
    assert all(row.kind == "complaint" and row.tier in ("S", "A") and row.clocks.exists() for row in rows)
    with pytest.raises(IllegalMove):
        visits.record(visit=visit, by=cast.lin, now=NOW)
    assert rows.count() == 2
    assert visit.status == "recorded"


def test_a_finding_keeps_category_and_weight_as_staff_judged(cast: Cast) -> None:
    sub = Category.objects.filter(parent__isnull=False).exclude(parent__code="SAFETY").first()
    visit = make_visit(cast)
    VisitFinding.objects.create(visit=visit, text="地上有水", severity="critical", category=sub)
    visits.submit(visit=visit, by=cast.alice, now=NOW)
    visits.record(visit=visit, by=cast.lin, now=NOW)
    feedback = Feedback.objects.get()
    assert (feedback.subcategory, feedback.category, feedback.tier) == (sub, sub.parent, "S")


def test_one_bad_finding_records_nothing(cast: Cast) -> None:
    visit = make_visit(cast, "收银台排队二十分钟没人管", " ")
    visits.submit(visit=visit, by=cast.alice, now=NOW)
    with pytest.raises(InvalidInput, match="2"):
        visits.record(visit=visit, by=cast.lin, now=NOW)
    visit.refresh_from_db()
    assert visit.status == "submitted"
    assert not Feedback.objects.exists()


def test_ops_may_not_record_and_stores_see_no_drafts(cast: Cast) -> None:
    visit = make_visit(cast)
    assert staff(cast.sue).get(f"{VISITS}{visit.pk}/change/").status_code == 302
    visits.submit(visit=visit, by=cast.alice, now=NOW)
    with pytest.raises(DomainError):
        visits.record(visit=visit, by=cast.alice, now=NOW)
    assert staff(cast.alice).post(f"{VISITS}{visit.pk}/move/record/").status_code == 403
    assert staff(cast.sue).get(f"{VISITS}{visit.pk}/change/").status_code == 200
    other = make_visit(cast, store=make_store("anfu"), status="submitted")
    assert staff(cast.sue).get(f"{VISITS}{other.pk}/change/").status_code == 302
    assert not MysteryVisit.objects.filter(pk=other.pk).visible_to(User.objects.get(pk=cast.sue.pk)).exists()


def test_a_visit_through_the_pages(cast: Cast) -> None:
    client = staff(cast.alice)
    data = {
        "store": cast.store.pk, "visited_at_0": "2026-11-01", "visited_at_1": "10:00:00", "visitor": "",
        "visitor_name": "", "summary": "",
    }  # fmt: skip
    refused = client.post(VISITS + "add/", data)
    assert refused.status_code == 200
    assert not MysteryVisit.objects.exists()
    answer = client.post(VISITS + "add/", data | {"visitor_name": "某某调研公司"})
    visit = MysteryVisit.objects.get()
    assert answer["Location"] == f"{VISITS}{visit.pk}/change/"
    scores = list(visit.scores.all())
    assert len(scores) == VisitCriterion.objects.filter(is_active=True).count()
    page = client.get(f"{VISITS}{visit.pk}/change/")
    assert page.status_code == 200
    form = data | {
        "visitor_name": "某某调研公司",
        "scores-TOTAL_FORMS": len(scores),
        "scores-INITIAL_FORMS": len(scores),
        "findings-TOTAL_FORMS": 1,
        "findings-INITIAL_FORMS": 0,
        "findings-0-severity": "minor",
        "findings-0-category": "",
        "findings-0-text": "价签与收银不一致",
        "photos": [SimpleUploadedFile("a.jpg", photo().getvalue(), "image/jpeg")],
    }
    for n, score in enumerate(scores):
        form |= {
            f"scores-{n}-id": score.pk,
            f"scores-{n}-note": "",
            f"scores-{n}-visit": visit.pk,
            f"scores-{n}-score": 7,
        }
    saved = client.post(f"{VISITS}{visit.pk}/change/", form)
    assert saved.status_code == 302, saved.content.decode()
    assert {score.score for score in visit.scores.all()} == {7}
    assert visit.findings.get().text == "价签与收银不一致"
    stored = visit.files.get().file
    with Image.open(stored.file) as picture:
        assert not picture.getexif()
    opened = f"/admin/core/storedfile/{stored.pk}/open/"
    assert staff(cast.bob).get(opened).status_code == 200
    assert staff(cast.sue).get(opened).status_code == 403
    assert client.post(f"{VISITS}{visit.pk}/move/submit/", {"seen": "draft"}).status_code == 302
    # Submitted: nothing can be changed any more.
    assert client.post(f"{VISITS}{visit.pk}/change/", form | {"summary": "改"}).status_code == 403
    lead = staff(cast.lin)
    assert lead.post(f"{VISITS}{visit.pk}/move/record/", {"seen": "submitted"}).status_code == 302
    assert f"F{Feedback.objects.get().pk:07d}" in lead.get(f"{VISITS}{visit.pk}/change/").content.decode()


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_visit_pages_ask_the_same_number_of_queries_for_1_and_50(cast: Cast) -> None:
    client = staff(cast.lin)
    visit = make_visit(cast, "一")
    lists, page = queries(client, VISITS), queries(client, f"{VISITS}{visit.pk}/change/")
    for n in range(49):
        make_visit(cast, f"发现{n}", visited_at=NOW - timedelta(days=n + 1))
        VisitFinding.objects.create(visit=visit, text=f"发现{n}", category=Category.objects.first())
    assert queries(client, VISITS) == lists
    assert queries(client, f"{VISITS}{visit.pk}/change/") == page


# -- symposiums ----------
def test_who_must_not_be_invited_is_left_out_and_counted(cast: Cast) -> None:
    talk = make_talk(cast)
    fine, held, silent, no, erased, merged, there = (agreeable()[0] for _ in range(7))
    ContactHold.objects.create(customer=held, reason="诉讼", starts_at=NOW - timedelta(1), by=cast.lin)
    ConsentEvent.objects.filter(customer=silent).delete()
    ConsentEvent.objects.create(
        customer=no, purpose="survey", channel="any", granted=False, source="x", at=NOW
    )
    Customer.objects.filter(pk=erased.pk).update(state="erased")
    Customer.objects.filter(pk=merged.pk).update(state="merged", merged_into=fine)
    SymposiumInvitation.objects.create(symposium=talk, customer=there)
    over = agreeable()[0]
    ContactHold.objects.create(
        customer=over, reason="旧", starts_at=NOW - timedelta(9), ends_at=NOW - timedelta(1), by=cast.lin
    )
    agreeable(tier="silver")
    found = audience(symposium=talk, tiers=["gold"], earlier="any", limit=10, now=NOW)
    assert {row.pk for row in found.customers} == {fine.pk, over.pk}
    assert (found.count, found.left_out) == (2, {"state": 1, "invited": 1, "hold": 1, "consent": 2})
    # Whoever is smuggled into the form is left out all the same.
    ids = [row.pk for row in (fine, held, silent, no, erased, merged)]
    assert visits.choose(symposium=talk, customer_ids=ids, by=cast.lin, now=NOW) == (1, 5)
    assert visits.choose(symposium=talk, customer_ids=ids, by=cast.lin, now=NOW) == (0, 6)


def test_earlier_attendance_chooses_and_orders(cast: Cast) -> None:
    new, old = agreeable(2)
    past = make_talk(cast, status="recorded")
    SymposiumInvitation.objects.create(symposium=past, customer=old, status="attended")
    SymposiumInvitation.objects.create(symposium=past, customer=new, status="absent")
    talk = make_talk(cast)

    def ids(earlier: str, limit: int = 10) -> list[int]:
        found = audience(symposium=talk, tiers=["gold"], earlier=earlier, limit=limit, now=NOW)
        return [row.pk for row in found.customers]

    assert ids("never") == [new.pk]
    assert ids("before") == [old.pk]
    assert ids("any") == [new.pk, old.pk]
    assert ids("any", 1) == [new.pk]


def test_the_preview_looks_at_so_many_only(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_selectors, "COUNT_LIMIT", 5)
    rows = agreeable(20)
    past = make_talk(cast, status="recorded")
    for row in rows[:4]:
        SymposiumInvitation.objects.create(symposium=past, customer=row, status="attended")
    with queries_of() as captured:
        found = audience(symposium=make_talk(cast), tiers=["gold"], earlier="any", limit=6, now=NOW)
    assert [row.pk for row in found.customers] == [rows[4].pk, *(row.pk for row in rows[:4])]
    assert [row.came for row in found.customers] == [0, 1, 1, 1, 1]
    # Nothing is grouped or sorted over all members.
    assert not [q for q in captured.captured_queries if "GROUP BY" in q["sql"] and " IN (" not in q["sql"]]


def test_inviting_through_the_pages_shows_masked_names(cast: Cast) -> None:
    talk = make_talk(cast)
    (guest,) = agreeable(name="欧阳小红", phone="13912345678")
    client = staff(cast.lin)
    url = f"{TALKS}{talk.pk}/invite/"
    page = client.get(url, {"tiers": "gold", "earlier": "any", "places": 5}).content.decode()
    assert f'value="{guest.pk}" checked' in page
    assert "欧阳小红" not in page
    client.post(url, {"customer": [guest.pk]})
    invitation = SymposiumInvitation.objects.get()
    for verb, status in (("invite", "invited"), ("accept", "accepted"), ("attend", "attended")):
        client.post(f"{TALKS}{talk.pk}/answers/", {"verb": verb, "invitation": [invitation.pk]})
        invitation.refresh_from_db()
        assert invitation.status == status
    client.post(f"{TALKS}{talk.pk}/answers/", {"verb": "invite", "invitation": [invitation.pk]})
    invitation.refresh_from_db()
    assert invitation.status == "attended"
    page = client.get(f"{TALKS}{talk.pk}/change/").content.decode()
    assert "13912345678" not in page
    assert "139****5678" in page


def test_the_list_is_masked_unless_somebody_may_and_says_why(cast: Cast) -> None:
    talk = make_talk(cast)
    (guest,) = agreeable(phone="13912345678")
    visits.choose(symposium=talk, customer_ids=[guest.pk], by=cast.lin, now=NOW)
    url = f"{TALKS}{talk.pk}/export/"
    masked = staff(cast.alice).post(url, {"whole": "on", "reason": "要打电话"}).content.decode()
    assert "13912345678" not in masked
    assert "\n'=客0" in masked.replace("\r", "")
    assert not Reveal.objects.exists()
    lead = staff(cast.lin)
    assert "13912345678" not in lead.post(url, {"whole": "on", "reason": ""}).content.decode()
    assert "13912345678" in lead.post(url, {"whole": "on", "reason": "要打电话邀请"}).content.decode()
    assert Reveal.objects.get().object_id == guest.pk
    with pytest.raises(NotPermitted):
        visits.invitation_list(symposium=talk, whole=True, reason="好奇", by=cast.alice, now=NOW)


def test_whoever_says_no_after_being_chosen_is_neither_invited_nor_listed_to_call(cast: Cast) -> None:
    talk = make_talk(cast)
    willing, held, unwilling = agreeable(3, phone="13912345678")
    for n, row in enumerate((willing, held, unwilling)):
        row.phone = f"1391234567{n}"
        row.save()
    rows = [willing.pk, held.pk, unwilling.pk]
    assert visits.choose(symposium=talk, customer_ids=rows, by=cast.lin, now=NOW) == (3, 0)
    ContactHold.objects.create(
        customer=held, reason="complaint", starts_at=NOW - timedelta(hours=1), by=cast.lin
    )
    ConsentEvent.objects.create(
        customer=unwilling, purpose="survey", channel="phone", granted=False, source="test", at=NOW
    )
    later = NOW + timedelta(hours=1)
    ids = list(talk.invitations.values_list("pk", flat=True))
    done, refused = visits.move_invitations(symposium=talk, ids=ids, verb="invite", by=cast.lin, now=later)
    assert (done, len(refused)) == (1, 2)
    assert talk.invitations.get(status="invited").customer == willing
    text = visits.invitation_list(symposium=talk, whole=True, reason="打电话邀请", by=cast.lin, now=later)
    assert [number in text for number in ("13912345670", "13912345671", "13912345672")] == [
        True,
        False,
        False,
    ]
    assert [row.object_id for row in Reveal.objects.all()] == [willing.pk]
    client = staff(cast.lin)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    assert client.get(f"{TALKS}{talk.pk}/change/").content.decode().count("do not contact") == 2


def test_findings_of_a_talk_become_feedback_of_whoever_said_them(cast: Cast) -> None:
    talk = make_talk(cast, held_at=NOW - timedelta(hours=1))
    talk.stores.add(cast.store)
    (guest,) = agreeable()
    SymposiumFinding.objects.create(symposium=talk, text="包装太难拆，建议加易撕口", customer=guest)
    SymposiumFinding.objects.create(symposium=talk, text="导购小李特别热心，很满意", severity="good")
    with pytest.raises(IllegalMove):
        visits.record_findings(symposium=talk, by=cast.lin, now=NOW)
    visits.hold(symposium=talk, by=cast.lin, now=NOW)
    visits.record_findings(symposium=talk, by=cast.lin, now=NOW)
    rows = Feedback.objects.filter(channel__code="symposium").order_by("pk")
    assert [row.customer for row in rows] == [guest, None]
    assert {row.store for row in rows} == {cast.store}
    with pytest.raises(IllegalMove):
        visits.record_findings(symposium=talk, by=cast.lin, now=NOW)
    assert rows.count() == 2


def test_a_talk_to_come_is_not_held_and_a_cancelled_one_invites_nobody(cast: Cast) -> None:
    talk = make_talk(cast)
    (guest,) = agreeable()
    with pytest.raises(InvalidInput):
        visits.hold(symposium=talk, by=cast.lin, now=NOW)
    visits.cancel(symposium=talk, by=cast.lin, now=NOW, reason="场地没有了")
    with pytest.raises(IllegalMove):
        visits.choose(symposium=talk, customer_ids=[guest.pk], by=cast.lin, now=NOW)


def test_attendance_stands_on_the_timeline_of_those_who_may_see_it(cast: Cast) -> None:
    talk = make_talk(cast)
    (guest,) = agreeable()
    SymposiumInvitation.objects.create(symposium=talk, customer=guest, status="attended")
    assert [event.kind for event in timeline_of(guest.pk, cast.lin)].count("symposium") == 1
    # A store that it is not about learns nothing.
    assert "symposium" not in [event.kind for event in timeline_of(guest.pk, cast.sue)]


def test_merging_moves_invitations_and_findings(cast: Cast) -> None:
    assert not merging.undecided()
    talk, other = make_talk(cast), make_talk(cast)
    source, target = agreeable(2)
    moved = SymposiumInvitation.objects.create(symposium=talk, customer=source)
    SymposiumInvitation.objects.create(symposium=other, customer=source)
    SymposiumInvitation.objects.create(symposium=other, customer=target)
    said = SymposiumFinding.objects.create(symposium=talk, text="一句", customer=source)
    merge = merging.merge(source=source, target=target, by=cast.lin, now=NOW, reason="同一个人")
    moved.refresh_from_db()
    said.refresh_from_db()
    assert (moved.customer, said.customer) == (target, target)
    assert SymposiumInvitation.objects.filter(customer=source).count() == 1
    merging.undo(merge=merge, by=cast.lin, now=NOW)
    moved.refresh_from_db()
    assert moved.customer == source


def test_stores_see_talks_about_them(cast: Cast) -> None:
    own, other = make_talk(cast), make_talk(cast)
    own.stores.add(cast.store)
    client = staff(cast.sue)
    assert client.get(f"{TALKS}{own.pk}/change/").status_code == 200
    assert client.get(f"{TALKS}{other.pk}/change/").status_code == 302
    for page in ("invite", "export", "answers"):
        assert client.get(f"{TALKS}{other.pk}/{page}/").status_code in (403, 404)
    assert client.post(f"{TALKS}{own.pk}/invite/", {"customer": [1]}).status_code == 403


def test_symposium_pages_ask_the_same_number_of_queries_for_1_and_50(cast: Cast) -> None:
    client = staff(cast.lin)
    talk = make_talk(cast)
    talk.stores.add(cast.store)
    guests = agreeable(50)
    address = f"{TALKS}{talk.pk}/change/"
    preview = f"{TALKS}{talk.pk}/invite/?tiers=gold&earlier=any&places=60"
    SymposiumInvitation.objects.create(symposium=talk, customer=guests[0], status="invited")
    SymposiumFinding.objects.create(symposium=talk, text="一", customer=guests[0])
    before = [queries(client, where) for where in (TALKS, address, preview)]
    for n, guest in enumerate(guests[1:40]):
        SymposiumInvitation.objects.create(symposium=talk, customer=guest, status="invited")
        SymposiumFinding.objects.create(symposium=talk, text=f"发现{n}", customer=guest)
        make_talk(cast, topic=f"话题{n}").stores.add(cast.store)
    assert [queries(client, where) for where in (TALKS, address, preview)] == before


def test_empty_lists_teach(cast: Cast) -> None:
    client = staff(cast.lin)
    for address in (VISITS, TALKS, "/admin/feedback/visitcriterion/", "/admin/feedback/publicentry/"):
        assert client.get(address).status_code == 200
    client.cookies["django_language"] = "en"
    assert "checklist" in client.get(VISITS).content.decode()


def test_the_button_of_a_move_saves_the_open_form_and_then_asks(cast: Cast) -> None:
    visit = make_visit(cast, "货架上有过期酸奶")
    client, address = staff(User.objects.create_superuser("root@example.com")), f"{VISITS}{visit.pk}/change/"
    opened = client.get(address)
    assert 'name="_then"' in opened.content.decode()
    data: dict[str, Any] = {
        "store": visit.store_id,
        "visitor": cast.alice.pk,
        "visitor_name": "",
        "_then": "submit",
    }
    data |= {"visited_at_0": "2026-01-02", "visited_at_1": "10:00:00", "summary": "灯很暗"}
    for formset in (row.formset for row in opened.context["inline_admin_formsets"]):
        data |= {f"{formset.prefix}-{name}": value for name, value in formset.management_form.initial.items()}
        for form in formset.initial_forms:
            data |= {
                f"{form.prefix}-{name}": form[name].value() or "" for name in form.fields if name != "DELETE"
            }
    answer = client.post(address, data)
    assert answer.status_code == 302, answer.context["errors"]
    assert answer.url == f"{VISITS}{visit.pk}/move/submit/"
    visit.refresh_from_db()
    assert (visit.summary, visit.status) == ("灯很暗", "draft")
    assert client.get(answer.url).status_code == 200


def test_recording_asks_and_says_how_many_feedback_it_makes(cast: Cast) -> None:
    visit = make_visit(cast, "货架上有过期酸奶", "没人招呼")
    visits.submit(visit=visit, by=cast.alice, now=NOW)
    client = staff(User.objects.create_superuser("root@example.com"))
    page = client.get(f"{VISITS}{visit.pk}/change/").content.decode()
    assert f'href="{VISITS}{visit.pk}/move/record/"' in page
    assert client.get(f"{VISITS}{visit.pk}/move/record/").context["note"].startswith("2")
    assert not Feedback.objects.exists()


def test_a_visit_of_tomorrow_is_refused(cast: Cast) -> None:
    from django.utils import timezone

    day = timezone.localtime() + timedelta(days=1)
    client = staff(User.objects.create_superuser("root@example.com"))
    answer = client.post(
        f"{VISITS}add/",
        {
            "store": cast.store.pk,
            "visitor": cast.alice.pk,
            "visited_at_0": f"{day:%Y-%m-%d}",
            "visited_at_1": f"{day:%H:%M:%S}",
        },
    )
    assert "visited_at" in answer.context["adminform"].form.errors
    assert not MysteryVisit.objects.exists()

"""The queue, the page of a case, the moves and the form, as the people who use them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.core.models import ActionLog, StoredFile, User
from apps.core.services.files import store_file
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import Correction, Entry, Feedback, FeedbackFile
from apps.feedback.services import promises
from apps.feedback.services.intake import take_in
from tests.factories import Cast, make_profile, make_store, make_user

pytestmark = pytest.mark.django_db
QUEUE = "/admin/feedback/feedback/"
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND\xaeB`\x82"
)


def make(text: str = "等了七天还没送到,快处理", count: int = 1, **values: Any) -> list[Feedback]:
    """Feedback through intake, as of now."""
    items = [
        IncomingFeedback(
            channel="jd",
            text=f"{text} {number}",
            external_id=f"R-{abs(hash(text))}-{number}",
            rating=1,
            **values,
        )
        for number in range(count)
    ]
    outcomes = take_in(items, source="api", now=timezone.now() - timedelta(minutes=5))
    return [Feedback.objects.get(pk=outcome.feedback_id) for outcome in outcomes]


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(case: Feedback, verb: str = "") -> str:
    return f"{QUEUE}{case.pk}/move/{verb}/" if verb else f"{QUEUE}{case.pk}/change/"


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured.captured_queries)


def test_queue_asks_the_same_number_of_queries_for_1_and_50_rows(cast: Cast) -> None:
    client = login(cast.alice)
    make(count=1)
    one = queries(client, QUEUE)
    make("另一批:包装全破了,要求赔偿", count=50)
    assert queries(client, QUEUE) == one
    assert one <= 15


def test_case_asks_the_same_number_of_queries_for_1_and_20_entries(cast: Cast) -> None:
    client = login(cast.alice)
    (case,) = make()
    Entry.objects.create(feedback=case, kind="note", text="备注", at=timezone.now(), by=cast.alice)
    one = queries(client, url(case))
    Entry.objects.bulk_create(
        [Entry(feedback=case, kind="note", text="备注", at=timezone.now(), by=cast.alice) for _ in range(20)]
    )
    assert queries(client, url(case)) == one


def test_queue_shows_the_row_masked_with_its_deadline(cast: Cast) -> None:
    (case,) = make("联系我13812345678,包裹破了")
    page = login(cast.alice).get(QUEUE).content.decode()
    assert case.number in page
    assert "138****5678" in page
    assert "13812345678" not in page
    assert 'data-due="' in page


def test_text_is_escaped(cast: Cast) -> None:
    (case,) = make("<script>alert(1)</script>质量太差了")
    for address in (QUEUE, url(case), url(case, "note")):
        assert "<script>alert(1)" not in login(cast.alice).get(address).content.decode()


@pytest.mark.parametrize(
    "tab", ["open", "mine", "unassigned", "overdue", "waiting", "review", "done", "all", "nonsense"]
)
@pytest.mark.parametrize("order", ["urgent", "due", "negative", "newest", "nonsense"])
def test_every_tab_and_order_opens(cast: Cast, tab: str, order: str) -> None:
    make()
    assert login(cast.alice).get(QUEUE, {"tab": tab, "o": order, "p": "2", "tier": "X"}).status_code == 200


def test_search_finds_two_characters(cast: Cast) -> None:
    (leaking,) = make("洗发水漏液,流了一箱子")
    (late,) = make("送货太慢")
    page = login(cast.alice).get(QUEUE, {"q": "漏液"}).content.decode()
    assert leaking.number in page
    assert late.number not in page


def test_get_never_moves(cast: Cast) -> None:
    (case,) = make()
    before = ActionLog.objects.count()
    for verb in ("claim", "record_contact", "resolve", "close", "dismiss", "escalate"):
        login(cast.lin).get(url(case, verb))
    case.refresh_from_db()
    assert (case.status in ("new", "assigned"), ActionLog.objects.count()) == (True, before)


def test_view_only_staff_cannot_move(cast: Cast) -> None:
    (case,) = make()
    status = case.status
    response = login(cast.ann).post(url(case, "close"), {"reason": "试试"})
    case.refresh_from_db()
    assert (response.status_code, case.status) == (403, status)


def test_a_case_from_claim_to_reopening(cast: Cast) -> None:
    (case,) = make()
    client = login(cast.alice)
    client.post(url(case, "claim"))
    case.refresh_from_db()
    assert (case.status, case.assignee) == ("assigned", cast.alice)
    refused = client.post(url(case, "record_contact"), {"how": "phone", "said": ""})
    assert refused.status_code == 422
    assert Entry.objects.count() == 0
    client.post(url(case, "record_contact"), {"how": "phone", "said": "已致歉,核实物流"})
    case.refresh_from_db()
    assert case.status == "in_progress"
    assert case.first_response_at is not None
    client.post(url(case, "wait"), {"why": "third_party", "reason": "等快递核实"})
    case.refresh_from_db()
    assert case.status == "waiting"
    client.post(url(case, "resume"))
    client.post(url(case, "resolve"), {"reason": "已补发"})
    case.refresh_from_db()
    assert (case.status, case.resolution) == ("resolved", "已补发")
    client.post(url(case, "reopen"), {"reason": "顾客说还没收到"})
    case.refresh_from_db()
    assert (case.status, case.reopened) == ("in_progress", 1)
    page = client.get(url(case)).content.decode()
    assert "已致歉,核实物流" in page
    assert "等快递核实" in page


def test_second_claim_is_told_who_has_it(cast: Cast) -> None:
    (case,) = make()
    login(cast.alice).post(url(case, "claim"))
    response = login(cast.bob).post(url(case, "claim"), follow=True)
    case.refresh_from_db()
    assert case.assignee == cast.alice
    assert str(cast.alice) in response.content.decode()


def test_correction_is_kept_as_training_data(cast: Cast) -> None:
    (case,) = make()
    node = case.category
    assert node is not None
    login(cast.alice).post(
        url(case, "correct"),
        {"tier": "S", "kind": "complaint", "node": str(node.pk), "sentiment": "negative", "emotion": "anger"},
    )
    case.refresh_from_db()
    assert case.tier == "S"
    assert Correction.objects.get().after["tier"] == "S"


def test_bulk_tells_each_outcome_and_undoes(cast: Cast) -> None:
    first, second = make(count=2)
    client = login(cast.alice)
    login(cast.bob).post(url(second, "claim"))
    page = client.post(f"{QUEUE}bulk/claim/", {"id": [first.pk, second.pk]}).content.decode()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.assignee, second.assignee) == (cast.alice, cast.bob)
    assert first.number in page
    assert second.number in page
    log = ActionLog.objects.get(object_id=first.pk, verb="claim")
    client.post(f"{QUEUE}undo/{log.pk}/")
    first.refresh_from_db()
    assert first.claimed_at is None


def test_store_staff_see_only_their_store(cast: Cast) -> None:
    (case,) = make("没有写门店的投诉,快处理")
    Feedback.objects.filter(pk=case.pk).update(store=None, assignee=cast.alice, department=None)
    client = login(cast.sue)
    assert client.get(url(case)).status_code == 404
    assert case.number not in client.get(QUEUE).content.decode()


def test_new_feedback_with_picture(cast: Cast) -> None:
    from apps.feedback.models import Channel

    client = login(cast.alice)
    channel = Channel.objects.get(code="hotline")
    response = client.post(
        f"{QUEUE}add/",
        {
            "channel": channel.pk,
            "text": "来电:杯子漏水,要求换货",
            "phone": "13800001234",
            "transcript": "顾客:漏水了\n客服:马上给您换",
            "files": SimpleUploadedFile("a.png", PNG, "image/png"),
        },
    )
    case = Feedback.objects.get()
    assert response.status_code == 302
    assert case.customer is not None
    assert case.customer.phone == "13800001234"
    assert [entry.text for entry in case.entries.order_by("id")] == ["漏水了", "马上给您换"]
    picture = FeedbackFile.objects.get()
    served = client.get(f"{QUEUE}{case.pk}/file/{picture.file_id}/")
    assert (served["Content-Type"], served.content) == ("image/png", PNG)
    assert login(cast.sue).get(f"{QUEUE}{case.pk}/file/{picture.file_id}/").status_code == 404


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"text": ""}, "text"),
        ({"channel": "999999"}, "channel"),
        ({"posted_at": "2099-01-01T10:00"}, "posted_at"),
        ({"image_links": "javascript:alert(1)"}, "image_links"),
        ({"files": SimpleUploadedFile("a.png", b"<svg onload=alert(1)>", "image/png")}, "files"),
    ],
)
def test_bad_new_feedback_is_refused_and_nothing_is_kept(
    cast: Cast, extra: dict[str, Any], field: str
) -> None:
    from apps.feedback.models import Channel

    data = {"channel": Channel.objects.get(code="hotline").pk, "text": "来电:杯子漏水"} | extra
    response = login(cast.alice).post(f"{QUEUE}add/", data)
    assert response.status_code == 422
    assert response.context["form"].errors
    assert Feedback.objects.count() == 0


def test_recording_needs_consent(cast: Cast) -> None:
    from apps.feedback.models import Channel

    data = {
        "channel": Channel.objects.get(code="hotline").pk,
        "text": "来电:杯子漏水",
        "phone": "13800001234",
        "recording": SimpleUploadedFile("call.mp3", b"ID3" + bytes(64), "audio/mpeg"),
    }
    client = login(cast.alice)
    assert client.post(f"{QUEUE}add/", data).status_code == 422
    assert Feedback.objects.count() == 0
    data["recording"] = SimpleUploadedFile("call.mp3", b"ID3" + bytes(64), "audio/mpeg")
    assert client.post(f"{QUEUE}add/", data | {"recording_consent": "on"}).status_code == 302
    kept = FeedbackFile.objects.get()
    assert kept.is_recording
    assert kept.consent is not None
    assert kept.consent.granted


@pytest.mark.parametrize("name", ["alice", "lin", "max", "sue", "ann"])
def test_home_opens_for_every_role(cast: Cast, name: str) -> None:
    make(count=3)
    client = login(getattr(cast, name))
    assert client.get("/admin/").status_code == 200


def test_case_page_holds_no_raw_number(cast: Cast) -> None:
    (case,) = make("订单 6212345678901234 漏发,电话 13812345678")
    page = login(cast.alice).get(url(case)).content.decode()
    assert "13812345678" not in page


def test_attachments_open_through_the_file_view_for_readers_of_the_case(cast: Cast) -> None:
    far = make_user("far", "store")
    make_profile(far, stores=[make_store("far")])
    (case,) = make(store=cast.store.code)
    (other,) = make("别的店的反馈", store="far")
    stored, alien = (
        store_file(upload=SimpleUploadedFile("a.png", PNG), by=None, now=timezone.now()) for _ in range(2)
    )
    FeedbackFile.objects.create(feedback=case, file=stored)
    FeedbackFile.objects.create(feedback=other, file=alien)

    def opens(user: User, file: StoredFile) -> int:
        return login(user).get(reverse("admin:core_storedfile_open", args=[file.pk])).status_code

    # Everybody's, the store's own, another store's, and somebody without a role.
    assert [opens(user, stored) for user in (cast.alice, cast.sue, far, make_user("new"))] == [
        200,
        200,
        403,
        403,
    ]
    assert [opens(user, alien) for user in (cast.alice, cast.sue, far)] == [200, 403, 200]
    # The owner sees a case wherever it is, and so its files.
    Feedback.objects.filter(pk=case.pk).update(assignee=far)
    assert opens(far, stored) == 200
    far.groups.clear()
    assert opens(User.objects.get(pk=far.pk), stored) == 403


def test_a_wait_that_was_cut_says_so(cast: Cast) -> None:
    case = make(count=1)[0]
    client = login(cast.alice)
    client.post(url(case, "claim"))
    wanted = timezone.localtime(timezone.now() + timedelta(days=6))
    answer = client.post(
        url(case, "wait"),
        {"why": "third_party", "reason": "等快递核实", "until": f"{wanted:%Y-%m-%dT%H:%M}"},
        follow=True,
    )
    assert any("72" in str(message) for message in answer.context["messages"])


def test_resolving_names_the_promises_still_open(cast: Cast) -> None:
    case = make(count=1)[0]
    client = login(cast.alice)
    client.post(url(case, "claim"))
    promises.make(
        feedback=case,
        what="周五前补发",
        due_at=timezone.now() + timedelta(days=1),
        by=cast.alice,
        now=timezone.now(),
    )
    assert "周五前补发" in client.get(url(case, "resolve")).content.decode()
    assert "周五前补发" not in client.get(url(case, "wait")).content.decode()


def test_an_order_that_is_not_here_yet_shows_by_its_number(cast: Cast) -> None:
    case = make(count=1, order_no="123456789012345678")[0]
    client = login(cast.alice)
    assert "****5678" in client.get(url(case)).content.decode()
    found = client.get(QUEUE, {"q": "123456789012345678"}).content.decode()
    assert "****5678" in found


def test_work_is_offered_only_to_those_who_can_do_it(cast: Cast) -> None:
    case = make(count=1)[0]
    Feedback.objects.update(assignee=None, claimed_at=None)
    page = login(cast.lin).get(url(case, "assign"))
    offered = {str(value) for value, _label in page.context["form"].fields["assignee"].choices}
    assert str(cast.alice.pk) in offered
    for outsider in (cast.sue, cast.ann, cast.max):
        assert (str(outsider.pk) in offered) == outsider.has_perm("feedback.work_feedback")
    assert str(make_user("nobody").pk) not in offered

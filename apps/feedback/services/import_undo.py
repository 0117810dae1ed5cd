"""Taking an import back as long as nobody has worked on it.

Rows go in chunks, each its own transaction that locks them first, so a row somebody claims a moment before stays, and
one somebody wants to claim a moment after is gone. A stop in between goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import ActionLog, StaffNotice, User
from apps.core.services.notices import notify
from apps.core.workflow import check, perform
from apps.customers.choices import CustomerState
from apps.customers.models import Customer
from apps.feedback.incoming import FOLLOW_UP_ROWS
from apps.feedback.models import Feedback, ImportedCustomer, ImportRun, SlaEvent
from apps.feedback.selectors.imports import holders_of, untouched_rows
from apps.feedback.services.imports import kick
from apps.feedback.services.telling import address
from apps.feedback.transitions import IMPORT
from apps.shop.models import WorkItem

CHUNK = 500
# A customer's own names at channels go with the customer.
CUSTOMER_OWN = frozenset({"identities"})


def undo(
    *,
    run: ImportRun,
    by: User,
    now: datetime,
    reason: str,
    rest: bool = False,
    at_once: bool = False,
    via: str = "admin",
) -> ActionLog:
    """Want the rows of a run taken back. Raises InvalidInput when some were touched, unless the `rest` is meant.

    `at_once` means the caller does the work itself.
    """
    check(IMPORT, run, "undo", by=by, reason=reason, field="state")
    rows = Feedback.objects.filter(import_run=run).order_by().count()
    free = untouched_rows(run).order_by().count()
    if free < rows and not rest:
        raise InvalidInput(
            _("%(count)d rows have been worked on. Only the others can be undone: tick the box below.")
            % {"count": rows - free},
            field="rest",
            code="touched",
        )
    log = perform(
        IMPORT,
        run,
        "undo",
        by=by,
        now=now,
        reason=reason,
        via=via,
        field="state",
        changes={"worker": "", "heartbeat_at": None, "message": "", "by_id": run.by_id},
        data={"rows": rows, "untouched": free},
    )
    pk = run.pk
    if not at_once:
        transaction.on_commit(lambda: kick(pk))
    return log


def go_on_undoing(*, run: ImportRun, clock: Callable[[], datetime]) -> None:
    """Take rows back until none is left that may go. The run is signed with this worker's name."""
    while True:
        with transaction.atomic():
            gone = _chunk(run, clock())
        if gone is None:
            return
        if not gone:
            break
    people = _forget_customers(run, clock)
    if people is None:
        return
    now = clock()
    left = Feedback.objects.filter(import_run=run).order_by().count()
    run.refresh_from_db(fields=["undone", "created", "finished_at", "rejects_file"])
    try:
        log = perform(
            IMPORT,
            run,
            "undone_partly" if left else "undone",
            by=None,
            now=now,
            via="worker",
            field="state",
            changes={"worker": "", "heartbeat_at": None, "finished_at": run.finished_at or now},
            expect={"worker": run.worker},
            data={"undone": run.undone, "stayed": left, "customers": people},
        )
    except DomainError:
        return
    last = ActionLog.objects.filter(
        model=ImportRun._meta.label_lower, object_id=run.pk, verb="undo"
    ).order_by("-at", "-id")
    asked = last.values_list("by_id", flat=True).first()
    told = {person for person in (asked, run.by_id) if person}
    notify(
        recipients=sorted(told),
        level=NoticeLevel.WARNING if left else NoticeLevel.INFO,
        title=_("Import of %(file)s was undone") % {"file": run.file_name[:100]},
        body=_("%(undone)d rows were taken back, %(stayed)d stayed because somebody worked on them.")
        % {"undone": run.undone, "stayed": left},
        url=f"/admin/feedback/importrun/{run.pk}/change/",
        key=f"import:{run.pk}:{log.pk}",
        now=now,
    )


def _chunk(run: ImportRun, now: datetime) -> int | None:
    """Take back up to CHUNK rows that have no follow-up left; None when the run is no longer this worker's."""
    mine = ImportRun.objects.filter(pk=run.pk, worker=run.worker, state=ImportRun.State.UNDOING)
    if not mine.update(heartbeat_at=now, updated_at=now):
        return None
    follow_up = Feedback.objects.filter(parent_id=OuterRef("pk"))
    leaves: Any = untouched_rows(run).exclude(Exists(follow_up))
    ids = list(leaves.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True)[:CHUNK])
    # Whoever was a moment earlier is seen now that the rows are ours.
    ids = list(leaves.filter(pk__in=ids).order_by("id").values_list("id", flat=True))
    if not ids:
        return 0
    ActionLog.objects.filter(model="feedback.feedback", object_id__in=ids).delete()
    # Nobody hears of an untouched row but by the alarm of an S or by its clocks; no index finds notices by address.
    loud: Any = Feedback.objects.filter(pk__in=ids).filter(
        Q(tier_rank=0) | Exists(SlaEvent.objects.filter(feedback_id=OuterRef("pk")))
    )
    heard = list(loud.order_by().values_list("id", flat=True))
    if heard:
        StaffNotice.objects.filter(url__in=[address(pk) for pk in heard]).delete()
    WorkItem.objects.filter(origin_key__in=[f"feedback:{pk}:self_check" for pk in ids]).delete()
    counted = Feedback.objects.filter(pk__in=ids, source_row__lt=FOLLOW_UP_ROWS).count()
    Feedback.objects.filter(pk__in=ids).delete()
    mine.update(undone=F("undone") + counted)
    return len(ids)


def _forget_customers(run: ImportRun, clock: Callable[[], datetime]) -> int | None:
    """Customers first met by this run who have nothing else go too; None when the run is no longer ours."""
    mine = ImportRun.objects.filter(pk=run.pk, worker=run.worker, state=ImportRun.State.UNDOING)
    gone = last = 0
    while True:
        with transaction.atomic():
            now = clock()
            if not mine.update(heartbeat_at=now, updated_at=now):
                return None
            ids = list(
                ImportedCustomer.objects.filter(run=run, customer_id__gt=last)
                .order_by("customer_id")
                .values_list("customer_id", flat=True)[:CHUNK]
            )
            if not ids:
                return gone
            last = ids[-1]
            list(Customer.objects.select_for_update().filter(pk__in=ids).order_by("id").values_list("id"))
            lonely: Any = Customer.objects.filter(
                pk__in=ids, state=CustomerState.ACTIVE, merged_into__isnull=True
            )
            for relation in holders_of(Customer):
                if relation.get_accessor_name() not in CUSTOMER_OWN:
                    others = relation.related_model._default_manager
                    lonely = lonely.exclude(Exists(others.filter(**{relation.field.name: OuterRef("pk")})))
            # A history means that somebody or some system has edited the customer since.
            edited = Customer.history.model.objects.filter(id=OuterRef("pk"))
            alone = list(lonely.exclude(Exists(edited)).values_list("id", flat=True))
            Customer.objects.filter(pk__in=alone).delete()
            ImportedCustomer.objects.filter(run=run, customer_id__in=alone).delete()
            gone += len(alone)

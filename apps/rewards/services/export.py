"""Grants as a file for a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.core.cells import neutral
from apps.core.exceptions import NotPermitted
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User

MOST = 20_000


def grants_csv(*, rows: Any, by: User, now: datetime) -> str:
    """`rows` (a queryset the person sees) as CSV, UTF-8 with BOM; customers masked, formulas neutralised.

    At most MOST rows, newest first. Leaves one row in the action log. Raises NotPermitted.
    """
    if not by.has_perm("rewards.export_grant"):
        raise NotPermitted(_("You may not export grants."))
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    writer.writerow(
        [
            _("number"),
            _("given at"),
            pgettext("grant", "from"),
            _("reward"),
            pgettext("grant", "what"),
            _("customer"),
            _("budget"),
            _("cost (CNY)"),
            _("real cost (CNY)"),
            _("state"),
            _("given by"),
            _("because of"),
            _("note"),
        ]
    )
    count = 0
    for row in rows.select_related("customer", "budget", "by").order_by("-id")[:MOST]:
        cells = [
            f"G{row.pk:06d}",
            f"{timezone.localtime(row.at):%Y-%m-%d %H:%M}",
            row.get_kind_display(),
            row.get_reward_display(),
            row.what,
            row.customer.masked_name,
            row.budget.name,
            f"{row.cost:.2f}",
            "" if row.actual_cost is None else f"{row.actual_cost:.2f}",
            row.get_status_display(),
            str(row.by or ""),
            row.subject_key,
            mask_text(row.note),
        ]
        writer.writerow([neutral(str(cell)) for cell in cells])
        count += 1
    ActionLog.objects.create(
        model="rewards.grant",
        # Of no single grant: the person's number would be taken for one.
        object_id=0,
        verb="export",
        by=by,
        via="admin",
        at=now,
        data={"rows": count},
    )
    return out.getvalue()

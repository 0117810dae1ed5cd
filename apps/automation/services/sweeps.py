"""Small regular looks at the rules themselves."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from apps.automation.book import book
from apps.core.choices import NoticeLevel
from apps.core.services.notices import notify
from apps.feedback.selectors.reference import reference


def tell_broken(*, now: datetime) -> int:
    """A rule that is on but cannot work (its field or action went away): the leads hear of it once a day."""
    for rule, problems in book().broken:
        notify(
            recipients=[*reference().ops_leads, *reference().managers],
            level=NoticeLevel.WARNING,
            title=_("The rule “%(rule)s” is on but cannot work") % {"rule": rule.name},
            body="\n".join(problems[:5]),
            url=f"/admin/automation/rule/{rule.pk}/change/",
            key=f"automation_broken:{rule.pk}:{now:%Y%m%d}",
            now=now,
        )
    return len(book().broken)

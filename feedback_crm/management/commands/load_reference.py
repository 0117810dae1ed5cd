"""Load reference data: safe to repeat, never overwrites what staff edited."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from apps.automation.services.reference_data import load_automation_reference
from apps.callbacks.services.reference_data import load_callback_reference
from apps.compliance.services.reference_data import load_rules
from apps.feedback.services.reference_data import load_feedback_reference
from apps.messaging.services.reference_data import load_messaging_reference
from apps.performance.services.reference_data import load_performance_reference
from apps.repairs.services.reference_data import load_repairs_reference
from apps.repairs.services.reference_showcase import load_showcase_reference
from apps.rewards.services.reference_data import load_rewards_reference
from apps.shop.services.reference_data import load_departments, load_public_holidays
from feedback_crm.roles import load_groups
from feedback_crm.schedules import load_schedules


class Command(BaseCommand):
    """`load_reference`"""

    help = "Load taxonomy, lexicon, service levels, calendars, groups and schedules. Idempotent."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was created, updated, or kept because staff edited it."""
        done = {"departments": load_departments()} | load_rules() | load_feedback_reference()
        done |= load_messaging_reference() | load_rewards_reference()
        done |= load_repairs_reference() | load_showcase_reference()
        done |= {"groups": load_groups(), "schedules": load_schedules()}
        done |= load_automation_reference(now=timezone.now())
        done |= load_callback_reference()
        done |= load_performance_reference()
        year = timezone.localdate().year
        added, missing = load_public_holidays(range(year - 1, year + 2))
        for name, counts in done.items():
            self.stdout.write(f"{name}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
        self.stdout.write(f"public holidays: {added} added")
        if missing:
            self.stderr.write(
                self.style.WARNING(
                    f"No holiday notice yet for {', '.join(map(str, missing))}: plain weekends until it is loaded."
                )
            )

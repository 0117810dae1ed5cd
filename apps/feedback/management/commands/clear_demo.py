"""Remove the demo shop before going live."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.feedback.services.demo import clear_demo


class Command(BaseCommand):
    """`clear_demo`"""

    help = "Remove demo feedback, customers, orders, stores and people; reference data and real work stay."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is gone."""
        for name, gone in clear_demo(now=timezone.now()).items():
            self.stdout.write(f"{name}: {gone} removed")

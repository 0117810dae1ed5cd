"""Background work. Due work lives in the database; a lost message changes nothing (see docs/architecture.md)."""

import os
from typing import Any

from celery import Celery, Task
from django.conf import settings
from django.utils import translation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_crm.settings")


class ShopTask(Task):  # type: ignore[misc]
    """Background work speaks the shop's language: what it writes is read by all staff, whoever set it going."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run."""
        with translation.override(settings.LANGUAGE_CODE):
            return super().__call__(*args, **kwargs)


app = Celery("feedback_crm", task_cls=ShopTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

"""Background work. Due work lives in the database; a lost message changes nothing (see docs/architecture.md)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_crm.settings")

app = Celery("feedback_crm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

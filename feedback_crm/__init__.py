"""Composition root: settings, addresses, background work. May know every app."""

from feedback_crm.celery import app as celery_app

__all__ = ("celery_app",)
__version__ = "0.1.0"

"""Models of callbacks."""

from apps.callbacks.models.callback import Callback, CallbackAttempt
from apps.callbacks.models.plan import CallbackPlan

__all__ = ("Callback", "CallbackAttempt", "CallbackPlan")

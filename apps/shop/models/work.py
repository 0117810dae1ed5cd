"""Work for stores and departments."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped
from apps.shop.choices import WorkKind, WorkStatus
from apps.shop.models.organisation import Department, Store
from apps.shop.models.products import Product


class WorkItem(Stamped):
    """A piece of work with an owner, a due time and evidence: self-check, restock, department task.

    `origin_key` names what caused it ("feedback:17:self_check"), so that repeating the cause makes no second one.
    """

    kind = models.CharField(_("kind"), max_length=20, choices=WorkKind.choices)
    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("what to do"), blank=True)
    store = models.ForeignKey(
        Store, verbose_name=_("store"), null=True, blank=True, on_delete=models.PROTECT, related_name="work"
    )
    department = models.ForeignKey(
        Department,
        verbose_name=_("department"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="work",
    )
    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="work_items",
    )
    status = models.CharField(_("state"), max_length=12, choices=WorkStatus.choices, default=WorkStatus.OPEN)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    evidence = models.TextField(_("evidence"), blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    origin_key = models.CharField(_("origin"), max_length=120, unique=True)
    url = models.CharField(_("address"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("work item")
        verbose_name_plural = _("work items")
        ordering = ("due_at", "id")
        indexes = (
            # Read by a store's or department's list of open work, most urgent first.
            models.Index(
                fields=["store", "due_at"],
                name="shop_work_open",
                condition=models.Q(status__in=["open", "doing"]),
            ),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=WorkStatus.values), name="shop_work_status"),
        )

    def __str__(self) -> str:
        return self.title

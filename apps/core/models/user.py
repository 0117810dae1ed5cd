"""Staff accounts."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A member of staff. Our own model from the first migration on, since swapping it later is not possible."""

    name = models.CharField(
        _("name"), max_length=60, blank=True, help_text=_("As colleagues know the person.")
    )
    is_away = models.BooleanField(
        _("away"), default=False, help_text=_("Gets no new work by round robin while away."), db_index=False
    )

    must_change_password = models.BooleanField(
        _("must change the password"),
        default=False,
        editable=False,
        help_text=_("Set with a one-time password; every page leads to the change until it is made."),
    )

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff members")

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        """The one name field; Chinese names have no first-last order to guess."""
        return self.name or self.username

    get_short_name = get_full_name

    def set_password(self, raw_password: str | None) -> None:
        """A password of one's own ends the one-time password."""
        super().set_password(raw_password)
        self.must_change_password = False

    @property
    def initials(self) -> str:
        """One or two characters for the avatar: the last of a Chinese name, else the first letters."""
        name = str(self)
        if name and ord(name[0]) > 0x2E80:
            return name[-2:] if len(name) > 2 else name[-1:]
        return name[:2].upper()

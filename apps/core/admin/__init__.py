"""Back office of staff and system; base classes in `base`, buttons in `moves`, whole data in `reveal`."""

from apps.core.admin import approvals, audit, files, integrations, notices, users

__all__ = ("approvals", "audit", "files", "integrations", "notices", "users")

"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import (  # noqa: F401
    feedback,
    imports,
    knowledge,
    public_entry,
    reference,
    team_life,
    training,
    visits,
)

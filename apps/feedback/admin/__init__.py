"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import (  # noqa: F401
    feedback,
    imports,
    knowledge,
    macros,
    public_entry,
    reference,
    team_life,
    topics,
    training,
    visits,
)

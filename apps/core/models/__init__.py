"""Tables that two apps already share."""

from apps.core.models.action_log import ActionLog
from apps.core.models.approval import Approval
from apps.core.models.base import Stamped
from apps.core.models.files import StoredFile
from apps.core.models.integration import IdempotentRequest, Integration, IntegrationToken
from apps.core.models.notice import StaffNotice
from apps.core.models.public import PublicCount, PublicNonce
from apps.core.models.reveal import Reveal
from apps.core.models.stamp import ReferenceStamp, RoleGrant
from apps.core.models.user import User

__all__ = (
    "ActionLog",
    "Approval",
    "IdempotentRequest",
    "Integration",
    "IntegrationToken",
    "PublicCount",
    "PublicNonce",
    "ReferenceStamp",
    "Reveal",
    "RoleGrant",
    "StaffNotice",
    "Stamped",
    "StoredFile",
    "User",
)

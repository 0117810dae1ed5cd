"""Rules of law as dated data, and what was decided by them."""

from apps.compliance.models.rule import ComplianceRule, RuleTerm
from apps.compliance.models.verdict import Verdict

__all__ = ("ComplianceRule", "RuleTerm", "Verdict")

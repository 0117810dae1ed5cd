"""Logs never carry personal data whole (domain.md 2.2)."""

import logging

from apps.core.masking import mask_text


class MaskingFilter(logging.Filter):
    """Masks phones, e-mails, card and order numbers in every line before it is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = mask_text(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True

"""Keeps passwords and keys from the environment out of records, logs and reports."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping

SHOWN = "[secret]"
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.I)
_URL_LOGIN = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_SHORTEST = 6
"""Shorter values are not secrets, and would match in any text."""


def redacted(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`text` without logins in URLs and without the values of environment variables with names such as `*_TOKEN`."""
    known = os.environ if environment is None else environment
    secrets = [value for name, value in known.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, SHOWN)
    return _URL_LOGIN.sub(SHOWN, text)


class RedactingFormatter(logging.Formatter):
    """Formats a log record as usual, with its traceback, then removes secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))

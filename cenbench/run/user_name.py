"""A user without an entry in the password database, as in many containers: Snakemake asks for a name, and fails."""

from __future__ import annotations

import getpass
import os
from collections.abc import MutableMapping


def name_the_user(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set USER to the user's number if nothing else names the user; this process and its jobs see it."""
    if user_name() is None:
        environment["USER"] = f"user-{os.getuid()}"


def user_name() -> str | None:
    """The user's name, from LOGNAME, USER, or the password database; None if nothing gives one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError: Python 3.13 and newer
        return None

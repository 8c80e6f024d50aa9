"""Keeps secrets out of records, logs and reports: those of the environment, and those typed into commands."""
# changes no number: what is left out of texts

from __future__ import annotations

import json
import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from urllib.parse import quote, quote_plus

SHOWN = "[secret]"
_SHORTEST = 6
"""Shorter values of the environment are not secrets, and would match in any text."""

_IN_ANY_WORD = re.compile(
    r"SECRET|TOKEN(?!I[SZ])|PASS(?:WORD|WRD|WD|PHRASE|CODE)|CREDENTIAL|COOKIE|WEBHOOK|(?:API|ACCESS|PRIVATE)_?KEY"
    r"|CONN(?:ECTION)?_?STR(?:ING)?|(?<!XDG_)(?<!TERM_)(?<![A-Z])(?:J|PHP)?SESS(?:ION)?_?ID(?![A-Z])"
)
_WORDS = {
    *(
        "AUTH",
        "AUTHORIZATION",
        "BEARER",
        "CRED",
        "CREDS",
        "DSN",
        "JWT",
        "KEY",
        "KEYS",
        "OTP",
        "PASS",
        "PASSIN",
        "PASSOUT",
    ),
    *("PAT", "PIN", "PSK", "PSW", "PSWD", "PW", "PWD", "SAS", "TOTP"),
}
_ENDINGS = ("AUTH", "KEY", "PASS", "PSWD", "PW", "PWD")
"""Also at the end of a longer word: SSHPASS, DBPWD, ROOTPW."""
_OTHER_WORDS = {"ASKPASS", "BYPASS", "COMPASS", "HOTKEY", "MONKEY", "TURKEY"}
_NAMES_A_PLACE = {
    *("DIR", "FILE", "HELPER", "LENGTH", "MEMORY", "METHOD", "NAME", "PATH", "SOCK", "SOCKET", "TIMEOUT", "TYPE"),
}
"""Last words that make a name one about a secret, or another word of it: PASSWORD_FILE, SSH_AUTH_SOCK, pin_memory."""
_OPEN_KEYS = re.compile(r"(?:CACHE|DATASET|FOREIGN|PRIMARY|PUBLIC|SORT)_KEYS?$")
_WORKING_DIRECTORIES = {"PWD", "OLDPWD"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_URL_LOGIN = re.compile(r"(?<=://)[^/\s?#'\"]+(?=@)")
_SIGNED = re.compile(
    r"(?<=[?&])((?i:(?:X-\w+-)?(?:sig|signature|sas)=)|key=(?=[\w-]*[0-9A-Z])(?=[^&#\s'\"]{6}))[^&#\s'\"]+"
)
"""Signatures and keys in the query of an address: whoever has it may use it. `?key=name` is an ordinary word."""
_TOKEN = re.compile(
    r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}"
    r"|npm_[A-Za-z0-9]{20,}"
    r"|gsk_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|ya29\.[\w-]{20,}|dop_v1_[a-f0-9]{20,}|SG\.[\w-]{10,}\.[\w-]{10,}"
    r"|glrt-[\w-]{16,}|wandb_v1_\w{20,}|pypi-[\w-]{20,}|sk-[\w-]{20,}"
    r"|xox[abeoprs]-[\w-]{10,}|A(?:KIA|SIA)[A-Z0-9]{16}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]+)(?![\w-])"
)
"""Tokens of GitHub, Hugging Face, AWS and others, and JSON Web Tokens, recognised by their form whatever their name."""
_BEARER = re.compile(r"\b(Bearer\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_HEADER = re.compile(r"(?:\b|(?<=-H))((?:Set-)?Cookie|(?:Proxy-)?Authorization)(:\s*)[^\n'\"]+", re.IGNORECASE)
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL)
_QUOTED_WORD = re.compile(r"""'(-{0,2}[A-Za-z_][\w.-]*)=(?:'"'"'|[^'])*'|"(-{0,2}[A-Za-z_][\w.-]*)=(?:\\.|[^"\\])*\"""")
_NAME = re.compile(
    r"""(?P<option>(?<![\w-])--?[A-Za-z][\w.-]*)(?:\s*=\s*|:(?=\S)|["'],\s*(?=["'])|[ \t]+(?!--))"""
    r"""|(?<![\w.-])(?:(?P<assigned>\w[\w.-]*)\s*=\s*|(?P<entry>\w[\w.-]*)\\*["']?:\s*)"""
)
"""What stands before a value: `--name x`, `'--name', 'x'` of a list that Python printed, `NAME=x`, `"name": "x"`."""
_VALUE = re.compile(r"""(?:'[^'\n]*'|"(?:[^"\\\n]|\\.)*")+|(?:\\.|[^\s'"\\&;,]|,(?!\s))+""")
_ELEMENT = re.compile(r"<([\w.-]+)>[^<>]+(?=</\1>)")
_LOGIN = re.compile(
    r"""(?<![\w-])(-[uU]|--?(?:proxy-?)?(?:user|login|userpwd|basic-auth))(["'],\s*["']|=|[ \t]+["']?|(?<=-[uU]))"""
    r"""(?!\+|\d+:\d+\b|\))([^\s:%'"]+[:%])[^\s'"]+"""
)
"""A user with a password: curl -u me:x, smbclient -U me%x."""
_AT_HOST = re.compile(r"""(?<![\w/:@.+-])(?!mailto:)([\w.+-]+:)[^\s:@/'"]{3,}(?=@(?!sha\d+:)[A-Za-z][\w-]*[.:/])""")
_HIDES = {
    "p": r"""sshpass|mysql\w*|mariadb[\w-]*|(?:docker|podman)["',\s]+login|7z\w?""",
    "P": "zip|unzip",
    "a": "redis-cli",
    "w": r"ldap\w+",
    "b": "curl",
}
"""Option that gives a secret -> the programs that mean one by it; to others it is a port, a page, a folder."""
_OF_PROGRAM = tuple(
    re.compile(
        rf"""((?<![\w-])(?:{programs})(?:["'\s][^\n|;]{{0,200}}?)?(?<=[\s'"])-{letter})(["'],\s*["']|[ \t]+["']?|)"""
        r"""(?![\d:]+\b)[^\s'"-][^\s'";|&]*"""
    )
    for letter, programs in _HIDES.items()
)
_SSH_LOGIN = re.compile(
    r"""((?<![\w-])(?:ssh|scp|sftp|sshfs|rsync)["'\s](?:[^\n|;]{0,200}?["'\s])?[\w.+-]+:)[^\s:@/'"]{3,}(?=@[A-Za-z])"""
)
"""A login with a password for a program that is given a host, whose name may have no dot."""
_PORT_OR_PLACE = re.compile(r"[\d.:]+$|[./~]")
"""What `-p` may be followed by besides a password."""
_DEFINES = {"--arg", "--argjson", "--build-arg", "--define", "--set", "--var", "--option"}
"""Options that are given a name and a value, as two words."""
_ARGUMENT = re.compile(r"(-{0,2}[A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


@cache
def is_secret_name(name: str) -> bool:
    """Whether a variable, an option or a key of that name usually holds a secret: DB_PASS, --api-key, accessToken.

    Whole words count, so PATH, PATTERN, AUTHOR and KEYBOARD are harmless, and so is PWD, the working directory.
    """
    words = [word.upper() for word in _WORD.findall(name)]
    joined = "_".join(words)
    if not words or words[-1] in _NAMES_A_PLACE or name in _WORKING_DIRECTORIES or _OPEN_KEYS.search(joined):
        return False
    return bool(_IN_ANY_WORD.search(joined)) or any(
        word in _WORDS or (word.endswith(_ENDINGS) and word not in _OTHER_WORDS) for word in words
    )


def redacted(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`text` without secrets.

    These are the values of environment variables whose names mark them as secret, in the forms that shells, JSON and
    URLs give them; values that the text itself gives to such a name; logins in URLs, HTTP headers, private keys.
    """
    text = _without_values(text, os.environ if environment is None else environment)
    text = _PEM.sub(rf"\1{SHOWN}", text)
    text = _SIGNED.sub(rf"\1{SHOWN}", _TOKEN.sub(SHOWN, text))
    text = _HEADER.sub(rf"\1\2{SHOWN}", text)
    text = _AT_HOST.sub(rf"\1{SHOWN}", _LOGIN.sub(rf"\1\2\3{SHOWN}", text))
    text = _of_programs(text)
    text = _ELEMENT.sub(lambda found: f"<{found[1]}>{SHOWN}" if is_secret_name(found[1]) else found[0], text)
    text = _BEARER.sub(rf"\1{SHOWN}", _URL_LOGIN.sub(SHOWN, text))
    return _without_named(_QUOTED_WORD.sub(_quoted_word, text))


def redacted_command(words: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """A command line without secrets, quoted for a shell."""
    shown: list[str] = []
    option = ""
    for index, word in enumerate(words):
        argument = _ARGUMENT.fullmatch(word)
        if is_secret_name(option) or (option == "-p" and not _PORT_OR_PLACE.match(word)):
            shown.append(SHOWN)
        elif argument and is_secret_name(argument[1]):
            shown.append(f"{argument[1]}={SHOWN}")
        elif option in ("-u", "-U") or _LOGIN.match(f"{option} x:x"):
            shown.append(re.sub("(?<=[:%]).+", SHOWN, redacted(word, environment), count=1, flags=re.DOTALL))
        else:
            shown.append(redacted(word, environment))
        is_name = word.startswith("-") or (index > 0 and words[index - 1] in _DEFINES)
        option = word if is_name and "=" not in word else ""
    return _of_programs(shlex.join(shown))


def _of_programs(text: str) -> str:
    """`text` without the values of options that mean a secret to some programs only: sshpass -p x."""
    for option in _OF_PROGRAM:
        text = option.sub(rf"\1\2{SHOWN}", text)
    return _SSH_LOGIN.sub(rf"\1{SHOWN}", text)


def _without_values(text: str, environment: Mapping[str, str]) -> str:
    secrets = {
        form
        for name, value in environment.items()
        if len(value.strip()) >= _SHORTEST and is_secret_name(name)
        for form in _forms(value)
    }
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, SHOWN)
    return text


def _forms(value: str) -> Iterator[str]:
    """How a value may be printed: as it is, quoted for a shell, escaped by Python or JSON, in a URL, line by line."""
    yield value
    yield value.strip()
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", r"'\''")
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST)


def _without_named(text: str) -> str:
    """`text` without the values that it gives to secret names."""
    shown, end = [], 0
    for name in _NAME.finditer(text):
        value = _VALUE.match(text, name.end()) if name.start() >= end and _is_secret(name) else None
        if value:
            mark = value[0][0] if value[0][0] in "'\"" else ""
            shown.append(f"{text[end : name.end()]}{mark}{SHOWN}{mark}")
            end = value.end()
    return "".join(shown) + text[end:]


def _is_secret(name: re.Match[str]) -> bool:
    """Prose says "auth: ok" and code says `key=len`, so there a name has to be plainer."""
    if name["option"]:
        return is_secret_name(name["option"])
    if name["assigned"]:
        return name["assigned"] != "key" and is_secret_name(name["assigned"])
    return bool(_IN_ANY_WORD.search(name["entry"].upper().replace("-", "_"))) and is_secret_name(name["entry"])


def _quoted_word(found: re.Match[str]) -> str:
    mark = found[0][0]
    name = found[1] or found[2]
    return f"{mark}{name}={SHOWN}{mark}" if is_secret_name(name) else found[0]


class RedactingFormatter(logging.Formatter):
    """Formats a log record as usual, with its traceback, then removes secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))

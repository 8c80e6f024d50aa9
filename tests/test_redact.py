"""Secrets of the environment and of command lines appear in no text that is recorded or printed."""

from __future__ import annotations

import json
import logging
import shlex
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cenbench.redact import RedactingFormatter, is_secret_name, redacted, redacted_command

SECRET_NAMES = """
    MYSQL_PWD SSHPASS DB_PASS PGPASSWORD GH_PAT AZURE_DEVOPS_EXT_PAT REDISCLI_AUTH NPM_AUTH npm_config__auth HTTP_COOKIE
    SESSION_COOKIES AWS_CREDENTIALS DB_CREDS KAGGLE_KEY WANDB_API_KEY APIKEY SSHKEY AWS_ACCESS_KEY_ID HF_TOKEN
    GITHUBTOKEN S3_SECRET SENTRY_DSN DATABASE_DSN SLURM_JWT GPG_PASSPHRASE accessToken AccountKey clientSecret
    SLACK_WEBHOOK_URL AZURE_STORAGE_CONNECTION_STRING DB_CONN_STR
    DBPW ADMINPW ROOTPW PSWD DB_PSWD PASSWRD SESSION_ID SESSIONID USER_SESSION_ID sessionId JSESSIONID PHPSESSID
    --password --api-key --pass --auth-token pwd --pw --pin --otp --sas -passin --pswd --psw
"""
HARMLESS_NAMES = """
    PWD OLDPWD PATH PYTHONPATH MANPATH PATTERN PATCH AUTHOR GIT_AUTHOR_NAME XAUTHORITY KEYBOARD KEYMAP MONKEY COMPASS
    PASSENGER TOKENIZERS_PARALLELISM SSH_AUTH_SOCK GIT_ASKPASS PASSWORD_FILE KEY_TYPE dataset_key public_key HOME USER
    --preset --root --patience pin_memory PINNED SASHIMI HOTPOT
    XDG_SESSION_ID SESSION_IDLE SESSIONS POSSESSION_ID PROCESS_ID SESSION_MANAGER GPW_FILE SWAP PSWAP
"""
BEGIN, END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
CODE = "auth: ok, pass: 3, sorted(key=len), dataset_key = f(x)"
AWKWARD = 'it\'s a "b" $x/é&=\\ end'


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_names_that_only_resemble_those(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD,
        shlex.quote(AWKWARD),
        shlex.quote(f"--x={AWKWARD}"),
        repr(AWKWARD),
        json.dumps({"x": AWKWARD}),
        json.dumps(AWKWARD, ensure_ascii=False),
        f"https://host/?x={quote_plus(AWKWARD)}",
    ],
)
def test_a_value_of_the_environment_in_each_form_that_programs_print(form: str) -> None:
    text = redacted(f"before {form} after", {"DB_PASS": AWKWARD})
    assert "[secret]" in text
    assert "end" not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cenbench run x --password abc --root y", "cenbench run x --password [secret] --root y"),
        ("--token=abc,def foo", "--token=[secret] foo"),
        ("--token='a b' c", "--token='[secret]' c"),
        ("'--password=a b' c", "'--password=[secret]' c"),
        ("--password 'a b'\"'\"'c' d", "--password '[secret]' d"),
        ("['git', '--token', 'abc', 'x']", "['git', '--token', '[secret]', 'x']"),
        ("env DB_PWD=abc PWD=/home/me PATH=/bin run", "env DB_PWD=[secret] PWD=/home/me PATH=/bin run"),
        ("secret_access_key = abc", "secret_access_key = [secret]"),
        ("Server=h;Password=abc;User=me", "Server=h;Password=[secret];User=me"),
        ('{"password": "a b", "n": 1}', '{"password": "[secret]", "n": 1}'),
        ("password: hunter2", "password: [secret]"),
        ("https://me:p@ss@host/x?token=abc&x=1", "https://[secret]@host/x?token=[secret]&x=1"),
        ("https://token@github.com/x and s3://bucket/x", "https://[secret]@github.com/x and s3://bucket/x"),
        ("Authorization: Basic bWU6cGFzcw==\nnext", "Authorization: [secret]\nnext"),
        ("curl -H 'Cookie: a=b; c=d' x", "curl -H 'Cookie: [secret]' x"),
        ("a Bearer abcdef.gh failed", "a Bearer [secret] failed"),
        (f"{BEGIN}\nab\ncd\n{END}", f"{BEGIN}[secret]{END}"),
        ("--password:abc -x", "--password:[secret] -x"),
        ("curl -u me:abc -H 'x: y' http://h", "curl -u me:[secret] -H 'x: y' http://h"),
        ("curl --proxy-user=me:abc -ume:abc", "curl --proxy-user=me:[secret] -ume:[secret]"),
        ("['curl', '--user', 'me:abc']", "['curl', '--user', 'me:[secret]']"),
        ("smbclient -U me%abc //h", "smbclient -U me%[secret] //h"),
        ("curl -b session=abc; curl '-HAuthorization: abc'", "curl -b [secret]; curl '-HAuthorization: [secret]'"),
        ("sshpass -p abc ssh -p 22 h", "sshpass -p [secret] ssh -p 22 h"),
        ("mysqldump -u me -pabc db > x", "mysqldump -u me -p[secret] db > x"),
        ("['docker', 'login', '-u', 'me', '-p', 'abc']", "['docker', 'login', '-u', 'me', '-p', '[secret]']"),
        ("docker run -p 80:8080 x; mkdir -p abc", "docker run -p 80:8080 x; mkdir -p abc"),
        ("zip -P abc x; unzip -Pabc x", "zip -P [secret] x; unzip -P[secret] x"),
        ("redis-cli -a abc; ldapsearch -w abc", "redis-cli -a [secret]; ldapsearch -w [secret]"),
        ("rsync me:abc@host:/x and git@github.com:a/b", "rsync me:[secret]@host:/x and git@github.com:a/b"),
        (r'{\"token\": \"abc\", \"n\": 1}', r'{\"token\": [secret], \"n\": 1}'),
        ("<db><password>abc</password></db>", "<db><password>[secret]</password></db>"),
        ("  key: --key\n  found: none", "  key: --key\n  found: none"),
        ("  key: table7.rows\n  found: x", "  key: table7.rows\n  found: x"),
        (CODE, CODE),
        ("a pattern at key tables; pass --preset demo", "a pattern at key tables; pass --preset demo"),
        ("date -u +%FT%TZ", "date -u +%FT%TZ"),
        ("docker run -u 1000:1000 img", "docker run -u 1000:1000 img"),
        ("docker run -u $(id -u):$(id -g) img", "docker run -u $(id -u):$(id -g) img"),
        ("docker exec x mkdir -p out", "docker exec x mkdir -p out"),
        ("docker compose -p cen up", "docker compose -p cen up"),
        ("docker login -u me -p abc", "docker login -u me -p [secret]"),
        ("--pswd=abc --psw=abc", "--pswd=[secret] --psw=[secret]"),
        ("https://h/?key=a1B2c3d4&x=1", "https://h/?key=[secret]&x=1"),
        ("https://h/?key=filename&sort=key", "https://h/?key=filename&sort=key"),
        ("https://h/?SIG=abc", "https://h/?SIG=[secret]"),
        ("ssh me:abc@host ls; scp -P 22 x me:abc@host:/y", "ssh me:[secret]@host ls; scp -P 22 x me:[secret]@host:/y"),
        ("['ssh', 'me:abc@host']", "['ssh', 'me:[secret]@host']"),
        ("ssh me@host; rsync a:b me@host:/x; task:run@noon", "ssh me@host; rsync a:b me@host:/x; task:run@noon"),
        ("gsk_size r8_net ya29.py dop_v1_x SG.x.y glrt-x wandb_v1_run",) * 2,
        ("write to mailto:ann@example.org", "write to mailto:ann@example.org"),
        ("image python:3.11@sha256:abcd", "image python:3.11@sha256:abcd"),
    ],
)  # fmt: skip
def test_what_a_text_itself_calls_a_secret(text: str, shown: str) -> None:
    assert redacted(text, {}) == shown


@pytest.mark.parametrize(
    "token",
    ["ghp_" + "a1" * 18, "github_pat_" + "a1_" * 10, "hf_" + "aB" * 17, "glpat-" + "a-1" * 7, "AKIA" + "A1" * 8,
     "gsk_" + "a1" * 20, "r8_" + "a1" * 18, "ya29." + "a0-_" * 10, "dop_v1_" + "a1" * 32, "wandb_v1_" + "a1_" * 20,
     "SG." + "a1" * 11 + "." + "a1" * 20, "glrt-" + "a-1" * 7,
     "xoxb-123456-abcdef", "sk-" + "a1" * 12, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
)  # fmt: skip
def test_a_token_is_recognised_by_its_form(token: str) -> None:
    assert redacted(f"clone {token}: failed", {}) == "clone [secret]: failed"
    assert redacted(f"--branch={token}", {}) == "--branch=[secret]"


def test_signatures_in_addresses() -> None:
    found = redacted("GET https://host/x.mat?X-Amz-Signature=abc1&size=3 and https://host/?sv=1&sig=a%2Bb#top", {})
    assert found == "GET https://host/x.mat?X-Amz-Signature=[secret]&size=3 and https://host/?sv=1&sig=[secret]#top"


def test_a_command_line_is_quoted_for_a_shell() -> None:
    words = ["cenbench", "run", "x y", "--password", "a b'c", "--token=a b", "https://a:b@c/d", "--config", "api_key=z"]
    shown = redacted_command([*words, "--path", "/x"], {})
    assert shlex.split(shown) == [
        *("cenbench", "run", "x y", "--password", "[secret]", "--token=[secret]", "https://[secret]@c/d"),
        *("--config", "api_key=[secret]", "--path", "/x"),
    ]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("-p abc", "-p [secret]"),
        ("-p 22 -p /x -p ./x", "-p 22 -p /x -p ./x"),
        ("--password --abc --root y", "--password [secret] --root y"),
        ("--arg token abc --arg n 1", "--arg token [secret] --arg n 1"),
        ("--user me:abc --user me", "--user me:[secret] --user me"),
        ("sshpass -p abc", "sshpass -p [secret]"),
        ("-pabc mysql -pabc", "-pabc mysql -p[secret]"),
    ],
)
def test_options_that_give_a_secret(words: str, shown: str) -> None:
    assert redacted_command(["cenbench", *words.split()], {}).replace("'", "") == f"cenbench {shown}"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=8).filter(lambda text: text.strip() == text))
def test_no_value_is_left_in_a_command_line(value: str) -> None:
    words = ["run", f"--note=<{value}>", value, f"--password={value}", "--pass", f"x{value}"]
    shown = shlex.split(redacted_command(words, {"A_PASS": value}))
    assert shown == ["run", "--note=<[secret]>", "[secret]", "--password=[secret]", "--pass", "[secret]"]


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    assert isinstance(redacted(text, {"TOKEN": "abcdef"}), str)


def test_lines_of_a_private_key_and_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "line-one-of-it\nline-two-of-it\n")
    record = logging.LogRecord("cenbench", logging.INFO, __file__, 1, "git said: line-two-of-it, PWD=/x", (), None)
    assert RedactingFormatter("%(message)s").format(record) == "git said: [secret], PWD=/x"


def test_short_values_and_harmless_names_stay() -> None:
    environment = {"TOKEN": "x", "PWD": "/home/me", "PATH": "/usr/bin:/bin", "PATTERN": "*.npy-files"}
    assert (
        redacted("x at /home/me in /usr/bin:/bin *.npy-files", environment)
        == "x at /home/me in /usr/bin:/bin *.npy-files"
    )

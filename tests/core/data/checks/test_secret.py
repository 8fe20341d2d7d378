"""Secrets: keys and passwords by their form. Those here were made up, and are put together so that no scanner minds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.checks.secret import find, mask_secrets, partly

TAIL = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"  # 36 characters
MADE_UP = {
    "AWS key": "AKIA" + "IOSFODNN7ABCDEFG",
    "GitHub token": "ghp" + "_" + TAIL,
    "GitLab token": "glpat" + "-" + TAIL[:20],
    "API key": "sk" + "-proj-" + TAIL,
    "Hugging Face token": "hf" + "_" + TAIL[:34],
    "Slack token": "xoxb" + "-123456789012-" + TAIL[:24],
    "Google key": "AIza" + TAIL[:35],
    "Stripe key": "sk" + "_live_" + TAIL[:24],
    "SendGrid key": "SG" + "." + TAIL[:22] + "." + TAIL + TAIL[:7],
    "npm token": "npm" + "_" + TAIL,
    "web token": "eyJ" + TAIL[:20] + ".eyJ" + TAIL[:30] + "." + TAIL,
}
KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\n" + f"{TAIL}\n" * 3 + "-----END RSA PRIVATE " + "KEY-----"


@pytest.mark.parametrize("kind", MADE_UP)
def test_tokens_of_services(kind):
    text = f"use {MADE_UP[kind]} here, or '{MADE_UP[kind]}'."
    assert {k for _, _, k in find(text)} == {kind}
    assert mask_secrets(text) == "use [SECRET] here, or '[SECRET]'."
    assert partly(MADE_UP[kind], kind) == f"{MADE_UP[kind][:3]}…{MADE_UP[kind][-4:]}"


def test_anthropic_keys_and_slack_hooks():
    assert mask_secrets("sk" + "-ant-api03-" + TAIL + "-x_y") == "[SECRET]"
    hook = "hooks.slack.com/services/T0" + "00/B000/" + TAIL[:24]
    assert mask_secrets(f"https://{hook}") == "https://[SECRET]"


def test_private_keys():
    assert mask_secrets(f"key:\n{KEY}\nend") == "key:\n[SECRET]\nend"
    assert mask_secrets(KEY.replace("\n", "\\n")) == "[SECRET]"
    assert partly(KEY, "private key") == "-----BEGIN RSA PRIVATE " + "KEY-----…"
    assert find("a file that begins with -----BEGIN PRIVATE " + "KEY----- holds one") == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2!", "password=[SECRET]"),
        ('{"db_password": "tr0ub4dor&3"}', '{"db_password": "[SECRET]"}'),
        ("export API_KEY='f00ba4ba2quux'", "export API_KEY='[SECRET]'"),
        ("client_secret: 8f14e45fceea167a5a36", "client_secret: [SECRET]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYZ1234567890", "aws_secret_access_key = [SECRET]"),
        ("Authorization: Bearer " + TAIL, "Authorization: Bearer [SECRET]"),
        ("postgres://ada:s3same@db.example.org:5432/x", "postgres://ada:[SECRET]@db.example.org:5432/x"),
        ("mongodb+srv://u:p4ssw0rd@c.mongodb.net", "mongodb+srv://u:[SECRET]@c.mongodb.net"),
    ],
)  # fmt: skip
def test_passwords_in_settings_and_addresses(text, masked):
    assert mask_secrets(text) == masked
    assert find(masked) == []
    assert not any(text[a:b] in partly(text[a:b], kind) for a, b, kind in find(text))


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password: please help", "Password: required, at least 8 characters", "the secret = patience",
        "password=your_password1", "password: ********", "api_key=<YOUR_KEY_1>", "password=${DB_PASSWORD1}",
        "password = get_password1()", "password = settings.password2", "secret: xxxxxx1", "pwd = os.environ['PWD1']",
        "token: the2words here", "sk-learn is a library for machine-learning-models",
        "a risk-based-approach-to-everything-2024",
        "https://example.org/a:b@c", "http://localhost:8080/x@y", "postgres://user:password@localhost/db",
        "github://org:repo1@sha/path", "hf_token is the name", "AKIA is four letters",
        "bearer of bad news about everything",
        "eyJ is how they begin", "key: value1", "keyboard: qwerty123", "tokens: 4096abc",
    ],
)  # fmt: skip
def test_what_is_none_stays(text):
    assert find(text) == [] and mask_secrets(text) == text


@given(st.text(alphabet="passwordkey=:\"' aB1!@/.-_", max_size=60))
def test_masked_text_has_nothing_left(text):
    masked = mask_secrets(text)
    assert mask_secrets(masked) == masked

"""Personal data: what is found by its form, and what looks like it and is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.checks.personal import find, mask_personal, partly


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # e-mail
        ("write to ada.lovelace@example.org.", "write to [EMAIL]."),
        ("<ada+news@mail.example.co.uk>, mailto:bob@example.com", "<[EMAIL]>, mailto:[EMAIL]"),
        # phone numbers, by country
        ("call +44 20 7946 0958 now", "call [PHONE] now"),
        ("+1 (650) 253-0000 or 650-253-0000 or (650) 253-0000", "[PHONE] or [PHONE] or [PHONE]"),
        ("+49 30 901820, +33 1 42 68 53 00, 0041 44 668 18 00", "[PHONE], [PHONE], [PHONE]"),
        ("Tel.: 030 901820, Fax 020 7946 0958", "Tel.: [PHONE], Fax [PHONE]"),
        ("my phone number is 650 253 0000", "my phone number is [PHONE]"),
        ("au 01 42 68 53 00, merci", "au [PHONE], merci"),
        ("+919876543210", "[PHONE]"),
        # cards: the test numbers that the issuers publish
        ("4111 1111 1111 1111 and 5555-5555-5555-4444", "[CARD] and [CARD]"),
        ("pay with 378282246310005", "pay with [CARD]"),
        ("visa 4012888888881881, 3782 822463 10005", "visa [CARD], [CARD]"),
        # the examples of the IBAN registry
        ("DE89 3704 0044 0532 0130 00", "[IBAN]"),
        ("GB29NWBK60161331926819 and FR14 2004 1010 0505 0001 3M02 606", "[IBAN] and [IBAN]"),
        ("to NL91 ABNA 0417 1643 00 PLEASE", "to [IBAN] PLEASE"),
    ],
)  # fmt: skip
def test_found_and_masked(text, masked):
    assert mask_personal(text) == masked
    assert find(masked) == [] and mask_personal(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "on 2023-10-12 at 10:30", "12.10.2023", "10/12/2023 - 11/12/2023", "2010-2015", "from 1936-1939 on",
        "it costs 1,234,567.89", "$1 200 000", "3.14159265358979", "0.00641346115861", "1e-10", "38390 - 19392",
        "order 123456789012", "order no. 4111111111111111", "id 5500005555555559", "invoice 2024-0001-4711",
        "978-3-16-148410-0", "ISBN 9783161484100", "192.168.100.200", "10.0.0.1:8080", "v1.2.3-4567890",
        "4111 1111 1111 1112", "4444 4444 4444 4444 4444", "DE89 3704 0044 0532 0130 01", "GB29NWBK6016133192681",
        "icon@2x.png", "git@github.com:org/repo.git", "@mention and a@b", "postgres://user:secret@db.example.org/x",
        "foo@bar", "1234567 times", "call 1234567 times", "the number 8675309", "550e8400-e29b-41d4-a716-446655440000",
        "+1234567890", "x + 1000000 + 2000000", "1 2 3 4 5 6 7 8 9 10", "lat 52.5200066, lon 13.404954",
        "call me at 10:30 or 11:45", "mobile 5 out of 10", "sha 3782822463100059999", "12345-67890", "100-200-3000",
    ],
)  # fmt: skip
def test_what_is_none_stays(text):
    assert find(text) == [] and mask_personal(text) == text


def test_shown_in_part():
    text = "ada.lovelace@example.org 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 +44 20 7946 0958 al@example.org"
    assert [partly(text[a:b], kind) for a, b, kind in find(text)] == [
        "ad…@example.org", "…11", "DE89…00", "…58", "a…@example.org",
    ]  # fmt: skip


@given(st.text(alphabet="0123456789 +-()./@abDEGB", max_size=60))
def test_masked_text_has_nothing_left(text):
    masked = mask_personal(text)
    assert mask_personal(masked) == masked
    spans = find(text)
    assert all(a < b for a, b, _ in spans) and all(x[1] <= y[0] for x, y in zip(spans, spans[1:], strict=False))

"""The digest of a text, and its readable form."""

from __future__ import annotations

import hashlib

from recurra.text.text import Text


def test_digest_equals_digest_of_file() -> None:
    assert Text("é\n", "a").sha256 == hashlib.sha256(b"\xc3\xa9\n").hexdigest()
    assert len(Text("é\n", "a")) == 2


def test_readable_decodes_text_of_bytes() -> None:
    assert Text("é and \xff", "a").readable(0, 100) == "é and \xff"
    of_bytes = Text("\xc3\xa9 and \xff", "a", encoding="bytes")
    assert (of_bytes.readable(0, 4), of_bytes.readable(1, 100)) == ("é a", "\ufffd and \ufffd")

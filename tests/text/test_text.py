"""A text and its digest."""

from __future__ import annotations

import hashlib

from recurra.text.text import Text


def test_digest_is_that_of_the_file() -> None:
    assert Text("é\n", "a").sha256 == hashlib.sha256(b"\xc3\xa9\n").hexdigest()
    assert len(Text("é\n", "a")) == 2

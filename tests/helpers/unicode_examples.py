"""Examples of what Unicode asks for: Python and the page's JavaScript must agree on each."""

from __future__ import annotations

EQUIVALENTS = [  # the characters that a model knows, a text, and the text in the form that it knows
    ("caf\u00e9", "cafe\u0301", "caf\u00e9"),
    ("cafe\u0301", "caf\u00e9", "cafe\u0301"),
    ("cafe", "caf\u00e9", "caf\u00e9"),  # the other form has an unknown character, too
    ("e\u0301\u00e9", "e\u0301\u00e9", "e\u0301\u00e9"),  # both forms are known: nothing changes
    ("\u00e9x", "e\u0301xe\u0301", "\u00e9x\u00e9"),
    ("\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "\ud55c\uad6d"),  # Korean letters
    ("\u1112\u1161\u11ab", "\ud55c", "\u1112\u1161\u11ab"),
    ("\u1ec7", "e\u0302\u0323", "\u1ec7"),  # two marks, in another order
    ("\u0439\u0451", "\u0438\u0306\u0435\u0308", "\u0439\u0451"),  # Russian
    ("\u09df", "\u09af\u09bc", "\u09df"),  # Bengali: NFC itself decomposes it
    ("\u09af\u09bc", "\u09df", "\u09af\u09bc"),
    ("\u212a", "K", "\u212a"),
    ("K\u00c5", "\u212a\u212b", "K\u00c5"),  # the signs of Kelvin and of Angstrom
    ("\u212bx", "A\u030ax", "\u212bx"),
    ("\u8c48", "\uf900", "\u8c48"),  # a compatibility ideograph
    ("\ufb2a", "\u05e9\u05c1", "\ufb2a"),  # Hebrew, a shin with its dot
    ("a\u0301b", "\u0301\u00e1b", "\u0301a\u0301b"),  # a mark without a letter before it
    ("x", "", ""),
]

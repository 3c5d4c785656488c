"""Unicode examples for which Python and the page's JavaScript must give the same result."""

from __future__ import annotations

EQUIVALENTS = [  # a model's vocabulary, a text, and the text in the normalization form of the vocabulary
    ("caf\u00e9", "cafe\u0301", "caf\u00e9"),
    ("cafe\u0301", "caf\u00e9", "cafe\u0301"),
    ("cafe", "caf\u00e9", "caf\u00e9"),  # the other form also has an unknown character
    ("e\u0301\u00e9", "e\u0301\u00e9", "e\u0301\u00e9"),  # the vocabulary has both forms: nothing changes
    ("\u00e9x", "e\u0301xe\u0301", "\u00e9x\u00e9"),
    ("\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "\ud55c\uad6d"),  # Korean letters
    ("\u1112\u1161\u11ab", "\ud55c", "\u1112\u1161\u11ab"),
    ("\u1ec7", "e\u0302\u0323", "\u1ec7"),  # two marks in a different order
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

WORDS = [  # a text, and its words
    ("A small book, of few words.", ["A", "small", "book", "of", "few", "words"]),
    ("don\u2019t 'quote' it's rock'n'roll o' clock", ["don\u2019t", "quote", "it's", "rock'n'roll", "o", "clock"]),
    ("d\u00e9j\u00e0 de\u0301ja\u0300 na\u00efve", ["d\u00e9j\u00e0", "de\u0301ja\u0300", "na\u00efve"]),
    ("col\u00b7lecci\u00f3", ["col\u00b7lecci\u00f3"]),
    ("हिन्दी में लिखा है", ["हिन्दी", "में", "लिखा", "है"]),
    ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
    ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
    ("اَلْعَرَبِيَّةُ می\u200cخواهم", ["اَلْعَرَبِيَّةُ", "می\u200cخواهم"]),
    ("עִבְרִית שלום", ["עִבְרִית", "שלום"]),
    ("한국어 말 ㅋㅋ", ["한국어", "말", "ㅋㅋ"]),
    ("Русский ё й", ["Русский", "ё", "й"]),
    ("人之初,性本善。", []),
    ("ひらがな カタカナー 漢字", []),
    ("ภาษาไทย ที่", []),
    ("ភាសាខ្មែរ", []),
    ("မြန်မာဘာသာ", []),
    ("ພາສາລາວ", []),
    ("iPhoneは便利 2026年", ["iPhone", "2026"]),
    ("\U00020000\u3007 \U0001d400\U0001f600b", ["\U0001d400", "b"]),
    ("snake_case x2 3.14 a-b", ["snake_case", "x2", "3", "14", "a", "b"]),
    ("soft\u00adhyphen zero\u200bwidth", ["soft\u00adhyphen", "zero", "width"]),
    ("\u0301 alone\U0001f600", ["alone"]),
    ("", []),
]

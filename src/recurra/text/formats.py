"""File formats other than plain text: their first bytes, and the command that extracts their text."""

from __future__ import annotations

import codecs
import re
import shlex
import unicodedata
from pathlib import PurePath
from typing import NamedTuple

STANDARD_INPUT = "standard input"  # the name of standard input in messages
SNIFFED = 4096  # bytes; enough to recognize most formats
_SEARCHED = 1 << 16  # bytes of a ZIP archive that are searched for the names of its members
_CONTROL_SHARE = 0.05  # largest share of control characters in plain text
_UTF16_SHARE = 0.005  # smallest share of characters below U+0100 in a text in UTF-16, such as spaces and line ends
_NO_TEXT = ("Cc", "Cn", "Co", "Cs")  # categories: control, unassigned, private, surrogate
_ALPHABET_SHARE = 0.95  # smallest share of characters below U+2100 in a text in an alphabet (not Chinese, ...)
_UNMARKED_CODECS = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_UTF16_LEAST = 16  # smallest number of bytes in which UTF-16 without a byte order mark is recognized
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\f\r\x1b")

COMPRESSED = "compressed or archived"
DOCUMENT = "PDF, office document or e-book"
MEDIA = "image, audio or video"
DATA = "data file of a program"
MODEL = "model file"
PROGRAM = "compiled program"
UNMARKED = "UTF-16 or UTF-32 without a byte order mark"


class Format(NamedTuple):
    """A file format.

    Attributes:
        name: the name with an article, to complete the sentence "FILE is …, not plain text"
        kind: the group of formats in the notes on a folder
        action: the imperative that begins the hint
        file: a shell command for a file, or ""; {file} is its path, {stem} its path without the last suffix
        pipe: a shell command that converts standard input to text, or ""
        suffix: the usual suffix of a compressed file
        beside: a shell command that unpacks a file with this suffix to a file of the same name without it
    """

    name: str
    kind: str
    action: str
    file: str = ""
    pipe: str = ""
    suffix: str = ""
    beside: str = ""

    def hint(self, name: str) -> str:
        """Return the hint for the file, or the standard input, that messages call `name`."""
        if name == STANDARD_INPUT and self.pipe:
            return f"{self.action} before recurra reads it: `{self.pipe} < FILE | recurra …`."
        if not self.file:
            return f"{self.action}."
        if name == STANDARD_INPUT:
            return f"save it as a file and {self.action}: `{self.file.format(file='FILE', stem='TEXT')}`."
        path = _path(name)
        stem = str(PurePath(path).with_suffix(""))
        stem = stem if stem != path else f"{path}.unpacked"
        template = self.beside if self.suffix and path.endswith(self.suffix) else self.file
        return f"{self.action}: `{template.format(file=shlex.quote(path), stem=shlex.quote(stem))}`."


def _path(name: str) -> str:
    """Return the path `name` for a shell command; FILE if the message has escaped or shortened the path."""
    if not name.isprintable() or "\\" in name or name.endswith("…"):
        return "FILE"
    return f"./{name}" if name.startswith("-") else name


def _compressed(name: str, tool: str, suffix: str) -> Format:
    """Return the format of a compressed file that `tool` unpacks."""
    command = f"{tool} -c"
    return Format(
        name, COMPRESSED, "unpack it", f"{command} {{file}} > {{stem}}", command, suffix, f"{tool} -k {{file}}"
    )


def _archive(name: str, command: str, pipe: str = "") -> Format:
    """Return the format of an archive that `command` unpacks into a folder."""
    return Format(name, COMPRESSED, "unpack it", command, pipe)


def _pandoc(name: str, reader: str) -> Format:
    """Return the format of a document that pandoc converts."""
    command = f"pandoc -f {reader} -t plain"
    return Format(name, DOCUMENT, "convert it", f"{command} -o {{stem}}.txt {{file}}", command)


def _office(name: str, target: str) -> Format:
    """Return the format of an office file that LibreOffice converts."""
    return Format(name, DOCUMENT, "convert it", f"soffice --headless --convert-to {target} {{file}}")


def _data(name: str, command: str = "") -> Format:
    """Return the format of a data file that `command` converts to text.

    Without a command, the hint is to export the text with the program that wrote the file.
    """
    return Format(
        name, DATA, "write it as text" if command else "export its text with the program that wrote it", command
    )


def _no_text(name: str, kind: str) -> Format:
    """Return the format of a file that no command converts to text."""
    return Format(name, kind, "give a file of plain text instead")


_IMAGE = Format("an image", MEDIA, "recognize its text", "tesseract {file} {stem}")
_SOUND = Format("an audio or video file", MEDIA, "transcribe it", "whisper {file} --output_format txt")
_ZIP = _archive("a ZIP archive", "unzip {file} -d {stem}", "funzip")
SAFETENSORS = _no_text("a model file (safetensors)", MODEL)
_NPY = _data(
    "a NumPy array (.npy)",
    "python -c 'import numpy, sys; numpy.savetxt(sys.stdout, numpy.load(sys.argv[1]).ravel(), \"%s\")' "
    "{file} > {stem}.txt",
)
_PARQUET = _data(
    "a Parquet file",
    "python -c 'import pandas, sys; pandas.read_parquet(sys.argv[1]).to_csv(sys.stdout)' {file} > {stem}.csv",
)

_SIGNATURES: tuple[tuple[bytes, Format], ...] = (  # patterns of the first bytes, in which `.` is any byte
    (rb"\x1f\x8b\x08", _compressed("a gzip file", "gunzip", ".gz")),
    (rb"\x1f\x9d[\x09-\x10\x89-\x90]", _compressed("a compress file", "gunzip", ".Z")),
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", _compressed("a bzip2 file", "bunzip2", ".bz2")),
    (rb"\xfd7zXZ\0", _compressed("an xz file", "unxz", ".xz")),
    (rb"\x5d\0\0[\x01\x02\x04\x08\x10\x20\x40\x80]\0", _compressed("an lzma file", "unlzma", ".lzma")),
    (rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", _compressed("a Zstandard file", "unzstd", ".zst")),
    (rb"\x04\x22\x4d\x18", _compressed("an LZ4 file", "unlz4", ".lz4")),
    (rb"7z\xbc\xaf\x27\x1c", _archive("a 7-Zip archive", "7z x {file} -o{stem}")),
    (rb"Rar!\x1a\x07", _archive("a RAR archive", "unrar x {file} {stem}/")),
    (rb".{257}ustar[\0 ]", _archive("a tar archive", "mkdir {stem} && tar -xf {file} -C {stem}", "tar -xO")),
    (rb"PK\x05\x06|PK\x07\x08", _ZIP),
    (rb"RCRA.\x02", _archive("a compressed file of recurra", "recurra decompress --adaptive {file} -o {stem}")),
    (rb"RCRA.\x01", _archive("a compressed file of recurra", "recurra decompress MODEL {file} -o {stem}")),
    (
        rb"\s*%PDF-\d",
        Format("a PDF file", DOCUMENT, "extract its text", "pdftotext {file} {stem}.txt", "pdftotext - -"),
    ),
    (rb"AT&TFORM", Format("a DjVu document", DOCUMENT, "extract its text", "djvutxt {file} {stem}.txt")),
    (rb".{60}(BOOKMOBI|TEXtREAd)", Format("an e-book", DOCUMENT, "convert it", "ebook-convert {file} {stem}.txt")),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _office("an old Microsoft Office file (.doc, .xls, .ppt)", "txt:Text")),
    (rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|II\*\0|MM\0\*|BM.{4}\0{4}|RIFF.{4}WEBP|8BPS\0\x01", _IMAGE),
    (rb"GIF8[79]a.{0,7}[\0-\x08\x0e-\x1f]|\0\0.{2}ftyp(heic|heix|mif1|avif)", _IMAGE),
    (rb"\0\0.{2}ftyp|ID3[\x02-\x04]\0|OggS\0|fLaC\0|RIFF.{4}(WAVE|AVI )|\x1a\x45\xdf\xa3|MThd\0|FLV\x01", _SOUND),
    (rb"\xff[\xf2\xf3\xfa\xfb].{0,4000}\0|FORM.{4}AIF[FC]", _SOUND),
    (rb"SQLite format 3\0", _data("an SQLite database", "sqlite3 {file} .dump > {stem}.sql")),
    (rb"\x93NUMPY", _NPY),
    (rb"\x89HDF\r\n\x1a\n", _data("an HDF5 file", "h5dump {file} > {stem}.txt")),
    (rb"PAR1[\x15\x19]", _PARQUET),
    (rb"\x80[\x02-\x05]", _data("a Python pickle")),
    (rb"MATLAB [57]\.\d MAT-file", _data("a MAT-file")),
    (rb"ARROW1\0\0|FEA1|Obj\x01", _data("an Arrow, Feather or Avro file")),
    (rb'.{4}\0{4}\{"', SAFETENSORS),
    (rb"GGUF[\x01-\x0f]\0", _no_text("a model file (GGUF)", MODEL)),
    (rb"\x7fELF|MZ.{0,62}\0\0|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|\0asm", _no_text("a compiled program", PROGRAM)),
)
_ZIPPED: tuple[tuple[bytes, Format], ...] = (  # patterns of names or contents of the first members of a ZIP archive
    (rb"application/epub\+zip", _pandoc("an EPUB e-book", "epub")),
    (rb"application/vnd\.oasis\.opendocument\.text", _pandoc("an OpenDocument text (.odt)", "odt")),
    (rb"application/vnd\.oasis\.opendocument\.spread", _office("an OpenDocument spreadsheet (.ods)", "csv")),
    (rb"application/vnd\.oasis\.opendocument", _office("an OpenDocument file", "pdf")),
    (rb"word/", _pandoc("a Word document (.docx)", "docx")),
    (rb"xl/", _office("an Excel file (.xlsx)", "csv")),
    (rb"ppt/", _office("a PowerPoint file (.pptx)", "pdf")),
    (rb"/data\.pkl|/data/0", _no_text("a model file (PyTorch)", MODEL)),
    (rb"PK\x03\x04.{26}[^/]{1,80}\.npy", _data("a file of NumPy arrays (.npz)")),
)
_PATTERNS = [(re.compile(pattern, re.DOTALL), format) for pattern, format in _SIGNATURES]
_MEMBERS = [(re.compile(pattern, re.DOTALL), format) for pattern, format in _ZIPPED]


def recognize(data: bytes) -> Format | None:
    """Return the format of a file that begins with `data`; None for plain text and for unknown formats."""
    if data.startswith(b"PK\x03\x04"):
        members = data[:_SEARCHED]
        return next((format for pattern, format in _MEMBERS if pattern.search(members)), _ZIP)
    return next((format for pattern, format in _PATTERNS if pattern.match(data)), None)


def looks_binary(data: bytes) -> bool:
    """Return True if the beginning of `data` has a NUL, or more control characters than plain text."""
    head = data[:SNIFFED]
    return b"\0" in head or _controls(head) > _CONTROL_SHARE * len(head)


def unmarked_unicode(data: bytes) -> str | None:
    """Detect UTF-16 or UTF-32 without a byte order mark, from the beginning `data` of a file.

    The bytes must decode strictly, to text without control characters; some characters, such as spaces and line ends,
    must be below U+0100. If the bytes are also valid UTF-8, two more conditions hold. The bytes have many NULs or other
    control characters, and almost all decoded characters are below U+2100, as in a text in an alphabet.

    Returns: the codec, or None.
    """
    head = data[:SNIFFED]
    if len(head) < _UTF16_LEAST or b"\0" not in head:
        return None
    alphabet = _is_utf8(head)
    if alphabet and _controls(head) <= _CONTROL_SHARE * len(head):
        return None
    shares = {codec: _latin_share(head, codec, alphabet=alphabet) for codec in _UNMARKED_CODECS}
    best = max(shares, key=lambda codec: shares[codec])
    return best if shares[best] > _UTF16_SHARE else None


def _controls(head: bytes) -> int:
    """Count the control characters that do not occur in plain text."""
    return len(head) - len(head.translate(None, _CONTROLS))


def _is_utf8(head: bytes) -> bool:
    """Return True if `head` begins a text in UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _latin_share(head: bytes, codec: str, *, alphabet: bool) -> float:
    """Return the share of characters below U+0100 in `head` decoded by `codec`.

    The share is 0 if the result is not text, or, with `alphabet`, not a text in an alphabet.
    """
    try:
        text = codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return 0.0
    if alphabet and sum(character < "\u2100" for character in text) < _ALPHABET_SHARE * len(text):
        return 0.0
    is_text = all(character in "\t\n\f\r" or unicodedata.category(character) not in _NO_TEXT for character in text)
    return sum(character < "\u0100" for character in text) / len(text) if text and is_text else 0.0

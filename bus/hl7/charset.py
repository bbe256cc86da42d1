"""Character sets of HL7 v2: table 0211 names, and decoding that loses nothing Chinese.

464 of the 20,992 basic ideographs hold a byte of ``|^~\\`` in GB 18030 (珅 is AB 7C), so text is decoded
before it is split.
"""

from __future__ import annotations

import codecs
import re

from bus.hl7.problem import TABLE_VALUE, HL7Error

TABLE_0211 = {
    "ASCII": "ascii",
    "8859/1": "iso8859_1",
    "8859/2": "iso8859_2",
    "8859/3": "iso8859_3",
    "8859/4": "iso8859_4",
    "8859/5": "iso8859_5",
    "8859/6": "iso8859_6",
    "8859/7": "iso8859_7",
    "8859/8": "iso8859_8",
    "8859/9": "iso8859_9",
    "8859/15": "iso8859_15",
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp_ext",
    "ISO IR87": "iso2022_jp_2",
    "ISO IR159": "iso2022_jp_2",
    "GB 18030-2000": "gb18030",
    "JAS2020": "iso2022_jp_2",
    "JIS X 0202": "iso2022_jp_2",
    "KS X 1001": "cp949",
    "BIG-5": "cp950",
    # Only a message whose MSH is plain bytes gets as far as its MSH-18, and of Unicode's forms that is UTF-8
    # alone.
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
}
"""Names of HL7 table 0211 (v2.5 §2.15.9.18; JAS2020 and JIS X 0202 are v2.3.1's) and the Python codec of
each.
"""

_IN_USE = {
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "GB18030": "gb18030",
    "GB 18030": "gb18030",
    "GB 18030-2005": "gb18030",
    "GB 18030-2022": "gb18030",
    "GB18030-2000": "gb18030",
    "GBK": "gb18030",
    "CP936": "gb18030",
    "GB2312": "gb18030",
    "GB 2312-1980": "gb18030",
    "BIG5": "cp950",
    "US-ASCII": "ascii",
    "ISO-8859-1": "iso8859_1",
    "ISO8859-1": "iso8859_1",
}
"""Names that are in no table and in many hospitals. GB 2312 and GBK are subsets of GB 18030."""

_REFUSED = {
    "CNS 11643-1992": "CNS 11643 has no decoder here: send UNICODE UTF-8, BIG-5 or GB 18030-2000 instead",
    "UNICODE UTF-16": "no MSH in UTF-16 can be found by its name in MSH-18: send UNICODE UTF-8 instead",
    "UNICODE UTF-32": "no MSH in UTF-32 can be found by its name in MSH-18: send UNICODE UTF-8 instead",
}

_CODECS = {name.upper(): codec for name, codec in (TABLE_0211 | _IN_USE).items()}
_CODECS |= {codec.upper(): codec for codec in TABLE_0211.values()}


def _problem(reason: str) -> HL7Error:
    return HL7Error("unknown_charset", reason, TABLE_VALUE, "MSH-18")


def _one(name: str) -> str:
    wanted = " ".join(name.split()).upper()
    if wanted in _REFUSED:
        raise _problem(f"MSH-18 says {wanted}: {_REFUSED[wanted]}")
    if wanted not in _CODECS:
        shown = wanted if re.fullmatch(r"[A-Z0-9 /_.-]{1,40}", wanted) else "something unreadable"
        raise _problem(
            f"MSH-18 says {shown}, which HL7 table 0211 does not know: send UNICODE UTF-8 or GB 18030-2000"
        )
    return _CODECS[wanted]


def codec_for(declared: str, default: str = "utf-8") -> str:
    """Return the Python codec for MSH-18, which may repeat ("~"); an empty one means `default` (a name, or a
    codec).

    The first repetition is the message's own character set and the others are switched to by ISO 2022 escapes
    (v2.5 §2.15.9.18), which one codec covers for the Japanese and Korean sets. Raises HL7Error for a set that
    is unknown.
    """
    first, *others = declared.split("~")
    codec = _one(first) if first.strip() else _one(default)
    alternates = [_one(name) for name in others if name.strip()]
    if any(name.startswith("iso2022_jp") for name in alternates) and codec not in {"utf-8", "gb18030"}:
        return "iso2022_jp_2"
    return codec


_GB18030_2022 = {
    0xE7C7: 0x1E3F,
    **dict(zip([*range(0xE78D, 0xE797)], [*range(0xFE10, 0xFE1A)], strict=True)),
    **dict(
        zip(
            [0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864],
            [*range(0x9FB4, 0x9FBC)],
            strict=True,
        )
    ),
}
"""Python's gb18030 is the mapping of 2000; GB 18030-2005 and -2022 gave these private code points their real
characters.
"""

_GB18030_TWO_BYTES = {real: private for private, real in _GB18030_2022.items()}
"""Back again: Python writes the real characters in four bytes, the standard since 2005 in two."""

_PRIVATE = re.compile("[" + "".join(map(chr, _GB18030_2022)) + "]")


def _euro(error: UnicodeError) -> tuple[str, int]:
    """Read CP936's lone 80 as the euro sign, as Windows does; any other bad byte stays an error."""
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] == 0x80:
        return "€", error.start + 1
    raise error


codecs.register_error("yilian.cp936", _euro)


def decode_raw(raw: bytes, codec: str) -> str:
    """Decode strictly, before any normalisation: what the hot path uses to check a body. Raises
    UnicodeDecodeError.
    """
    return raw.decode(codec, "yilian.cp936" if codec == "gb18030" else "strict")


def decode(raw: bytes, codec: str) -> str:
    """Decode strictly by a codec that `codec_for` gave. Raises HL7Error, which says where, and never what, is
    wrong.
    """
    try:
        text = decode_raw(raw, codec)
    except UnicodeDecodeError as error:
        raise undecodable(codec, error.start) from None
    if codec == "gb18030" and not text.isascii() and _PRIVATE.search(text):
        return text.translate(_GB18030_2022)
    return text


def undecodable(codec: str, offset: int) -> HL7Error:
    """Return the HL7Error of a body that is not in the character set that it says."""
    where = f"the byte at offset {offset} does not belong to it"
    return _problem(f"the body is not {codec}: {where}; check MSH-18 and the sender's character set")


def encode(text: str, codec: str) -> bytes:
    """Write text that `decode` gave, as it was sent.

    Where a character set has two spellings of a character, the usual one is written: two bytes for what GB
    18030 moved in 2005 and 2022, A2 E3 for the euro sign. Raises UnicodeEncodeError for text from elsewhere
    that the character set cannot say.
    """
    if codec == "gb18030" and not text.isascii():
        text = text.translate(_GB18030_TWO_BYTES)
    return text.encode(codec)

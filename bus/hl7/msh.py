"""Finding the character set of a message that names it inside itself (MSH-18)."""

from __future__ import annotations

from bus.hl7.charset import codec_for, decode_raw
from bus.hl7.problem import HL7Error


def first_segment(raw: bytes) -> bytes:
    """Return the segment MSH as bytes. CR and LF occur inside no character of a charset that MLLP can
    carry.
    """
    if not raw.startswith(b"MSH") or len(raw) < 8:
        raise HL7Error("missing_msh", "the message does not begin with a segment MSH", location="MSH")
    end = raw.find(b"\r")
    return raw[: end if end >= 0 else max(raw.find(b"\n"), 0) or len(raw)]


def with_control_id(raw: bytes, codec: str, control_id: str) -> bytes:
    """Return a message under another control id (MSH-10), everything else as it was.

    Raises HL7Error where writing MSH again would change more than that.
    """
    segment = first_segment(raw)
    try:
        text = segment.decode(codec)
        fields = text.split(text[3])
        if text.encode(codec) != segment or len(fields) < 10:
            raise UnicodeError
        fields[9] = control_id
        return text[3].join(fields).encode(codec) + raw[len(segment) :]
    except (UnicodeError, LookupError) as error:
        reason = f"its MSH does not read as {codec}, or has no MSH-10: it cannot be written anew"
        raise HL7Error("wrong_charset", reason, location="MSH") from error


def declared_codec(raw: bytes, default: str) -> str:
    """Return the Python codec of a message: by MSH-18, by `default` (a codec) where that is empty.

    An MSH of ASCII alone is unambiguous. Otherwise a character may hide a delimiter under the wrong character
    set, so the right one is that under which the MSH reads and names that same set; where none does, the
    default is it if MSH-18 is empty under it. Raises HL7Error when there is none, or when it is unknown.
    """
    msh = first_segment(raw)
    if msh.isascii():
        return codec_for(_msh18(msh.decode("ascii")), default)
    for tried in dict.fromkeys(("utf-8", "gb18030", default, "cp950", "iso8859_1")):
        named = _named(msh, tried)
        if named and codec_for(named, default) == tried:
            return tried
        if named and _named(msh, codec_for(named, default)) == named:
            return codec_for(named, default)
    if _named(msh, default) == "":
        return default
    raise HL7Error(
        "unknown_charset",
        "the segment MSH reads under no character set that it names; check MSH-18 against the sender",
        location="MSH-18",
    )


def _named(msh: bytes, codec: str) -> str | None:
    """Return MSH-18 as it reads under a codec; None when the MSH does not read under it at all."""
    try:
        return _msh18(decode_raw(msh, codec)).strip()
    except UnicodeDecodeError:
        return None


def _msh18(msh: str) -> str:
    fields = msh.split(msh[3])
    if len(fields) < 18:
        return ""
    declared = fields[17]
    repetition = msh[5:6] or "~"
    return declared if repetition == "~" else declared.replace(repetition, "~")

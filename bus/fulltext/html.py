"""The text of an HTML page: what a reader sees. Nothing is run, loaded or followed."""

from __future__ import annotations

from html.parser import HTMLParser

_UNSEEN = frozenset({"script", "style", "head", "template", "noscript", "object", "svg"})
_BLOCKS = (
    "address article aside blockquote br caption dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr"
    " legend li main nav ol option p pre section table tbody td tfoot th thead tr ul"
)
_APART = frozenset(_BLOCKS.split(" "))
"""Elements whose text does not go on into what follows."""


def text_of(page: str) -> str:
    """Return the text of a page, a line for each block; broken markup is read as browsers read it."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = ""
        self._depth = 0

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        if self._unseen:
            self._depth += tag == self._unseen
        elif tag in _UNSEEN:
            self._unseen, self._depth = tag, 1
        elif tag in _APART:
            self.pieces.append("\n")

    def handle_startendtag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        if tag in _APART and not self._unseen:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._depth -= tag == self._unseen
            if not self._depth:
                self._unseen = ""
        elif tag in _APART:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            # A line's end in the source is a space between words, and nothing between Chinese characters.
            self.pieces.append(data.replace("\r", " ").replace("\n", " "))

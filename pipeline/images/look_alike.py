"""Names that a reader takes for the same, and a computer does not."""
import unicodedata
from collections.abc import Iterable


def look_alike(name: str, others: Iterable[str]) -> str:
    """Words about one of `others` that differs from `name` in nothing that is seen, or in capitals; empty where there is none.

    macOS may store an accent as a character of its own (NFD), other systems as part of the letter (NFC).
    """
    other = next((other for other in others if other != name and _seen(other) == _seen(name)), None)
    return "" if other is None else f"; there is {other!r}, but that is {ascii(other)}, not {ascii(name)}: rename one"


def _seen(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())

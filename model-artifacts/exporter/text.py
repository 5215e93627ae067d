"""Words that go into a manifest, as protocols/inference/manifest.ts takes them: plain, and of so many UTF-16 units."""
from __future__ import annotations

import re

NEWLINES = re.compile('[\t-\r\x85\u2028\u2029]+')
REFUSED = re.compile('[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
"""Control characters and bidirectional overrides, which could show other words than these; marks of byte order; halves of characters."""


def plain_text(text: str) -> str:
    """Without what manifests refuse; tabs and newlines are spaces. As `plainText` of scripts/lib/classNames.ts."""
    return REFUSED.sub('', NEWLINES.sub(' ', text)).strip()


def utf16_length(text: str) -> int:
    """As JavaScript counts: an emoji has two."""
    return len(text.encode('utf-16-le', 'surrogatepass')) // 2


def cut(text: str, units: int) -> str:
    """The longest beginning of at most so many UTF-16 units, in whole characters."""
    text = text[:units]
    while utf16_length(text) > units:
        text = text[:-1]
    return text.rstrip()

"""Names are data: kept as they are inside files, reduced to plain letters where they become file names."""

import re
import unicodedata

_LABEL_LENGTH = 255  # characters; the length byte of PSD's layer name
_SLUG_LENGTH = 48  # characters; leaves room for a number and a suffix on every file system


def label(name: str, fallback: str = "layer") -> str:
    """The name as one line of at most 255 characters without control characters or half a surrogate pair."""
    line = "".join(" " if c in "\t\r\n" else c for c in name)
    kept = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs") and c not in "\ufffe\uffff")
    return kept.strip()[:_LABEL_LENGTH] or fallback


def slug(name: str, fallback: str = "layer") -> str:
    """A file-name part of [a-z0-9-], never empty and never a path. Callers put a number before it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_LENGTH].strip("-") or fallback

"""Keeping keys out of everything that is written down: errors, logs, tracebacks.

Every key is made known here by the constructor that takes it; what merely looks like a key is hidden as well.
"""

import logging
import re

MASK = "[hidden]"
SHORTEST = 6  # characters; hiding shorter ones would hide words
# Shapes of the keys of the services we know, what follows a scheme of authorization, private keys, inlined pictures.
SHAPES = re.compile(
    r"r8_\w{8,}|sk-[\w*-]{6,}|hf_\w{8,}|AIza[\w-]{10,}|ya29\.[\w.-]+"
    r"|(?i:bearer|key)\s+[\w.:-]{12,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END[^-]*-----|\Z)"
    r"|data:[\w/+.-]+;base64,[A-Za-z0-9+/=]{40,}",
    re.DOTALL,
)
_known: set[str] = set()


def conceal(secret: str) -> str:
    """Make a key known, with its parts (fal's are `id:secret`); returns it."""
    _known.update(part for part in (secret, *secret.split(":")) if len(part) >= SHORTEST)
    return secret


def redacted(text: str) -> str:
    """The text without any key."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return SHAPES.sub(MASK, text)


class Redacting(logging.Filter):
    """Goes onto handlers, so that every record passes it, with its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide keys in the record; it is always let through."""
        try:
            record.msg, record.args = redacted(record.getMessage()), ()
        except (TypeError, ValueError):  # a message that does not fit its arguments
            record.msg, record.args = redacted(str(record.msg)), ()
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True

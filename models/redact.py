"""Keeping keys out of everything that is written down: errors, logs, tracebacks.

Every key is made known here by the constructor that takes it; what merely looks like a key is hidden as well.
"""

import logging
import re
import threading

MASK = "[hidden]"
SHORTEST = 6  # characters; hiding shorter ones would hide words
MOST = 1000  # keys that are known; those that nobody used for longest are given up
# Shapes of the keys of the services we know, what follows a scheme of authorization, private keys, inlined pictures.
SHAPES = re.compile(
    r"r8_\w{8,}|(?<![A-Za-z0-9])sk-[\w*-]{6,}|hf_\w{8,}|AIza[\w-]{10,}|ya29\.[\w.-]+"
    r"|(?i:bearer|key)\s+[\w.:-]{12,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END[^-]*-----|\Z)"
    r"|data:[\w/+.-]+;base64,[A-Za-z0-9+/=]{40,}",
    re.DOTALL,
)
_known: dict[str, None] = {}  # the one that was made known last at its end
_turn = threading.Lock()


def conceal(secret: str) -> str:
    """Make a key known, with its parts (fal's are `id:secret`); returns it."""
    with _turn:
        for part in (secret, *secret.split(":")):
            if len(part) >= SHORTEST:
                _known.pop(part, None)
                _known[part] = None
        while len(_known) > MOST:
            del _known[next(iter(_known))]
    return secret


def redacted(text: str) -> str:
    """The text without any key, and without what looks like one."""
    return SHAPES.sub(MASK, hidden(text))


def hidden(text: str) -> str:
    """The text without any key that is known; addresses and numbers stay what they are."""
    with _turn:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, MASK)
    return text


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

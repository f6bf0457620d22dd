"""What the app writes down of itself: one JSON object per line, in files that do not grow for ever, without any key."""

import json
import logging
import sys
import time
from io import TextIOBase
from logging.handlers import RotatingFileHandler
from typing import TextIO

from models.redact import Redacting, redacted
from scenehf.settings import Settings

FILE = "app.jsonl"
BYTES, FILES = 2_000_000, 3  # of one file, and how many older ones are kept


def keep_log(settings: Settings) -> None:
    """Everything that is logged from now on goes to `logs/app.jsonl`, and no key to the terminal either, whatever
    prints there."""
    file = RotatingFileHandler(settings.logs / FILE, maxBytes=BYTES, backupCount=FILES, encoding="utf-8")
    file.setFormatter(AsJson())
    file.addFilter(Redacting())
    logging.basicConfig(level=logging.INFO, handlers=[file])
    logging.captureWarnings(True)
    sys.stdout, sys.stderr = Redacted(sys.stdout), Redacted(sys.stderr)


class AsJson(logging.Formatter):
    """time (UTC, ISO 8601), level, logger, message, thread, and error: its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "thread": record.threadName,
        }
        error = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        return json.dumps(told | ({"error": error} if error else {}), ensure_ascii=False)


class Redacted(TextIOBase):
    """A stream that hides keys in what passes it: also tracebacks, which nobody logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the stream does."""
        self._stream.write(redacted(text))
        return len(text)

    def flush(self) -> None:
        """As the stream does."""
        self._stream.flush()

    def isatty(self) -> bool:
        """As the stream says."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As the stream says."""
        return self._stream.fileno()

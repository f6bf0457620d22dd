"""A stretch of a run: what works inside it reports 0 to 1, and the whole run moves from `low` to `high`."""

from typing import Any

from models.requests import Run


class Part:
    """Everything goes to the whole run; only progress is scaled. low, high: fractions of the whole."""

    def __init__(self, whole: Run, low: float, high: float) -> None:
        self._whole, self._low, self._high = whole, low, high

    def progress(self, fraction: float, message: str = "") -> None:
        """Work done of this part, in [0, 1]."""
        fraction = min(1.0, max(0.0, fraction))
        self._whole.progress(self._low + fraction * (self._high - self._low), message)

    def preview(self, image: Any) -> None:
        """As the whole run."""
        self._whole.preview(image)

    def log(self, text: str) -> None:
        """As the whole run."""
        self._whole.log(text)

    def check(self) -> None:
        """As the whole run."""
        self._whole.check()

    def remember(self, key: str, value: Any) -> None:
        """As the whole run."""
        self._whole.remember(key, value)

    def recall(self, key: str) -> Any:
        """As the whole run."""
        return self._whole.recall(key)

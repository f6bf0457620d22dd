"""A run that keeps nothing, for models called by themselves."""

from typing import Any


class Silence:
    """Fits `models.requests.Run`."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Nobody watches."""

    def preview(self, image: Any) -> None:
        """Nobody watches."""

    def log(self, text: str) -> None:
        """Nobody reads."""

    def check(self) -> None:
        """Nobody cancels."""

    def remember(self, key: str, value: Any) -> None:
        """Nothing is kept."""

    def recall(self, key: str) -> Any:
        """Nothing was kept."""
        return None


SILENT = Silence()

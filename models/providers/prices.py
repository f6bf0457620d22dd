"""What a remote model costs, from `prices.toml`: estimates are upper bounds, tokens settle exactly."""

import ipaddress
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from models.errors import ModelGone
from models.spec import Access, Where, title_of

FILE = Path(__file__).parents[1] / "prices.toml"
MICRO = 1_000_000
OWN = (".local", ".lan", ".home.arpa", ".internal")  # how names of one's own network end


@dataclass(frozen=True)
class Price:
    """One row, see the head of `prices.toml`. usd_*: per million tokens."""

    provider: str
    model: str
    unit: Literal["image", "tokens"]
    usd: float
    as_of: date
    source: str
    verified: bool
    usd_in: float = 0.0
    usd_out: float = 0.0
    usd_image: float = 0.0
    note: str = ""
    retires: date | None = None
    gone: bool = False
    replaced_by: str = ""

    def bound(self, results: int = 1) -> int:
        """The most that a call for so many results can cost, in millionths of a dollar."""
        return round(self.usd * MICRO) * results

    def of_tokens(self, given: int, text: int, image: int) -> int:
        """What these tokens cost, in millionths of a dollar: given to the model, and made by it as text or picture."""
        return round(given * self.usd_in + text * self.usd_out + image * self.usd_image)


@cache
def prices() -> tuple[Price, ...]:
    """Every row."""
    return tuple(Price(**row) for row in tomllib.loads(FILE.read_text(encoding="utf-8"))["price"])


def known_price(provider: str, model: str) -> Price | None:
    """The row of a model, also of one that is gone; None where there is none."""
    return next((row for row in prices() if (row.provider, row.model) == (provider, model)), None)


def price(provider: str, model: str) -> Price:
    """The row of a model that can be called. ModelGone where it was retired, or nobody knows what it costs: what has
    no known price is not called."""
    row = known_price(provider, model)
    if row is None:
        told = f"No price is known for {model} of {title_of(provider)}."
        raise ModelGone(
            told, provider=provider, hint="Choose a listed model, or add its price to prices.toml."
        )
    if row.gone:
        raise retired(row)
    return row


def reading_bound(service: Where, model: str, access: Access) -> int:
    """The most that one reading of a picture can cost, in millionths of a dollar: nothing on one's own server. Raises
    ModelGone."""
    if service == "openai" and access.openai_base_url and _is_own(access.openai_base_url):
        return 0
    return price(service, model).bound()


def _is_own(url: str) -> bool:
    """Whether a server is this machine or one of its network, which nobody sends a bill for."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(OWN)


def retired(row: Price, status: int | None = None) -> ModelGone:
    """What is said of a model that is no more. status: of the answer that told so."""
    hint = f"Use {row.replaced_by} instead." if row.replaced_by else None
    since = f" (announced for {row.retires:%Y-%m-%d})" if row.retires else ""
    told = f"{row.model} was retired by {title_of(row.provider)}{since}."
    return ModelGone(told, provider=row.provider, status=status, hint=hint)

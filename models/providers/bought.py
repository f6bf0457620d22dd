"""Pictures for money: one order for a model that makes them, and its results as arrays."""

from collections.abc import Mapping

from models.providers.pictures import decode
from models.providers.prices import price
from models.providers.remote import Json, Order, Provider, drive
from models.requests import Image, Run


def bought(
    provider: Provider,
    model: str,
    inputs: Json,
    run: Run,
    *,
    files: Mapping[str, bytes | list[bytes]] | None = None,
    call: str = "1",
    most: int = 1,
) -> tuple[Image, ...]:
    """One paid call. most: how many results it can have, each of which costs the same. Raises `ProviderError`."""
    row = price(provider.name, model)
    order = Order(model, inputs, files or {}, row.bound(most), row.bound(), call)
    return tuple(decode(result) for result in drive(provider, order, run))

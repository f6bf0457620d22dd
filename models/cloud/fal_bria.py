"""Bria's background removal on fal, trained on licensed data."""

from models.providers.connect import connect
from models.providers.pictures import decode_alpha, encode
from models.providers.prices import price
from models.providers.remote import Order, Provider, drive
from models.requests import Alpha, Matting, Run
from models.spec import Host

MODEL = "fal-ai/bria/background/remove"
LONGEST = 2048  # px


class Bria:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: Matting, run: Run) -> Alpha:
        """One paid call. A trimap is not read."""
        row = price("fal", MODEL)
        order = Order(MODEL, {}, {"image_url": encode(request.image, LONGEST)}, row.bound(), row.bound())
        height, width = request.image.shape[:2]
        return decode_alpha(drive(self._provider, order, run)[0], (width, height))


def load(host: Host) -> Bria:
    """Raises KeyMissing."""
    return Bria(connect("fal", host.access))

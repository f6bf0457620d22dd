"""BiRefNet v2 on fal: the alpha of whatever stands out. The background of the result is ignored; only alpha is used."""

from models.providers.connect import connect
from models.providers.pictures import decode_alpha, encode
from models.providers.prices import price
from models.providers.remote import Order, Provider, drive
from models.requests import Alpha, Matting, Run
from models.spec import Host

MODEL = "fal-ai/birefnet/v2"
LONGEST = 2048  # px; what the model works at
INPUTS = {
    "model": "General Use (Heavy)",
    "operating_resolution": "2048x2048",
    "output_format": "png",
    "refine_foreground": False,
}


class Birefnet:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: Matting, run: Run) -> Alpha:
        """One paid call. A trimap is not read."""
        files = {"image_url": encode(request.image, LONGEST)}
        row = price("fal", MODEL)
        order = Order(MODEL, dict(INPUTS), files, row.bound(), row.bound())
        height, width = request.image.shape[:2]
        return decode_alpha(drive(self._provider, order, run)[0], (width, height))


def load(host: Host) -> Birefnet:
    """Raises KeyMissing."""
    return Birefnet(connect("fal", host.access))

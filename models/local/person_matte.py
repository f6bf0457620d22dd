"""Person segmenter: two small nets of MediaPipe (Apache-2.0) that give the probability that a pixel is a person.

They were trained on people at arm's length, and in practice answer for most single subjects in the middle of
a picture. One sees a square of 256 px, the other 256 x 144; their mean is steadier than either.
"""

from collections.abc import Callable

import numpy as np

from models.errors import InvalidRequest
from models.requests import Alpha, Image, Matting, Run
from models.runtime.litert import Net, load_net
from models.runtime.weights import path
from models.spec import Host

# File and the size (width, height) of its input; https://github.com/google-ai-edge/mediapipe
NETS = {
    "selfie_segmentation.tflite": (256, 256),
    "selfie_segmentation_landscape.tflite": (256, 144),
}


def load(host: Host) -> Callable[[Matting, Run], Alpha]:
    """A callable that maps `Matting` without a trimap to a soft person map; raises WeightsMissing."""
    nets = [(load_net(path(host.weights, "starter", file), host.threads), NETS[file]) for file in NETS]

    def answer(request: Matting, run: Run) -> Alpha:
        if request.trimap is not None:
            raise InvalidRequest("The person segmenter takes no trimap.")
        run.check()
        total = sum(_probability(net, size, request.image) for net, size in nets)
        return np.asarray(total / len(nets), dtype=np.float32)

    return answer


def _probability(net: Net, size: tuple[int, int], image: Image) -> Alpha:
    """float32 (height, width) in [0, 1]; the picture is stretched to the net's input, as the nets expect."""
    import cv2

    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    found = np.clip(net(small)[0][..., 0], 0, 1)
    result: Alpha = cv2.resize(found, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return result

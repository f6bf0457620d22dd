"""Masks without a segmentation net: saliency, learnt colours and graph cuts, with a person segmenter as a prior.

`load(host)` answers `MaskGeneration`. No weights. The object is found at about 45,000 pixels around it, its edge
drawn again at about 260,000; matting takes it from there at full size.

Scores are in [0, 1]; below REVIEW_BELOW a person should look at the mask.
"""

from models.local.saliency_cut.answer import REVIEW_BELOW, SaliencyCut
from models.spec import Host

__all__ = ["REVIEW_BELOW", "SaliencyCut", "load"]


def load(host: Host) -> SaliencyCut:
    """Nothing to load: the libraries are imported at the first call."""
    return SaliencyCut()

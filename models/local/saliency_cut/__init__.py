"""Masks without a segmentation net: saliency, learnt colours and graph cuts, with a person segmenter as a prior.

`load(host)` answers `MaskGeneration`. No weights. Work happens at 400 px around the object; the edge is refined
afterwards at up to 1500 px, and matting takes it from there.

Scores are in [0, 1]; below REVIEW_BELOW a person should look at the mask.
"""

from models.local.saliency_cut.answer import REVIEW_BELOW, SaliencyCut
from models.spec import Host

__all__ = ["REVIEW_BELOW", "SaliencyCut", "load"]


def load(host: Host) -> SaliencyCut:
    """Nothing to load: the libraries are imported at the first call."""
    return SaliencyCut()

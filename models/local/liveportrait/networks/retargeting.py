"""S: three small nets on keypoints. One moves them so that head and shoulders stay together (stitching), two by how
far eyes and lips are open."""

from itertools import pairwise

from torch import Tensor, nn

# Widths from the input to the answer. stitching: 2 x 63 keypoint numbers -> 63 and a shift (x, y); lip, eye: 63 and
# ratios (now, wished) -> 63.
WIDTHS = {
    "stitching": (126, 128, 128, 64, 65),
    "lip": (65, 128, 128, 64, 63),
    "eye": (66, 256, 256, 128, 128, 64, 63),
}


class Retargeting(nn.Module):
    """Linear layers with ReLU between them: (B, first width) -> (B, last width)."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            layers += [nn.Linear(inside, outside), nn.ReLU()]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """What is to be added to the keypoints."""
        return self.mlp(x)

"""A large kernel from many channels to one or two, which the libraries are slow at."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class TapsFirst(nn.Module):
    """Answers as the convolution it is made of: an odd side, stride 1, padded to keep the size.

    Each pixel is multiplied with all taps at once, a plain product of matrices, and what comes out is added up where
    it belongs.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._side = conv.kernel_size[0]
        # A pixel adds to the place on its right by the tap on the left.
        weight = conv.weight.detach().flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)
        self.register_buffer("weight", weight.contiguous(), persistent=False)  # (outside * side^2, inside)
        self.register_buffer("bias", conv.bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, H, W); x: (B, inside, H, W)."""
        parts = torch.matmul(self.weight, x.flatten(2))
        whole = functional.fold(parts, x.shape[2:], self._side, padding=self._side // 2)
        return whole + self.bias.view(-1, 1, 1)

"""Attention by queries in portions, where the device's own kernel would make the whole matrix of scores.

On MPS that matrix is made in float32: 27 GB for three references at a megapixel, and no tensor may exceed 4 GB.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SCORES = 128 << 20  # bytes of scores, in float32, that may exist at once
FEWEST = 32  # queries of a portion


@contextmanager
def in_portions(device: str, most: int = SCORES) -> Iterator[None]:
    """Within it, torch's own attention works in portions on devices of this kind whose kernel needs that: MPS."""
    from torch.nn import functional

    whole = functional.scaled_dot_product_attention

    def attend(
        query: "Tensor", key: "Tensor", value: "Tensor", attn_mask: "Tensor | None" = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, **others: Any,
    ) -> "Tensor":  # fmt: skip
        *_, heads, tokens, width = query.shape
        plain = not (is_causal or dropout_p or any(others.values())) and query.dim() == 4
        thin = attn_mask is None or attn_mask.shape[-2] == 1  # the same for every query
        if plain and thin and heads * tokens * key.shape[-2] * 4 > most:
            return portioned(query, key, value, attn_mask, scale or width**-0.5, most)
        found: Tensor = whole(
            query,
            key,
            value,
            attn_mask=attn_mask,
            dropout_p=dropout_p,
            is_causal=is_causal,
            scale=scale,
            **others,
        )
        return found

    if device != "mps":
        yield
        return
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = whole


def portioned(
    query: "Tensor", key: "Tensor", value: "Tensor", mask: "Tensor | None", scale: float, most: int = SCORES
) -> "Tensor":
    """softmax(query key' scale) value for (batch, heads, tokens, width), with scores that take `most` bytes at once.
    mask: bool, False is not looked at, or numbers to add; (batch or 1, heads or 1, 1, tokens)."""
    import torch

    batch, heads, tokens, _ = query.shape
    portion = max(FEWEST, most // (batch * heads * key.shape[-2] * 4))
    seen = torch.empty_like(query)
    keys = key.transpose(-2, -1)
    for first in range(0, tokens, portion):
        scores = torch.matmul(query[:, :, first : first + portion] * scale, keys).float()
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, float("-inf"))
        elif mask is not None:
            scores = scores + mask
        weights = torch.softmax(scores, dim=-1).to(value.dtype)
        seen[:, :, first : first + portion] = torch.matmul(weights, value)
    return seen

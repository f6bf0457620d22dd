"""Attention by queries in portions, where the device's own kernel would make the whole matrix of scores.

On MPS that matrix is made in float32: 27 GB for three references at a megapixel, and none may exceed 4 GB.
"""

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen
from torch import Tensor

SCORES = 384 << 20  # bytes of scores that may exist at once
FEWEST = 64  # queries


class PortionedAttention:
    """A processor for the joint attention of text and image, of one request and without a mask of tokens."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: None = None,
        encoder_hidden_states_mask: None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The image's and the text's new states."""
        image, text = hidden_states, encoder_hidden_states
        heads = (-1, attn.inner_dim // attn.heads)
        assert image_rotary_emb is not None  # noqa: S101 - the transformer always gives it
        image_turn, text_turn = image_rotary_emb

        def joint(of_text: Tensor, of_image: Tensor) -> Tensor:
            return torch.cat([of_text, of_image], dim=1)

        def turned(states: Tensor, norm: torch.nn.Module, turn: Tensor) -> Tensor:
            return apply_rotary_emb_qwen(norm(states.unflatten(-1, heads)), turn, use_real=False)

        query = joint(
            turned(attn.add_q_proj(text), attn.norm_added_q, text_turn),
            turned(attn.to_q(image), attn.norm_q, image_turn),
        )
        key = joint(
            turned(attn.add_k_proj(text), attn.norm_added_k, text_turn),
            turned(attn.to_k(image), attn.norm_k, image_turn),
        )
        value = joint(attn.add_v_proj(text), attn.to_v(image)).unflatten(-1, heads)
        seen = portioned(query, key, value).flatten(2, 3).to(query.dtype)
        of_text, of_image = seen[:, : text.shape[1]], seen[:, text.shape[1] :]
        return attn.to_out[1](attn.to_out[0](of_image.contiguous())), attn.to_add_out(of_text.contiguous())


def portioned(query: Tensor, key: Tensor, value: Tensor, most: int = SCORES) -> Tensor:
    """softmax(query key' / sqrt(width)) value for (1, tokens, heads, width) each, scores taking `most` bytes."""
    _, tokens, heads, width = query.shape
    portion = max(FEWEST, most // (heads * tokens * 4))
    keys, values = key.permute(0, 2, 3, 1), value.permute(0, 2, 1, 3)
    seen = torch.empty_like(query)
    for first in range(0, tokens, portion):
        some = query[:, first : first + portion].permute(0, 2, 1, 3) * width**-0.5
        weights = torch.softmax(torch.matmul(some, keys).float(), dim=-1).to(value.dtype)
        seen[:, first : first + portion] = torch.matmul(weights, values).permute(0, 2, 1, 3)
    return seen

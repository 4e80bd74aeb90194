"""Self-attention of a diffusers UNet as affinities: softmax(q k^T / sqrt(d_head)), averaged while it is computed (spec 1.3).

The matrices of all heads of one pass of Stable Diffusion take 2.9 GB. Here a block of rows is computed, handed to a sink, used for
the layer's output and forgotten, so the mean over heads and draws costs one (n, n) matrix a layer. The processors replace
diffusers' own, so fused attention, which never shows its probabilities, is not in the way.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from .door import Affinity

BLOCK_ENTRIES = 1 << 22  # probabilities held at a time: 16 MB; fewer rows multiply slowly, larger blocks are mapped and cleared anew
GPU_BLOCK_ENTRIES = 1 << 27  # 512 MB: a whole layer of Stable Diffusion in a few launches
STAGES = ("down_blocks", "mid_block", "up_blocks")


class AttentionSink(Protocol):
    """Takes the rows of attention as they are computed."""

    def add(self, layer: str, first_row: int, probabilities: torch.Tensor) -> None:
        """Rows from ``first_row`` on of ``layer``, float32 (batch, heads, rows, n); each row sums to 1."""


class MeanAttention:
    """Mean over heads and everything in the batches: one float32 (n, n) matrix a layer."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, layer: str, first_row: int, probabilities: torch.Tensor) -> None:
        """Add one block of rows."""
        batch, heads, rows, tokens = probabilities.shape
        if layer not in self._sums:
            self._sums[layer], self._counts[layer] = probabilities.new_zeros(tokens, tokens), 0
        self._sums[layer][first_row:first_row + rows] += probabilities.sum(dim=(0, 1))
        self._counts[layer] += batch * heads if first_row == 0 else 0

    def affinities(self) -> list[Affinity]:
        """The means in the order the layers ran; empties the sink."""
        means = [Affinity(total.div_(self._counts[layer]), _side(total), layer) for layer, total in self._sums.items()]
        self._sums, self._counts = {}, {}
        return means


class HeadAttention:
    """Every head by itself, for the published gradient solver: float32 (heads, n, n) a layer, one picture at a time."""

    def __init__(self) -> None:
        self._heads: dict[str, torch.Tensor] = {}

    def add(self, layer: str, first_row: int, probabilities: torch.Tensor) -> None:
        """Store one block of rows of a batch of one."""
        (heads, rows, tokens) = probabilities[0].shape
        if layer not in self._heads:
            self._heads[layer] = probabilities.new_empty(heads, tokens, tokens)
        self._heads[layer][:, first_row:first_row + rows] = probabilities[0]

    def affinities(self) -> list[Affinity]:
        """What was stored in the order the layers ran; empties the sink."""
        stored = [Affinity(heads, _side(heads[0]), layer) for layer, heads in self._heads.items()]
        self._heads = {}
        return stored


class _LastLayerReached(Exception):  # noqa: N818 - a signal, not an error
    """Nothing behind the last self-attention is needed."""


class _RecordingProcessor:
    """Stands in for a diffusers attention processor: computes self-attention by blocks of rows and shows each to a sink."""

    def __init__(self, layer: str, original: Any, sink: AttentionSink, stops: bool) -> None:
        self._layer, self._original, self._sink, self._stops = layer, original, sink, stops

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if encoder_hidden_states is not None:  # cross-attention has no place in an affinity of tokens
            return self._original(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        tokens = hidden_states.flatten(2).transpose(1, 2) if hidden_states.ndim == 4 else hidden_states
        if attn.group_norm is not None:
            tokens = attn.group_norm(tokens.transpose(1, 2)).transpose(1, 2)
        attended = self._attend(attn, tokens)
        if self._stops:
            raise _LastLayerReached
        out = attn.to_out[1](attn.to_out[0](attended))
        if hidden_states.ndim == 4:
            out = out.transpose(1, 2).reshape(hidden_states.shape)
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor

    def _attend(self, attn: Any, tokens: torch.Tensor) -> torch.Tensor:
        query, key = _heads(attn.to_q(tokens), attn.heads) * attn.scale, _heads(attn.to_k(tokens), attn.heads)
        if self._stops:
            for q, k in zip(query, key):
                list(self._rows(q, k))
            return tokens
        value = _heads(attn.to_v(tokens), attn.heads)
        attended = [torch.cat([rows.to(v.dtype) @ v for rows in self._rows(q, k)], dim=1) for q, k, v in zip(query, key, value)]
        return torch.stack(attended).transpose(1, 2).flatten(2)

    def _rows(self, query: torch.Tensor, key: torch.Tensor) -> Iterator[torch.Tensor]:
        """Blocks of rows (heads, rows, n) of one picture's attention, each shown to the sink on its way."""
        heads, count, _ = query.shape
        entries = GPU_BLOCK_ENTRIES if query.is_cuda else BLOCK_ENTRIES
        rows = max(1, entries // (heads * count))
        for first in range(0, count, rows):
            probabilities = (query[:, first:first + rows] @ key.transpose(1, 2)).float().softmax(dim=-1)
            self._sink.add(self._layer, first, probabilities[None])
            yield probabilities


def self_attention_layers(unet: nn.Module) -> list[str]:
    """Names of the self-attention layers in the order they run; cross-attention (attn2) is left out."""
    own = [name for name in _attention_layers(unet) if not name.endswith("attn2")]
    return sorted(own, key=lambda name: STAGES.index(name.split(".")[0]))


@contextmanager
def recorded_attention(unet: nn.Module, sink: AttentionSink, stop_after_last: bool = True) -> Iterator[None]:
    """Inside the block every self-attention of ``unet`` is shown to ``sink``; with ``stop_after_last`` a pass ends quietly there,
    so run the network only for its attention. Afterwards the network is as before."""
    attentions, last = _attention_layers(unet), self_attention_layers(unet)[-1]
    originals = {name: attention.processor for name, attention in attentions.items()}
    for name, attention in attentions.items():
        attention.set_processor(_RecordingProcessor(name, originals[name], sink, stop_after_last and name == last))
    try:
        yield
    except _LastLayerReached:
        pass
    finally:
        for name, attention in attentions.items():
            attention.set_processor(originals[name])


def _attention_layers(unet: nn.Module) -> dict[str, Any]:
    return {name: module for name, module in unet.named_modules() if isinstance(module, Attention)}


def _heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, n, heads * d) to (batch, heads, n, d)."""
    return tokens.unflatten(2, (heads, -1)).transpose(1, 2).contiguous()


def _side(matrix: torch.Tensor) -> int:
    return round(matrix.shape[0] ** 0.5)

"""A small GPT, written plainly, as people write it."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.before_layers = nn.LayerNorm(width)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def split(self, tensor):
        batch, length, width = tensor.shape
        return tensor.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, hidden):
        query, key, value = map(self.split, self.attention(self.before_attention(hidden)).chunk(3, dim=2))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self.projection(mixed.transpose(1, 2).flatten(2))
        return hidden + self.layers(self.before_layers(hidden))

    def decode(self, hidden, keys, values, position, mask):
        """One token: its key and value go into the cache, and it looks at all before it."""
        query, key, value = map(self.split, self.attention(self.before_attention(hidden)).chunk(3, dim=2))
        keys.index_copy_(2, position, key)
        values.index_copy_(2, position, value)
        mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        hidden = hidden + self.projection(mixed.transpose(1, 2).flatten(2))
        return hidden + self.layers(self.before_layers(hidden))


class GPT(nn.Module):
    def __init__(self, vocabulary=8192, width=768, depth=12, heads=12, length=1024):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens, targets):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.token(tokens) + self.position(places)
        for block in self.blocks:
            hidden = block(hidden)
        logits = self.head(self.norm(hidden))
        return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

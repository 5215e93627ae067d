"""The plain pre-LN Vision Transformer, in one file, with timm's names and PriViT's two switchable nonlinearities.

Dosovitskiy et al., ICLR 2021 (arXiv 2010.11929), figure 1. By default without a class token: tokens are averaged, then
normalised (`fc_norm`), then classified, as timm's `VisionTransformer(class_token=False, global_pool='avg')` does.
State-dict names and arithmetic are timm's, so weights travel both ways. A class token and register tokens (Darcet et al.,
ICLR 2024, arXiv 2309.16588) are rows of `prefix`, with their positions inside; the last norm is `fc_norm` wherever it
stands. `imports/` brings other people's checkpoints into this form, exactly.

Tokens may be dropped behind a block, at places that are the same for every image (`kept_tokens`): nothing is learned of the image by it, and
nothing is computed for it. DynamicViT (Rao et al., NeurIPS 2021, arXiv 2106.02034) drops those that the image does not need. The block still
attends to all tokens that enter it; its queries and all that follows are those of the tokens that go on.

Switches follow PriViT (Dhyani et al., TMLR 2024, arXiv 2310.04604, section 3): a softmax row is `s * softmax(x) + (1 - s) * x^2 / n`,
a GELU token is `c * gelu(x) + (1 - c) * x`, with one `s` per row of each head and layer and one `c` per token of each layer.

Shapes in comments: B images, N tokens, C embedding width, h heads, d = C / h, M = mlp_ratio * C.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Observer = Callable[[str, Tensor], None]
"""Called with a tensor's name (`blocks.0.attn.scores`) and its value; see `ranges.py`."""


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), the approximation that CLIP uses (Hendrycks and Gimpel, arXiv 1606.08415, section 2)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    'gelu': F.gelu,
    'gelu-tanh': partial(F.gelu, approximate='tanh'),
    'quick-gelu': quick_gelu,
    'relu': F.relu,
}

POOLS = ('mean', 'class', 'norm-mean')
"""What the classifier reads: `fc_norm` of the patches' mean; `fc_norm` of the class token; the mean of the patches' `fc_norm`."""


@dataclass(frozen=True)
class ViTConfig:
    """Architecture. Lengths in pixels; `embed_dim` must be a multiple of `num_heads`, `img_size` of `patch_size`."""

    img_size: int = 32
    patch_size: int = 4
    embed_dim: int = 256
    depth: int = 7
    num_heads: int = 4
    mlp_ratio: float = 2.0
    num_classes: int = 10
    positional: bool = False  # attention has constants that depend on relative position, see `Attention`
    square_units: int = 0  # hidden units of each block whose activation is the square, see `SquareUnits`
    img_width: int | None = None  # where it is not `img_size`, which is then the height
    prefix_tokens: int = 0  # before the patches: the class token (row 0) and register tokens
    pool: str = 'mean'  # one of POOLS
    activation: str = 'gelu'  # one of ACTIVATIONS
    norm_eps: float = 1e-6
    fixed_norms: tuple[str, ...] = ()  # 'blocks.3.norm1', 'fc_norm': those LayerNorms have a constant scale, see `FixedNorm`
    kept_tokens: tuple[tuple[int, tuple[int, ...]], ...] = ()  # (2, (0, 1, 3)): behind block 2 only those tokens of the image go on

    def __post_init__(self) -> None:
        object.__setattr__(self, 'fixed_norms', tuple(self.fixed_norms))  # JSON knows lists only
        object.__setattr__(self, 'kept_tokens', tuple((block, tuple(tokens)) for block, tokens in self.kept_tokens))
        if unknown := set(self.fixed_norms) - set(self.norms):
            raise ValueError(f'fixed_norms: expected some of {self.norms}, got {sorted(unknown)}')
        for name, value in (('img_size', self.img_size), ('img_width', self.width)):
            if value % self.patch_size:
                raise ValueError(f'{name} {value} is not a multiple of patch_size {self.patch_size}')
        if self.pool not in POOLS or self.activation not in ACTIVATIONS:
            raise ValueError(f'expected a pool of {POOLS} and an activation of {[*ACTIVATIONS]}, got {self.pool!r}, {self.activation!r}')
        if self.pool == 'class' and not self.prefix_tokens:
            raise ValueError("pool 'class': expected prefix_tokens of at least 1, of which the first is the class token")
        if self.positional and (self.prefix_tokens or self.width != self.img_size):
            raise ValueError('positional: expected a square image and no prefix tokens')
        if self.embed_dim % self.num_heads:
            raise ValueError(f'embed_dim {self.embed_dim} is not a multiple of num_heads {self.num_heads}')
        if not 0 <= self.square_units <= 1024:
            raise ValueError(f'square_units: expected 0..1024, got {self.square_units}')
        self._check_kept_tokens()

    def _check_kept_tokens(self) -> None:
        if self.kept_tokens and self.positional:
            raise ValueError('kept_tokens: expected without positional, whose constants are those of all tokens')
        blocks = [block for block, _ in self.kept_tokens]
        last = self.depth - (self.pool == 'class')  # of a class token's network the last block keeps that one anyway
        if blocks != sorted({*blocks}) or not all(0 <= block < last for block in blocks):
            raise ValueError(f'kept_tokens: expected ascending blocks of 0..{last - 1}, got {blocks}')
        for block, tokens in self.kept_tokens:
            entering = self.tokens_before(block)
            if [*tokens] != sorted({*tokens}) or not {*tokens} < {*entering}:
                raise ValueError(f'kept_tokens: expected behind block {block} ascending ones of the {len(entering)} that enter it, and fewer, got {[*tokens]}')
            if 0 not in tokens if self.pool == 'class' else max(tokens, default=0) < self.prefix_tokens:
                raise ValueError(f'kept_tokens: expected behind block {block} what the classifier reads, the class token or at least one patch, got {[*tokens]}')

    @property
    def width(self) -> int:
        return self.img_width or self.img_size

    @property
    def num_patches(self) -> int:
        return (self.img_size // self.patch_size) * (self.width // self.patch_size)

    @property
    def num_tokens(self) -> int:
        return self.prefix_tokens + self.num_patches

    @property
    def norms(self) -> list[str]:
        """In the order of the forward pass."""
        return [*(f'blocks.{i}.norm{j}' for i in range(self.depth) for j in (1, 2)), 'fc_norm']

    @property
    def mlp_dim(self) -> int:
        return round(self.mlp_ratio * self.embed_dim)

    def tokens_behind(self, block: int, only_pooled: bool = True) -> tuple[int, ...]:
        """Places in the image, ascending, of the tokens that go on behind a block. only_pooled: a class token's classifier reads no other of
        the last block."""
        if only_pooled and self.pool == 'class' and block == self.depth - 1:
            return (0,)
        return next((tokens for kept, tokens in reversed(self.kept_tokens) if kept <= block), tuple(range(self.num_tokens)))

    def tokens_before(self, block: int) -> tuple[int, ...]:
        """Of the tokens that enter a block."""
        return self.tokens_behind(block - 1)

    @property
    def num_softmax_rows(self) -> int:
        """Of those that are computed."""
        return self.num_heads * self.num_gelu_tokens

    @property
    def num_gelu_tokens(self) -> int:
        """Of those that are computed."""
        return sum(len(self.tokens_behind(block)) for block in range(self.depth))

    def to_dict(self) -> dict:
        return asdict(self)


class PatchEmbed(nn.Module):
    """Non-overlapping patches through one linear layer, which timm writes as a convolution with stride = kernel."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.proj = nn.Conv2d(3, config.embed_dim, config.patch_size, config.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        B, _, H, W = images.shape
        p = self.patch_size
        # A plain matrix product: on CPUs it is faster than the strided convolution, and equal to it.
        patches = images.reshape(B, 3, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5).reshape(B, (H // p) * (W // p), 3 * p * p)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)  # (B, N, C)


class RelativePositionBias(nn.Module):
    """timm's `RelPosBias` (Liu et al., ICCV 2021, arXiv 2103.14030, equation 4): a number per head and offset between two tokens."""

    index: Tensor

    def __init__(self, side: int, num_heads: int) -> None:
        """side: tokens per side of the image."""
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, num_heads))
        self.register_buffer('index', relative_position_index(side), persistent=False)

    @torch.no_grad()
    def initialise_locally(self) -> None:
        """Random numbers for neighbours at most one step away, zeros elsewhere: a 3 x 3 convolution over tokens."""
        side = (int(len(self.relative_position_bias_table) ** 0.5) + 1) // 2
        offsets = torch.arange(2 * side - 1) - (side - 1)
        near = (offsets.abs() <= 1).float()
        mask = (near[:, None] * near[None, :]).flatten()[:, None]
        self.relative_position_bias_table.normal_(std=0.3).mul_(mask)

    def forward(self, keep_tokens: Tensor | None = None) -> Tensor:
        """(h, N, N): entry (i, j) of a head belongs to query token i and key token j; only those of `keep_tokens`, if given."""
        index = self.index if keep_tokens is None else self.index[keep_tokens][:, keep_tokens]
        N = len(index)
        return self.relative_position_bias_table[index.flatten()].view(N, N, -1).permute(2, 0, 1)


def relative_position_index(side: int) -> Tensor:
    """int64 (N, N), N = side^2: which row of the table holds the offset from key token j to query token i, as in timm."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing='ij')
    y, x = y.flatten(), x.flatten()
    return (y[:, None] - y[None, :] + side - 1) * (2 * side - 1) + x[:, None] - x[None, :] + side - 1


class Attention(nn.Module):
    """Multi-head attention. With `config.positional`, A = switched(q k^T / sqrt(d) + rel_pos) + rel_mix, both constants of the
    relative position. In the secure protocol the owner adds such constants to its own share, so they cost nothing; they give square
    rows a local window, and every head a fixed signed convolution over tokens (ours, not PriViT's; figures in README.md).
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.scale = (config.embed_dim // config.num_heads) ** -0.5
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)
        side = config.img_size // config.patch_size
        self.rel_pos = RelativePositionBias(side, config.num_heads) if config.positional else None
        self.rel_mix = RelativePositionBias(side, config.num_heads) if config.positional else None

    def forward(
        self, x: Tensor, switch: Tensor | None, name: str, observe: Observer | None, keep_tokens: Tensor | None = None, go_on: Tensor | None = None
    ) -> Tensor:
        """x (B, N, C); keep_tokens: which tokens of the image these are, if not all. go_on: which rows of x attend, if not all: then the result,
        (B, Q, C), has those. switch (h, Q), or None for softmax everywhere."""
        mix = self.mix(x, switch, name, observe, keep_tokens, go_on)
        if observe is not None:
            observe(f'{name}.mix', mix)
        return self.proj(mix)

    def mix(
        self, x: Tensor, switch: Tensor | None, name: str = '', observe: Observer | None = None, keep_tokens: Tensor | None = None,
        go_on: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """What `proj` reads, (B, Q, C): the heads' weighted sums of values, side by side."""
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # (B, h, N, d) each
        if go_on is not None:
            q = q[:, :, go_on]
        scores = (q * self.scale) @ k.transpose(-2, -1)  # (B, h, Q, N)
        if self.rel_pos is not None:  # of a grid without class token, where all tokens go on
            scores = scores + self.rel_pos(keep_tokens).to(scores.dtype)
        if observe is not None:
            observe(f'{name}.scores', scores)
        weights = attention_weights(scores, switch)
        if self.rel_mix is not None:
            weights = weights + self.rel_mix(keep_tokens).to(weights.dtype)
        return (weights @ v).transpose(1, 2).reshape(B, -1, C)


class Mlp(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.fc1 = nn.Linear(config.embed_dim, config.mlp_dim)
        self.fc2 = nn.Linear(config.mlp_dim, config.embed_dim)

    def forward(self, x: Tensor, switch: Tensor | None, name: str, observe: Observer | None) -> Tensor:
        """x (B, N, C); switch (N,) or None for GELU everywhere."""
        every = torch.arange(x.shape[1], device=x.device)
        on = every if switch is None else (switch > 0).nonzero().flatten()
        if switch is None or not is_binary(switch) or len(on) > len(every) // 2:
            hidden = self.fc1(x)  # (B, N, M)
            if observe is not None:
                observe(f'{name}.gelu', hidden if len(on) == len(every) else hidden[:, on])
            activated = self.activation(hidden)
            if switch is not None:
                c = switch[:, None]  # (N, 1): one switch per token
                activated = c * activated + (1 - c) * hidden
            return self.fc2(activated)
        # Most tokens have no GELU: there fc2(fc1(x)) is one C x C matrix, which saves three quarters of the MLP's arithmetic.
        folded = F.linear(x, self.fc2.weight @ self.fc1.weight, self.fc2(self.fc1.bias))
        if len(on) == 0:
            return folded
        hidden = self.fc1(x[:, on])  # (B, kept, M)
        if observe is not None:
            observe(f'{name}.gelu', hidden)
        return folded.index_copy(1, on, self.fc2(self.activation(hidden)))


class SquareUnits(nn.Module):
    """A narrow MLP beside attention, W2 (W1 y + b)^2, whose activation is the square (CryptoNets, Gilad-Bachrach et al., ICML 2016): what
    tokens without GELU have for a nonlinearity. Ours, not PriViT's; figures in README.md.

    It reads what attention reads and is added where attention is (parallel layers, Dehghani et al., ICML 2023, arXiv 2302.05442), so in
    the secure protocol its steps share attention's flights.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.embed_dim, config.square_units)
        self.fc2 = nn.Linear(config.square_units, config.embed_dim, bias=False)

    @torch.no_grad()
    def initialise(self) -> None:
        """fc1's outputs have about unit variance, and fc2 is 0: a trained network that is given such units does at first what it did."""
        self.fc1.weight.normal_(std=self.fc1.in_features**-0.5)
        self.fc2.weight.zero_()

    def forward(self, y: Tensor, name: str, observe: Observer | None) -> Tensor:
        """y (B, N, C) -> (B, N, C)."""
        hidden = self.fc1(y)
        if observe is not None:
            observe(f'{name}.square_units', hidden)
        return self.fc2(hidden.square())


def attention_weights(scores: Tensor, switch: Tensor | None) -> Tensor:
    """softmax(scores) on rows whose switch is 1, scores^2 / n where it is 0, the convex mix between.

    scores (B, h, Q, N), of Q queries to N keys; switch (h, Q), or None for softmax everywhere.
    """
    if switch is None:
        return scores.softmax(dim=-1)
    square = scores.square() * (1 / scores.shape[-1])
    if not is_binary(switch):
        s = switch[:, :, None]  # (h, Q, 1): one switch per row of each head
        return s * scores.softmax(dim=-1) + (1 - s) * square
    on = (switch.flatten() > 0).nonzero().flatten()  # exp only where it is kept
    return square.flatten(1, 2).index_copy(1, on, scores.flatten(1, 2)[:, on].softmax(dim=-1)).view_as(scores)


def is_binary(switch: Tensor) -> bool:
    """Whether switches are frozen at 0 and 1; those still being learned go the long way, which carries their gradients."""
    return not switch.requires_grad and bool(((switch == 0) | (switch == 1)).all())


class FixedNorm(nn.LayerNorm):
    """LayerNorm with a constant in place of 1 / sqrt(variance + epsilon), which is inside `weight`: weight * (x - mean(x)) + bias.

    Linear, so the secure protocol does it within the next matrix. SLAB (Guo et al., ICML 2024, arXiv 2405.11582) fixes a network's norms
    step by step in this way, with a constant for each channel.
    """

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(-1, keepdim=True)) * self.weight + self.bias


def _norm_of(config: ViTConfig, name: str) -> nn.LayerNorm:
    return (FixedNorm if name in config.fixed_norms else nn.LayerNorm)(config.embed_dim, eps=config.norm_eps)


class Block(nn.Module):
    def __init__(self, config: ViTConfig, name: str) -> None:
        super().__init__()
        self.norm1 = _norm_of(config, f'{name}.norm1')
        self.attn = Attention(config)
        self.norm2 = _norm_of(config, f'{name}.norm2')
        self.mlp = Mlp(config)
        self.squares = SquareUnits(config) if config.square_units else None

    def forward(
        self,
        x: Tensor,
        softmax_switch: Tensor | None,
        gelu_switch: Tensor | None,
        name: str,
        observe: Observer | None,
        keep_tokens: Tensor | None = None,
        go_on: Tensor | None = None,
    ) -> Tensor:
        """x (B, N, C); go_on: which of its tokens do, if not all: (B, Q, C). Switches (h, Q) and (Q,)."""
        y = self.norm1(x)
        attended = self.attn(y, softmax_switch, f'{name}.attn', observe, keep_tokens, go_on)
        if go_on is not None:
            x, y = x[:, go_on], y[:, go_on]
        x = x + attended
        if self.squares is not None:
            x = x + self.squares(y, name, observe)
        if observe is not None:
            observe(f'{name}.residual1', x)
        x = x + self.mlp(self.norm2(x), gelu_switch, f'{name}.mlp', observe)
        if observe is not None:
            observe(f'{name}.residual2', x)
        return x


class Blocks(nn.ModuleList):
    """A list that knows what it holds."""

    def __iter__(self) -> Iterator[Block]:
        return cast(Iterator[Block], super().__iter__())


class VisionTransformer(nn.Module):
    """timm's `VisionTransformer`, plus switches."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.pos_embed = nn.Parameter(torch.randn(1, config.num_patches, config.embed_dim) * 0.02)
        self.prefix = nn.Parameter(torch.randn(1, config.prefix_tokens, config.embed_dim) * 0.02) if config.prefix_tokens else None
        self.blocks = Blocks(Block(config, f'blocks.{i}') for i in range(config.depth))
        self.fc_norm = _norm_of(config, 'fc_norm')
        self.head = nn.Linear(config.embed_dim, config.num_classes)
        self.apply(_initialise)
        for block in self.blocks:
            if block.attn.rel_mix is not None:
                block.attn.rel_mix.initialise_locally()
            if block.squares is not None:
                block.squares.initialise()

    def embed(self, images: Tensor) -> Tensor:
        """What the first block reads, (B, N, C), of normalised images (B, 3, img_size, width)."""
        x = self.patch_embed(images) + self.pos_embed  # (B, patches, C)
        return x if self.prefix is None else torch.cat([self.prefix.expand(len(x), -1, -1), x], 1)

    def features(
        self,
        images: Tensor,
        switches: SwitchTensors | None = None,
        observe: Observer | None = None,
        keep_tokens: Tensor | None = None,
        only_pooled: bool = False,
    ) -> Tensor:
        """Token features after the last block, (B, Q, C), of the tokens that go on; only_pooled: of those that are pooled, so of a class
        token (B, 1, C).

        images: (B, 3, img_size, width), normalised. switches: (softmax (depth, h, N), gelu (depth, N)) in [0, 1], or None for
        the exact network. keep_tokens: ascending indices of the tokens to process, for training on a window of the image.
        """
        c = self.config
        x = self.embed(images)
        if keep_tokens is not None:
            x = x[:, keep_tokens]
        there = [*range(c.num_tokens)] if keep_tokens is None else keep_tokens.tolist()  # of the image, those that are in x
        for i, block in enumerate(self.blocks):
            behind = {*c.tokens_behind(i, only_pooled)}
            stay = [position for position, token in enumerate(there) if token in behind]
            go_on = torch.tensor(stay, device=x.device) if len(stay) < len(there) else None
            there = [there[position] for position in stay]
            rows, tokens = (None, None) if switches is None else (switches[0][i], switches[1][i])
            if rows is not None and tokens is not None and len(there) < c.num_tokens:
                rows, tokens = rows[:, there], tokens[there]
            x = block(x, rows, tokens, f'blocks.{i}', observe, keep_tokens, go_on)
        return x

    def pooled(self, features: Tensor) -> Tensor:
        """What the classifier reads, (B, C), of token features (B, Q, C)."""
        c = self.config
        if c.pool == 'class':
            return self.fc_norm(features[:, 0])
        patches = features[:, sum(token < c.prefix_tokens for token in c.tokens_behind(c.depth - 1)) :]
        return self.fc_norm(patches).mean(dim=1) if c.pool == 'norm-mean' else self.fc_norm(patches.mean(dim=1))

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, num_classes) of token features (B, Q, C)."""
        return self.head(self.pooled(features))

    def forward(
        self,
        images: Tensor,
        switches: SwitchTensors | None = None,
        observe: Observer | None = None,
        keep_tokens: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, num_classes); arguments as in `features`."""
        return self.classify(self.features(images, switches, observe, keep_tokens, only_pooled=True))


SwitchTensors = tuple[Tensor, Tensor]
"""(softmax (depth, heads, tokens), gelu (depth, tokens)), entries in [0, 1]: 1 keeps the exact function."""


def computed(config: ViTConfig) -> SwitchTensors:
    """Switches that are 1 wherever something is computed at all: everything exact."""
    gelu = torch.zeros(config.depth, config.num_tokens)
    for i in range(config.depth):
        gelu[i, list(config.tokens_behind(i))] = 1
    return gelu[:, None].repeat(1, config.num_heads, 1), gelu


def count_on(switches: SwitchTensors) -> tuple[int, int]:
    """(softmax rows, GELU tokens) that binary switches keep."""
    return int(torch.sum(switches[0] > 0)), int(torch.sum(switches[1] > 0))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def adapt_patch_embedding(weight: Tensor, patch_size: int) -> Tensor:
    """The patch embedding of a model for images `patch_size / weight.shape[-1]` times as wide, or as narrow.

    A larger model sees the average of each k x k square of pixels, so it starts as the smaller one looking at a thumbnail; a smaller
    model starts as the larger one looking at each patch enlarged bilinearly (as FlexiViT does, Beyer et al., CVPR 2023, arXiv 2212.08013).

    weight: (C, 3, p, p), where `patch_size` and p are multiples one of the other. Returns (C, 3, patch_size, patch_size).
    """
    old = weight.shape[-1]
    if max(old, patch_size) % min(old, patch_size):
        raise ValueError(f'patch_size {patch_size} and {old}: expected a multiple and its part')
    if patch_size >= old:
        k = patch_size // old
        return weight.repeat_interleave(k, dim=-2).repeat_interleave(k, dim=-1) / k**2
    one_hot = torch.eye(patch_size).unsqueeze(0)  # each column of pixels by itself
    enlarge = F.interpolate(one_hot, size=old, mode='linear', align_corners=False)[0]  # (patch_size, old)
    return torch.einsum('cdyx,iy,jx->cdij', weight, enlarge, enlarge)

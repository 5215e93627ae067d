"""A cheap student of an exact ViT, in closed form: fewer blocks, softmax everywhere, squares for GELU, LayerNorms of constant scale.

PriViT spends on GELU and on norms what a student needs for attention. Here softmax stays, and what costs most goes:

- some blocks are left out; each one that stays does what its teacher does up to the next one that stays, as far as it can;
- GELU stays in the blocks that are asked for, and elsewhere becomes square units beside attention, which cost no flight of their own (`vit/model.py`, SquareUnits). A polynomial of degree two for
  GELU is MPCFormer's (Li et al., ICLR 2023, arXiv 2211.01452, section 3.1); standing beside attention is Dehghani et al.'s (ICML 2023,
  arXiv 2302.05442). The units read what the teacher's hidden units with the least linear GELU read, as far as it is known before attention;
- LayerNorms get a constant scale (`norms.py`): from a ViT's third block on, the scale of its tokens varies by a tenth only. Some before
  attention stay: squares of squares of squares would carry one odd image, of a hundred, beyond all bounds;
- fewer tokens may go on behind some blocks (`vit/kept_tokens.py`): what the teacher's would be there is fitted for those that do.

What is linear is then fitted by ridge regression, block by block, each on what the blocks before it really put out (as in `reconstruct.py`).
With norms and MLPs linear, a block is x + A z + B f + c, z the normalised stream, f what attention and squares put out: one regression.
"""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from vit.kept_tokens import Place, with_kept_tokens
from vit.model import Block, FixedNorm, VisionTransformer, ViTConfig

from .hidden import within_range
from .reconstruct import AT_ONCE, RidgeRegression

RIDGE = 0.003
HIDDEN_RIDGE = 0.01
"""Of the square units' inputs, and of everything else (`RidgeRegression`)."""


def condensed_config(
    teacher: ViTConfig, blocks: Sequence[int], square_units: int, exact_norms: Collection[int], keep_after: Sequence[Place] = (),
    exact_gelu: Collection[int] = (),
) -> ViTConfig:  # fmt: skip
    """exact_norms: blocks of the student that keep the LayerNorm before attention. keep_after: blocks of the student behind which fewer tokens go
    on. exact_gelu: blocks of the student that keep GELU in all tokens, and the LayerNorm before it."""
    if [*blocks] != sorted({*blocks}) or not blocks or not 0 <= blocks[0] <= blocks[-1] < teacher.depth:
        raise ValueError(f'blocks: expected ascending ones of 0..{teacher.depth - 1}, got {[*blocks]}')
    if not square_units:
        raise ValueError('square_units: expected at least 1, which all nonlinearity but attention is')
    if teacher.positional or teacher.square_units or teacher.fixed_norms or teacher.kept_tokens:
        raise ValueError('teacher: expected a plain ViT of all its tokens, without constants of position, square units and fixed norms')
    depth = len(blocks)
    for name, chosen in (('exact_norms', exact_norms), ('exact_gelu', exact_gelu)):
        if unknown := {*chosen} - {*range(depth)}:
            raise ValueError(f'{name}: expected blocks of the student, 0..{depth - 1}, got {sorted(unknown)}')
    fixed = tuple(f'blocks.{i}.norm{j}' for i in range(depth) for j, exact in ((1, exact_norms), (2, exact_gelu)) if i not in exact)
    mlp_ratio = teacher.mlp_ratio if exact_gelu else 1.0  # of all blocks: a linear MLP is one C x C matrix anyway
    return with_kept_tokens(replace(teacher, depth=depth, square_units=square_units, mlp_ratio=mlp_ratio, fixed_norms=fixed), keep_after)


@torch.no_grad()
def condense(
    teacher: VisionTransformer, blocks: Sequence[int], square_units: int, images: Tensor, exact_norms: Collection[int],
    keep_after: Sequence[Place] = (), exact_gelu: Collection[int] = (),
) -> VisionTransformer:  # fmt: skip
    """images: normalised (count, 3, S, S); the residual streams of all of them are held in memory. blocks: of the teacher, that stay. exact_norms,
    keep_after, exact_gelu: as in `condensed_config`."""
    config = condensed_config(teacher.config, blocks, square_units, exact_norms, keep_after, exact_gelu)
    student = VisionTransformer(config).eval()
    own = {k: v for k, v in teacher.state_dict().items() if not k.startswith('blocks.')}
    student.load_state_dict(student.state_dict() | own)
    ours = theirs = torch.cat([teacher.embed(part) for part in images.split(AT_ONCE)])  # (count, N, C)
    exact = list(teacher.blocks)
    at = 0  # how many of the teacher's blocks `theirs` is behind
    for k, (i, block) in enumerate(zip(blocks, student.blocks)):
        for passed in range(at, i):
            theirs = _through(exact[passed], theirs)[1]
        between, after = _through(exact[i], theirs)
        at = i + 1
        for passed in range(at, blocks[k + 1] if k + 1 < len(blocks) else teacher.config.depth):
            after, at = _through(exact[passed], after)[1], passed + 1
        entering, behind = config.tokens_before(k), list(config.tokens_behind(k, only_pooled=False))
        fit = _fit_with_gelu if k in exact_gelu else _fit
        ours = fit(block, exact[i], ours, between[:, behind], within_range(after[:, behind]), [entering.index(token) for token in behind])
        theirs = after
    return student


def _through(block: Block, x: Tensor) -> tuple[Tensor, Tensor]:
    """Streams between an exact block's attention and its MLP, and behind it, for what enters it, (count, N, C)."""
    between = torch.cat([part + block.attn(block.norm1(part), None, '', None) for part in x.split(AT_ONCE)])
    return between, torch.cat([part + block.mlp(block.norm2(part), None, '', None) for part in between.split(AT_ONCE)])


def _fit(block: Block, teacher: Block, x: Tensor, between: Tensor, target: Tensor, go_on: list[int]) -> Tensor:
    """Set all weights of a student's block for what enters it, x (count, N, C), so that the target (count, Q, C) leaves it: what really does,
    (count, Q, C). go_on: which tokens of x do; between: theirs of the teacher, behind its attention."""
    C, scale = x.shape[-1], _mean_scale(x, teacher)
    block.norm2.weight.fill_(scale)
    block.norm2.bias.zero_()
    beside = _beside_attention(block, teacher, x, between, go_on)
    x = x[:, go_on]
    read = torch.cat([block.norm2(x), beside], -1)
    whole = nn.Linear(read.shape[-1], C)
    whole.weight.zero_(), whole.bias.zero_()
    fit = RidgeRegression(read.shape[-1], C)
    for features, wanted in zip(read.split(AT_ONCE), (target - x).split(AT_ONCE)):
        fit.add(features, wanted)
    fit.solve_into(whole, RIDGE)

    # x + A z + B f + c = x' + A norm2(x') + c with x' = x + P f: A norm2(x') = A z + A D P f, where D is norm2 without its bias.
    A, B = whole.weight[:, :C].double(), whole.weight[:, C:].double()
    D = scale * (torch.eye(C, dtype=torch.float64) - 1 / C)
    P = torch.linalg.solve(torch.eye(C, dtype=torch.float64) + A @ D, B).float()
    block.attn.proj.weight.copy_(P[:, :C])
    block.attn.proj.bias.zero_()
    assert block.squares is not None
    block.squares.fc2.weight.copy_(P[:, C:])
    nn.init.eye_(block.mlp.fc1.weight)  # of more hidden units than C those beyond do nothing
    block.mlp.fc1.bias.zero_()
    block.mlp.fc2.weight.zero_()
    block.mlp.fc2.weight[:, :C].copy_(A)
    block.mlp.fc2.bias.copy_(whole.bias)
    return x + whole(read)


def _fit_with_gelu(block: Block, teacher: Block, x: Tensor, between: Tensor, target: Tensor, go_on: list[int]) -> Tensor:
    """As `_fit`, for a block that keeps its MLP: the teacher's, whose last matrices are fitted one after the other, as in `reconstruct.py`."""
    beside = _beside_attention(block, teacher, x, between, go_on)
    block.norm2.load_state_dict(teacher.norm2.state_dict())
    block.mlp.load_state_dict(teacher.mlp.state_dict())
    block.attn.proj.load_state_dict(teacher.attn.proj.state_dict())
    assert block.squares is not None
    block.squares.fc2.weight.zero_()
    x = x[:, go_on]
    fit = RidgeRegression(beside.shape[-1], x.shape[-1])
    for features, wanted in zip(beside.split(AT_ONCE), (within_range(between) - x).split(AT_ONCE)):
        fit.add(features, wanted)
    fit.solve_into(block.attn.proj, RIDGE, block.squares.fc2)
    C = x.shape[-1]
    x = x + block.attn.proj(beside[..., :C]) + block.squares.fc2(beside[..., C:])

    fit = RidgeRegression(block.mlp.fc2.in_features, C)
    for part, wanted in zip(x.split(AT_ONCE), (target - x).split(AT_ONCE)):
        fit.add(_hidden(block, part), wanted)
    fit.solve_into(block.mlp.fc2, RIDGE)
    return torch.cat([part + block.mlp.fc2(_hidden(block, part)) for part in x.split(AT_ONCE)])


def _hidden(block: Block, x: Tensor) -> Tensor:
    return block.mlp.activation(block.mlp.fc1(block.norm2(x)))


def _mean_scale(x: Tensor, teacher: Block) -> float:
    return float((x.var(-1, unbiased=False) + teacher.norm1.eps).rsqrt().mean())


def _beside_attention(block: Block, teacher: Block, x: Tensor, between: Tensor, go_on: list[int]) -> Tensor:
    """What `attn.proj` and the square units' `fc2` read, side by side, (count, Q, C + units), once what comes before them is set."""
    block.norm1.load_state_dict(teacher.norm1.state_dict())
    if isinstance(block.norm1, FixedNorm):
        block.norm1.weight.mul_(_mean_scale(x, teacher))
    block.attn.qkv.load_state_dict(teacher.attn.qkv.state_dict())
    squares = block.squares
    assert squares is not None
    y, attend = block.norm1(x), torch.tensor(go_on)
    mix = torch.cat([block.attn.mix(part, None, go_on=attend) for part in y.split(AT_ONCE)])
    y = y[:, go_on]
    _fit_units(squares.fc1, teacher, y, between)
    return torch.cat([torch.cat([mix[b], squares.fc1(y[b]).square()], -1) for b in torch.arange(len(x)).split(AT_ONCE)])


def _fit_units(fc1: nn.Linear, teacher: Block, y: Tensor, between: Tensor) -> None:
    """The teacher's hidden units whose GELU a line misses most, weighed by what is read of them, as functions of y."""
    hidden = torch.cat([teacher.mlp.fc1(teacher.norm2(part)) for part in between.split(AT_ONCE)]).flatten(0, 1)  # (rows, M)
    activated = teacher.mlp.activation(hidden)
    centred = hidden - hidden.mean(0)
    slope = (centred * activated).mean(0) / centred.square().mean(0)
    missed = (activated - activated.mean(0) - slope * centred).square().mean(0) * teacher.mlp.fc2.weight.square().sum(0)
    if fc1.out_features > len(missed):
        raise ValueError(f'square_units: expected at most {len(missed)}, as many as the teacher has hidden units')
    chosen = hidden[:, missed.topk(fc1.out_features).indices]
    fc1.weight.zero_(), fc1.bias.zero_()
    fit = RidgeRegression(y.shape[-1], fc1.out_features)
    for inputs, wanted in zip(y.flatten(0, 1).split(AT_ONCE * y.shape[1]), chosen.split(AT_ONCE * y.shape[1])):
        fit.add(inputs, wanted)
    fit.solve_into(fc1, HIDDEN_RIDGE)

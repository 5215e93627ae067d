"""A cheap student of an exact ViT, in closed form: fewer blocks, softmax everywhere, squares for GELU, LayerNorms of constant scale.

PriViT spends on GELU and on norms what a student needs for attention. Here softmax stays, and what costs most goes:

- some blocks are left out; each one that stays does what its teacher does up to the next one that stays, as far as it can;
- GELU becomes square units beside attention, which cost no flight of their own (`vit/model.py`, SquareUnits). A polynomial of degree two for
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
    teacher: ViTConfig, blocks: Sequence[int], square_units: int, exact_norms: Collection[int], keep_after: Sequence[Place] = ()
) -> ViTConfig:
    """exact_norms: blocks of the student that keep the LayerNorm before attention. keep_after: blocks of the student behind which fewer tokens go
    on."""
    if [*blocks] != sorted({*blocks}) or not blocks or not 0 <= blocks[0] <= blocks[-1] < teacher.depth:
        raise ValueError(f'blocks: expected ascending ones of 0..{teacher.depth - 1}, got {[*blocks]}')
    if not square_units:
        raise ValueError('square_units: expected at least 1, which all nonlinearity but attention is')
    if teacher.positional or teacher.square_units or teacher.fixed_norms or teacher.kept_tokens:
        raise ValueError('teacher: expected a plain ViT of all its tokens, without constants of position, square units and fixed norms')
    depth = len(blocks)
    if unknown := {*exact_norms} - {*range(depth)}:
        raise ValueError(f'exact_norms: expected blocks of the student, 0..{depth - 1}, got {sorted(unknown)}')
    fixed = tuple(f'blocks.{i}.norm{j}' for i in range(depth) for j in (1, 2) if j == 2 or i not in exact_norms)
    return with_kept_tokens(replace(teacher, depth=depth, square_units=square_units, mlp_ratio=1.0, fixed_norms=fixed), keep_after)


@torch.no_grad()
def condense(
    teacher: VisionTransformer, blocks: Sequence[int], square_units: int, images: Tensor, exact_norms: Collection[int], keep_after: Sequence[Place] = ()
) -> VisionTransformer:
    """images: normalised (count, 3, S, S); the residual streams of all of them are held in memory. blocks: of the teacher, that stay. exact_norms,
    keep_after: as in `condensed_config`."""
    config = condensed_config(teacher.config, blocks, square_units, exact_norms, keep_after)
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
        ours = _fit(block, exact[i], ours, between[:, behind], within_range(after[:, behind]), [entering.index(token) for token in behind])
        theirs = after
    return student


def _through(block: Block, x: Tensor) -> tuple[Tensor, Tensor]:
    """Streams between an exact block's attention and its MLP, and behind it, for what enters it, (count, N, C)."""
    between = torch.cat([part + block.attn(block.norm1(part), None, '', None) for part in x.split(AT_ONCE)])
    return between, torch.cat([part + block.mlp(block.norm2(part), None, '', None) for part in between.split(AT_ONCE)])


def _fit(block: Block, teacher: Block, x: Tensor, between: Tensor, target: Tensor, go_on: list[int]) -> Tensor:
    """Set all weights of a student's block for what enters it, x (count, N, C), so that the target (count, Q, C) leaves it: what really does,
    (count, Q, C). go_on: which tokens of x do; between: theirs of the teacher, behind its attention."""
    C, scale = x.shape[-1], float((x.var(-1, unbiased=False) + teacher.norm1.eps).rsqrt().mean())
    block.norm1.load_state_dict(teacher.norm1.state_dict())
    if isinstance(block.norm1, FixedNorm):
        block.norm1.weight.mul_(scale)
    block.norm2.weight.fill_(scale)
    block.norm2.bias.zero_()
    block.attn.qkv.load_state_dict(teacher.attn.qkv.state_dict())
    squares = block.squares
    assert squares is not None
    y, attend, x = block.norm1(x), torch.tensor(go_on), x[:, go_on]
    mix = torch.cat([block.attn.mix(part, None, go_on=attend) for part in y.split(AT_ONCE)])
    y, z = y[:, go_on], block.norm2(x)
    _fit_units(squares.fc1, teacher, y, between)

    read = torch.cat([torch.cat([z[b], mix[b], squares.fc1(y[b]).square()], -1) for b in torch.arange(len(x)).split(AT_ONCE)])
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
    squares.fc2.weight.copy_(P[:, C:])
    nn.init.eye_(block.mlp.fc1.weight)
    block.mlp.fc1.bias.zero_()
    block.mlp.fc2.weight.copy_(A)
    block.mlp.fc2.bias.copy_(whole.bias)
    return x + whole(read)


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

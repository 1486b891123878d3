"""Explanations of vision transformers by their attention among all tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from sightlab.errors import ModelError, one_line
from sightlab.lens.anatomy import LENGTH_AXIS, Anatomy, Stage, activations
from sightlab.lens.attention_weights import attention_weights
from sightlab.lens.saliency.cam import at_image_size, leaf
from sightlab.lens.saliency.target import Target, frozen, in_parts
from sightlab.lens.subject import Tick

WEIGHTS = 2**23  # attention weights of one head in all blocks, for as many images as are explained at once
LARGEST_BATCH = 32


def attends_among_all(anatomy: Anatomy) -> bool:
    """Whether each block attends once, among all tokens of one grid, and nothing attends elsewhere.

    So do ViT, DeiT, DINO, BEiT; not so Swin (in windows), PVT (to fewer tokens), CaiT (class attention at the end).
    """
    blocks, attention = anatomy.blocks, anatomy.attention
    return (
        bool(blocks)
        and len(blocks) == len(attention)
        and all(name.startswith(f"{block.module}.") for name, block in zip(attention, blocks, strict=True))
        and all(block.layout in LENGTH_AXIS for block in blocks)
        and len({(block.grid, block.prefix) for block in blocks}) == 1
    )


def legrad(target: Target, *, tick: Tick | None = None) -> Tensor:
    """LeGrad: the gradient of the logit by the attention weights, layer by layer. float32 [N, H, W], at least 0.

    Bousselham et al. 2024, LeGrad, section 3: for each block l, s = logit of the mean of its tokens after the network's
    own norm and head; relu(ds / dA) for the block's attention A [heads, tokens, tokens], averaged over heads and
    queries; the mean over blocks; the patches' part of it. Raises ModelError where attention is not among all tokens.
    """
    blocks = attending_blocks(target.anatomy)
    return in_parts(target, batch(blocks), partial(legrad_maps, blocks=blocks), tick)


def attention_rollout(target: Target, *, tick: Tick | None = None) -> Tensor:
    """Attention rollout: how much of each patch reaches what the head reads. float32 [N, H, W], at least 0.

    Abnar & Zuidema 2020, Quantifying attention flow in transformers, section 3: the product over blocks of
    (A + I) / 2, A averaged over heads; its rows of the tokens that the logits depend on after the last block, such as
    the class token, are averaged. It is the same for every class. Raises ModelError where attention is not among all
    tokens.
    """
    blocks = attending_blocks(target.anatomy)
    return in_parts(target, batch(blocks), partial(rollout_maps, blocks=blocks), tick)


def legrad_maps(target: Target, blocks: Sequence[Stage]) -> Tensor:
    """`legrad` of a few images."""
    net, attention = target.classifier.net, target.anatomy.attention
    names, count, last = [block.module for block in blocks], len(target.images), blocks[-1]
    # Gradients begin at each block's input, so that no score reaches back into the block before.
    images = target.images.float().requires_grad_()
    with torch.enable_grad(), frozen(net):
        with activations(net, names, cut) as kept, attention_weights(net, attention) as weights:
            logits = target.classifier(images)
        matrices = [weights[name] for name in attention if name in weights]
        by_head(matrices, target)
        tokens = [images_first(kept[name], last) for name in names]
        means = [one.mean(1, keepdim=True).expand_as(one) for one in tokens]
        heads = logits_of_tokens(target, blocks, torch.cat([*means, tokens[-1].detach()]))
        if not torch.allclose(heads[-count:], logits, rtol=1e-3, atol=1e-3 * float(logits.detach().abs().max())):
            raise ModelError(left_out("its logits are not computed from the last block's tokens alone"))
        classes = target.classes.repeat(len(blocks))
        score = heads[:-count].gather(1, classes[:, None]).sum()
        gradients = by_head(torch.autograd.grad(score, matrices), target)
    relevance = torch.stack([gradient.relu().mean((1, 2)) for gradient in gradients]).mean(0)
    return on_grid(relevance, last, target)


def rollout_maps(target: Target, blocks: Sequence[Stage]) -> Tensor:
    """`attention_rollout` of a few images."""
    net, attention, last = target.classifier.net, target.anatomy.attention, blocks[-1]
    with torch.enable_grad(), frozen(net):
        with activations(net, [last.module], leaf) as kept, attention_weights(net, attention) as weights:
            score = target.scores(target.classifier(target.images)).sum()
        gradient = torch.autograd.grad(score, kept[last.module])[0]
    identity = torch.eye(length(last), device=gradient.device)
    flow = identity.expand(len(target.images), -1, -1)
    for matrix in by_head([weights[name].detach() for name in attention if name in weights], target):
        flow = (matrix.mean(1) + identity) / 2 @ flow
    read = images_first(gradient, last).abs().sum(2).gt(0).float()
    read /= read.sum(1, keepdim=True).clamp_min(1)
    return on_grid((read[:, None] @ flow)[:, 0], last, target)


def by_head(matrices: Sequence[Tensor], target: Target) -> list[Tensor]:
    """One matrix a block, as float [N, heads, tokens, tokens]. Raises ModelError where some are missing or smaller."""
    blocks = target.anatomy.blocks
    tokens = length(blocks[-1])
    if len(matrices) != len(blocks) or any(
        matrix.shape[-2:] != (tokens, tokens) or matrix.shape[0] % len(target.images) for matrix in matrices
    ):
        raise ModelError(NOT_AMONG_ALL)
    return [matrix.reshape(len(target.images), -1, tokens, tokens) for matrix in matrices]


def cut(output: Tensor) -> tuple[Tensor, Tensor]:
    """Keep an output with its graph, and go on with a copy that starts a graph of its own."""
    return output, output.detach().clone().requires_grad_()


def logits_of_tokens(target: Target, blocks: Sequence[Stage], tokens: Tensor) -> Tensor:
    """The logits that the network gives to tokens in place of its last block's. tokens: float [K N, length, C].

    Gives float [K N, classes]. Raises ModelError for a network that does not run without its blocks.
    """
    given = tokens if blocks[-1].layout == "tokens" else tokens.transpose(0, 1)
    images = target.images.repeat(len(tokens) // len(target.images), 1, 1, 1)
    try:
        with without_blocks(target.classifier.net, blocks, given):
            logits: Tensor = target.classifier(images)
    except Exception as error:  # whatever its code raises where a block gives no more than its input
        raise ModelError(left_out(f"{type(error).__name__}: {one_line(error)}")) from error
    return logits


@contextmanager
def without_blocks(net: nn.Module, blocks: Sequence[Stage], tokens: Tensor) -> Iterator[None]:
    """Within the context, blocks give back what they are given, and the last one gives the tokens."""
    modules = [net.get_submodule(block.module) for block in blocks]
    for module in modules:
        module.forward = lambda given, *_args, **_keywords: given
    modules[-1].forward = lambda *_args, **_keywords: tokens
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def attending_blocks(anatomy: Anatomy) -> tuple[Stage, ...]:
    """The blocks of a network that attends among all tokens. Raises ModelError for any other."""
    if not attends_among_all(anatomy):
        raise ModelError(NOT_AMONG_ALL)
    return anatomy.blocks


NOT_AMONG_ALL = (
    "the network's blocks do not each attend once among all tokens, as LeGrad and attention rollout need; "
    "grad-cam and integrated-gradients work"
)


def left_out(reason: str) -> str:
    """Why LeGrad does not work where blocks cannot be left out."""
    return f"LeGrad cannot leave out the network's blocks ({reason}); grad-cam and attention-rollout work"


def length(stage: Stage) -> int:
    """Tokens of a stage, those without a place included."""
    return stage.prefix + stage.grid[0] * stage.grid[1]


def batch(blocks: Sequence[Stage]) -> int:
    """Images at once, so that the attention weights of all blocks fit in memory."""
    return max(1, min(LARGEST_BATCH, WEIGHTS // (len(blocks) * length(blocks[-1]) ** 2)))


def images_first(tokens: Tensor, stage: Stage) -> Tensor:
    """Tokens as [N, length, C]."""
    return tokens if stage.layout == "tokens" else tokens.transpose(0, 1)


def on_grid(relevance: Tensor, stage: Stage, target: Target) -> Tensor:
    """A value of each token as a map at the image's size. float [N, length] -> float32 [N, H, W]."""
    return at_image_size(relevance[:, stage.prefix :].reshape(-1, *stage.grid), target)

"""PriViT: Taylorize a trained ViT by a gradient-based search (Dhyani et al., arXiv 2310.04604, algorithm 1).

- Stage 1 (lines 1-3): the student starts as the teacher, with a switch of 1 for every GELU token and softmax row.
- Stage 2 (lines 4-9): weights and switches are trained together by Adam on cross-entropy + distillation + lambda_g * |C|_1 +
  lambda_s * |S|_1; whenever a count of switches stalls, its lambda grows by the factor kappa.
- Stage 3 (line 10): a kind of switch whose count is within its budget is binarised and frozen.
- Stage 3b (ours, optional): a closed-form refit of the linear layers, so that stage 4 has less to repair.
- Stage 4 (line 11): with all switches frozen, the student is fine-tuned by distillation under a cosine learning rate.

What differs from the paper, for hours instead of weeks: a round is `round_steps` steps instead of an epoch; lambda follows the sum of the
switches instead of their count; "stalls" means "falls more slowly than reaches the budget within `search_steps`"; lambda also shrinks by
kappa while the sum falls too fast; and binarisation keeps exactly the budget's number of switches.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vit.data import ImageSet
from vit.model import SwitchTensors, VisionTransformer, ViTConfig

from .batches import BatchSource, step_generator
from .engine import RunLog, Trainer, TrainOptions, cosine
from .evaluate import shared_accuracy
from .features import FeatureRegressors
from .ood import ood_images
from .options import check_at_least_one, option
from .prices import Prices, keep_affordable
from .reconstruct import reconstruct
from .switches import EPSILON, GRANULARITIES, Switches


@dataclass
class SearchOptions:
    """Budgets are numbers of switches left on. Steps are optimisation steps."""

    softmax_budget: int = option(448, 'softmax rows that stay exact')
    gelu_budget: int = option(8, 'GELU tokens that stay exact')
    search_steps: int = option(300, 'of stages 2 and 3, at most')
    finetune_steps: int = option(700, 'of stage 4, which also gets what the search leaves')
    round_steps: int = option(10, 'steps between updates of the lambdas')
    # The first lambdas are where the schedules of CIFAR-10 settle; smaller ones are still growing when the steps run out.
    lambda_softmax: float = option(5e-4, "first weight of the softmax switches' sum in the loss")
    lambda_gelu: float = option(0.02, "first weight of the GELU switches' sum in the loss")
    price_budget: float = option(0.0, "with --prices, in their unit: what may be spent on softmax rows and GELU tokens, in place of both budgets")
    lambda_price: float = option(1.0, "with --prices: first weight of the switches' price in the loss, as a part of all switches' price")
    first_switch: float = option(1.0, 'what all switches are at first; less than 1 for a start that is no exact network any more (command start)')
    kappa: float = option(1.3, 'factor by which lambdas change')
    switch_learning_rate: float = option(0.01, "the switches' own")
    search_learning_rate: float = option(0.75, "the search's, as a part of the fine-tuning stage's peak")
    evaluate_every: int = option(100, 'steps of stage 4 between looks at the validation images')
    granularity: str = option('token', 'head: switches for whole heads and layers, a baseline', GRANULARITIES)
    reconstruct_images: int = option(0, 'images for a closed-form refit before stage 4; 0: none')

    def __post_init__(self) -> None:
        check_at_least_one(self, 'round_steps', 'evaluate_every')
        if not 0 < self.first_switch <= 1:
            raise ValueError(f'first_switch: expected more than 0 and at most 1, got {self.first_switch}')


@dataclass
class SearchResult:
    """The fine-tuned model (EMA weights), its binary switches, and its accuracy on the validation split."""

    model: VisionTransformer
    switches: SwitchTensors
    validation_accuracy: float


def stage1_initialise(teacher: VisionTransformer, granularity: str = 'token') -> tuple[VisionTransformer, Switches]:
    """Algorithm 1, lines 1-3: the student is a copy of the teacher; all switches are 1."""
    student = VisionTransformer(teacher.config)
    student.load_state_dict(teacher.state_dict())
    return student, Switches(teacher.config, granularity)


class LambdaSchedule:
    """Algorithm 1, lines 6-9, for one kind of switch: lambda grows by kappa in every round in which the switches fell too little, and, not
    as in the paper, shrinks by kappa in one in which they fell more than twice as fast as is needed."""

    def __init__(self, value: float, kappa: float, budget: float, total: float) -> None:
        self.value, self.kappa, self.budget = value, kappa, budget
        self.lowest = float(total)

    def update(self, mass: float, rounds_left: int) -> None:
        """mass: the switches' sum, the count's smooth counterpart (it moves before the first switch reaches 0). Not for frozen switches: so
        the count is above the budget, and a sum that is not has more to fall, until small switches are 0."""
        wanted = max(0.0, self.lowest - self.budget) / max(1, rounds_left)
        if self.lowest - mass < wanted:
            self.value *= self.kappa
        elif mass > self.budget and self.lowest - mass > 2 * wanted:
            self.value /= self.kappa  # reaching the budget in one rush would leave no order among the switches
        self.lowest = min(self.lowest, mass)

    def state(self) -> dict:
        return {'value': self.value, 'lowest': self.lowest}

    def load_state(self, state: dict) -> None:
        self.value, self.lowest = state['value'], state['lowest']


def search(
    teacher: VisionTransformer,
    source: BatchSource,
    validation: ImageSet,
    train: TrainOptions,
    options: SearchOptions,
    log: RunLog,
    fixed_switches: SwitchTensors | None = None,
    regressors: FeatureRegressors | None = None,
    kd_teacher: VisionTransformer | None = None,
    stop_after: int | None = None,
    prices: Prices | None = None,
) -> SearchResult | None:
    """Run, or resume, all stages in `log`'s folder. The teacher distils, unless `source` brings a CNN's logits with its batches.

    fixed_switches: skip stages 2 and 3 and fine-tune these for all of the steps (the baselines, at equal cost).
    kd_teacher: an exact network to distil from, if not the one that the student starts from.
    stop_after: return None after this many steps in all (to test resumption).
    prices: the penalty is the switches' price, and the budget `price_budget`, in place of counts.
    """
    config = teacher.config
    if options.reconstruct_images and config.kept_tokens:
        raise ValueError('reconstruct_images: expected 0 for a network that drops tokens; privit condense fits one in closed form')
    if fixed_switches is None:  # else nothing is searched
        check_budgets(config, options, prices)
    student, switches = stage1_initialise(teacher, options.granularity)
    if fixed_switches is not None:
        switches.set(*fixed_switches)
    else:
        switches.begin_at(options.first_switch)
    teacher = (kd_teacher or teacher).eval().requires_grad_(False)
    ood = ood_images(config.img_size, validation.info) if train.ood_weight else None
    trainer = Trainer(student, source, train, teacher, switches, options.switch_learning_rate, regressors, ood)
    live = getattr(source, 'exact', None) is teacher  # then the source asks it, on the CPU
    teacher_device = torch.device('cpu') if live else trainer.device
    teacher.to(teacher_device)
    log.rank = trainer.rank
    schedules = {
        'softmax': LambdaSchedule(options.lambda_softmax, options.kappa, options.softmax_budget, config.num_softmax_rows),
        'gelu': LambdaSchedule(options.lambda_gelu, options.kappa, options.gelu_budget, config.num_gelu_tokens),
    }
    if prices is not None:
        all_of_it = prices.everything(config)
        prices = prices.to(trainer.device)
        schedules = {'price': LambdaSchedule(options.lambda_price / all_of_it, options.kappa, options.price_budget, all_of_it)}
    progress = {'stage': 2 if fixed_switches is None else 4, 'stage4_start': 0}
    saved = log.load()
    if saved is not None:
        trainer.load_state(saved['trainer'])
        progress = saved['progress']
        for name, schedule in schedules.items():
            schedule.load_state(saved['schedules'][name])

    def checkpoint() -> None:
        log.save({'trainer': trainer.state(), 'progress': progress, 'schedules': {k: s.state() for k, s in schedules.items()}})
        if progress['stage'] == 4:  # switches are binary, and the average is of nothing older
            log.keep(train.keep_last, trainer.step, trainer.ema.model, switches_of(trainer))

    def stopped() -> bool:
        if trainer.step % train.checkpoint_every == 0:
            checkpoint()
        return stop_after is not None and trainer.step >= stop_after

    if progress['stage'] == 2:
        if not stage2_joint_search(trainer, options, schedules, validation, log, stopped, prices):
            return None
        progress.update(stage=4, stage4_start=trainer.step)
        trainer.ema.restart(trainer.student)
    if options.reconstruct_images and trainer.step == progress['stage4_start']:
        sample = source.batch(0, options.reconstruct_images, step_generator(train.seed, 0), train.seed).images
        softmax, gelu = switches_of(trainer)
        reconstruct(trainer.student.cpu(), (softmax.cpu(), gelu.cpu()), teacher.cpu(), sample)
        trainer.student.to(trainer.device), teacher.to(teacher_device)
        trainer.ema.restart(trainer.student)
        log.line(stage='3b', step=trainer.step, validation=shared_accuracy(trainer.student, switches_of(trainer), validation))
    if not stage4_finetune(trainer, options, progress['stage4_start'], validation, log, stopped):
        return None
    checkpoint()
    final = shared_accuracy(trainer.ema.model, switches_of(trainer), validation)
    log.line(stage='done', step=trainer.step, validation=final)
    return SearchResult(trainer.ema.model, switches_of(trainer), final)


def stage2_joint_search(
    trainer: Trainer, options: SearchOptions, schedules: dict, validation: ImageSet, log: RunLog, stopped, prices: Prices | None = None
) -> bool:
    """Algorithm 1, lines 4-9. Returns False if stopped, True once both kinds of switches are binarised (stage 3)."""
    switches = learned_switches(trainer)

    def penalty() -> Tensor:
        if prices is not None:
            return schedules['price'].value * prices.of(switches.tensors())
        softmax, gelu = switches.l1()
        return schedules['softmax'].value * softmax + schedules['gelu'].value * gelu

    losses = []
    while switches.softmax.requires_grad or switches.gelu.requires_grad:
        trainer.set_learning_rate(options.search_learning_rate * min(1.0, (trainer.step + 1) / 20))
        losses.append(trainer.train_step(penalty))
        if trainer.step % options.round_steps == 0:
            rounds_left = max(1, (options.search_steps - trainer.step) // options.round_steps)
            over = trainer.step >= options.search_steps
            stage3_binarise(switches, options, over, prices)
            values: dict[str, float] = dict(zip(('softmax', 'gelu'), switches.counts()))
            masses = {'softmax': switches.softmax.sum(), 'gelu': switches.gelu.sum()} if prices is None else {'price': prices.of(switches.tensors())}
            for kind, total in masses.items():
                if total.requires_grad:  # else frozen: nothing pulls at it
                    mass = float(total.detach())
                    schedules[kind].update(mass, rounds_left)
                    values |= {f'{kind}_mass': mass, f'lambda_{kind}': schedules[kind].value}
            log.line(stage=2, step=trainer.step, loss=sum(losses) / len(losses), **values)
            losses = []
        if stopped():
            return False
    log.line(stage=3, step=trainer.step, validation=shared_accuracy(trainer.student, switches_of(trainer), validation))
    return True


def stage3_binarise(switches: Switches, options: SearchOptions, time_is_up: bool, prices: Prices | None = None) -> None:
    """Algorithm 1, line 10: binarise and freeze a kind of switch once its count is within budget, or when the steps are used up. With prices,
    both kinds at once, when what is above the threshold is affordable."""
    if prices is not None:
        softmax, gelu = (s.detach() for s in switches.tensors())
        if time_is_up or float(prices.of(((softmax > EPSILON).float(), (gelu > EPSILON).float()))) <= options.price_budget:
            switches.set(*keep_affordable(prices, (softmax, gelu), switches.steps_on(), switches.there(), options.price_budget))
        return
    softmax_count, gelu_count = switches.counts()
    if switches.softmax.requires_grad and (softmax_count <= options.softmax_budget or time_is_up):
        switches.binarise_softmax(options.softmax_budget)
    if switches.gelu.requires_grad and (gelu_count <= options.gelu_budget or time_is_up):
        switches.binarise_gelu(options.gelu_budget)


def stage4_finetune(trainer: Trainer, options: SearchOptions, first: int, validation: ImageSet, log: RunLog, stopped) -> bool:
    """Algorithm 1, line 11: distil into the frozen switches, cosine learning rate. Returns False if stopped."""
    total = options.search_steps + options.finetune_steps - first
    losses = []
    while trainer.step < first + total:
        trainer.set_learning_rate(cosine(trainer.step - first, total, warmup=min(20, total // 10)), 0.0)
        losses.append(trainer.train_step())
        if trainer.step % options.evaluate_every == 0 or trainer.step == first + total:
            log.line(
                stage=4, step=trainer.step, loss=sum(losses) / len(losses),
                validation=shared_accuracy(trainer.ema.model, switches_of(trainer), validation),
            )  # fmt: skip
            losses = []
        if stopped():
            return False
    return True


def learned_switches(trainer: Trainer) -> Switches:
    if trainer.switches is None:
        raise TypeError('trainer: expected one with switches')
    return trainer.switches


def switches_of(trainer: Trainer) -> SwitchTensors:
    softmax, gelu = learned_switches(trainer).tensors()
    return softmax.detach(), gelu.detach()


def check_budgets(config: ViTConfig, options: SearchOptions, prices: Prices | None = None) -> None:
    if prices is not None:
        if not 0 < options.price_budget <= prices.everything(config):
            raise ValueError(f'price_budget: expected more than 0 and at most {prices.everything(config):g} {prices.unit}, got {options.price_budget:g}')
        if options.granularity != 'token':
            raise ValueError("granularity: expected 'token' with prices, which empty whole layers by themselves")
        return
    if options.price_budget:
        raise ValueError('price_budget: expected with --prices')
    for name, value, limit in (
        ('softmax_budget', options.softmax_budget, config.num_softmax_rows),
        ('gelu_budget', options.gelu_budget, config.num_gelu_tokens),
    ):
        if not 0 <= value <= limit:
            raise ValueError(f'{name}: expected 0..{limit}, got {value}')

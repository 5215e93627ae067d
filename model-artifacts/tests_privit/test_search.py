"""The pieces of algorithm 1."""
import pytest
import torch

from privit.batches import AugmentOptions, LabelledImages
from privit.distill import distillation_loss
from privit.engine import RunLog, TrainOptions, cosine
from privit.search import LambdaSchedule, SearchOptions, check_budgets, search, stage1_initialise, stage3_binarise
from vit.data import synthetic_splits


def test_stage_1_copies_the_teacher_with_all_switches_on(tiny_model, tiny_images):
    student, switches = stage1_initialise(tiny_model)
    assert torch.equal(student(tiny_images, switches.tensors()), tiny_model(tiny_images))
    assert switches.counts() == (16, 8)
    student.head.bias.data += 1
    assert not torch.equal(student.head.bias, tiny_model.head.bias)


def test_lambda_grows_by_kappa_only_while_the_switches_stall():
    schedule = LambdaSchedule(1.0, 2.0, budget=0, total=100)
    schedule.update(100.0, rounds_left=10)  # no progress
    assert schedule.value == 2.0
    schedule.update(85.0, rounds_left=10)  # 15 of the 10 that were wanted
    assert schedule.value == 2.0
    schedule.update(40.0, rounds_left=10)  # a rush
    assert schedule.value == 1.0


def test_lambda_does_not_shrink_once_the_sum_is_below_the_budget_and_only_the_count_is_above():
    schedule = LambdaSchedule(1.0, 2.0, budget=10, total=100)
    schedule.update(9.0, rounds_left=1)
    schedule.update(5.0, rounds_left=1)  # many small switches, falling on
    assert schedule.value == 1.0


def test_frozen_switches_leave_their_lambda_and_the_log(tmp_path, tiny_model):
    splits = synthetic_splits()
    options = SearchOptions(softmax_budget=16, gelu_budget=0, search_steps=4, finetune_steps=0, round_steps=1)  # all rows: frozen at once
    log = RunLog(tmp_path)
    source = LabelledImages(splits.train, 8, AugmentOptions(crop_padding=0))
    search(tiny_model, source, splits.validation, TrainOptions(batch_size=8, checkpoint_every=4), options, log)
    rounds = [line for line in (tmp_path / 'log.txt').read_text().splitlines() if line.startswith('stage=2 ')]
    assert len(rounds) == 4 and all('softmax=16 ' in line and '_softmax=' not in line and 'softmax_mass' not in line for line in rounds)
    assert 'lambda_gelu=' in rounds[0]
    schedules = torch.load(tmp_path / 'last.pt', weights_only=True)['schedules']
    assert schedules['softmax'] == {'value': options.lambda_softmax, 'lowest': 16.0}
    assert schedules['gelu']['value'] > options.lambda_gelu


def test_stage_3_waits_for_the_budget_unless_time_is_up(tiny_model):
    _, switches = stage1_initialise(tiny_model)
    options = SearchOptions(softmax_budget=4, gelu_budget=3)
    switches.gelu.data[0, :4] = 0
    switches.gelu.data[1, 0] = 0
    stage3_binarise(switches, options, time_is_up=False)
    assert switches.counts() == (16, 3)
    assert switches.softmax.requires_grad and not switches.gelu.requires_grad
    stage3_binarise(switches, options, time_is_up=True)
    assert switches.counts() == (4, 3)


def test_budgets_beyond_the_model_are_refused(tiny_config):
    with pytest.raises(ValueError, match='gelu_budget: expected 0..8, got 9'):
        check_budgets(tiny_config, SearchOptions(softmax_budget=4, gelu_budget=9))


def test_distillation_is_zero_at_the_teacher_and_keeps_its_gradients_size():
    teacher = torch.randn(6, 10)
    assert abs(float(distillation_loss(teacher, teacher))) < 1e-5
    student = (teacher + 0.1 * torch.randn(6, 10)).requires_grad_()
    norms = []
    for temperature in (4.0, 16.0):
        (gradient,) = torch.autograd.grad(distillation_loss(student, teacher, temperature), student)
        norms.append(float(gradient.norm()))
    assert 0.5 < norms[0] / norms[1] < 2  # without temperature^2 the ratio would be near 16


def test_cosine_warms_up_and_ends_at_its_floor():
    assert cosine(0, 100, warmup=10) == pytest.approx(0.1)
    assert cosine(10, 100, warmup=10) == pytest.approx(1.0)
    assert cosine(100, 100, warmup=10, floor=0.05) == pytest.approx(0.05)

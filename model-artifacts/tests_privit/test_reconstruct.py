"""The closed-form refit finds linear layers that exist, and brings a Taylorized network closer to its teacher."""
import copy

import torch

from privit.baselines import baseline_switches
from privit.reconstruct import RidgeRegression, reconstruct


def test_regression_recovers_a_linear_layer():
    torch.manual_seed(0)
    truth, fitted = torch.nn.Linear(6, 3), torch.nn.Linear(6, 3)
    fit = RidgeRegression(6, 3)
    for _ in range(3):
        x = torch.randn(5, 20, 6)
        fit.add(x, truth(x).detach())
    fit.solve_into(fitted, 1e-9)
    torch.testing.assert_close(fitted.weight, truth.weight, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fitted.bias, truth.bias, atol=1e-4, rtol=1e-4)


def test_with_all_switches_on_nothing_changes(tiny_model):
    student = copy.deepcopy(tiny_model)
    on = baseline_switches('teacher', tiny_model.config, 0, 0)
    images = torch.randn(300, 3, 8, 8)
    reconstruct(student, on, tiny_model, images)
    torch.testing.assert_close(student(images), tiny_model(images), atol=1e-3, rtol=1e-3)


def test_the_taylorized_network_comes_closer_to_its_teacher(tiny_model):
    off = baseline_switches('polynomial', tiny_model.config, 0, 0)
    student = copy.deepcopy(tiny_model)
    reconstruct(student, off, tiny_model, torch.randn(600, 3, 8, 8))
    unseen = torch.randn(200, 3, 8, 8)
    target = tiny_model.features(unseen)
    before = (tiny_model.features(unseen, off) - target).square().mean()
    after = (student.features(unseen, off) - target).square().mean()
    assert after < 0.5 * before

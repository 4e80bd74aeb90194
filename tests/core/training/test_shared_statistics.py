from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from cryoetseg.core.training.shared_statistics import SharedBatchNorm


class Meeting:
    """Two threads that add what they bring, forwards and backwards, in place of two processes."""

    def __init__(self) -> None:
        self.here, self.brought = threading.Barrier(2), {}  # type: ignore[var-annotated]

    def sum(self, values: Tensor, who: int) -> Tensor:
        self.brought[who] = values.clone()
        self.here.wait()
        total = self.brought[0] + self.brought[1]
        self.here.wait()
        return total


class Sum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, meeting: Meeting, who: int) -> Tensor:  # type: ignore[override]
        context.meeting, context.who = meeting, who
        return meeting.sum(values, who)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return context.meeting.sum(gradient, context.who), None, None


def test_two_halves_of_a_batch_are_normalised_as_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    volumes, wanted = (torch.randn(4, 3, 2, 2, 2, generator=generator) for _ in range(2))
    volumes[2:] += 5
    whole = nn.BatchNorm3d(3, momentum=0.3)
    nn.init.normal_(whole.weight, generator=generator)
    meeting = Meeting()

    def half(who: int) -> tuple[Tensor, nn.Module]:
        own = nn.BatchNorm3d(3, momentum=0.3)
        own.load_state_dict(whole_before)
        shared = SharedBatchNorm.replace_in(nn.Sequential(own), lambda values: Sum.apply(values, meeting, who) / 2, 2)
        own_volumes = volumes[2 * who:2 * who + 2].detach().clone().requires_grad_()
        (shared(own_volumes) * wanted[2 * who:2 * who + 2]).mean().backward()
        return own_volumes.grad, shared[0]  # type: ignore[index, return-value]

    whole_before = {name: value.clone() for name, value in whole.state_dict().items()}
    volumes.requires_grad_()
    (whole(volumes) * wanted).mean().backward()
    with ThreadPoolExecutor(2) as threads:
        (first, one), (second, other) = threads.map(half, (0, 1))
    torch.testing.assert_close(torch.cat([first, second]) / 2, volumes.grad)
    torch.testing.assert_close((one.weight.grad + other.weight.grad) / 2, whole.weight.grad)
    for own in (one, other):
        for name, value in whole.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value)
        torch.testing.assert_close(own.eval()(volumes), whole.eval()(volumes))

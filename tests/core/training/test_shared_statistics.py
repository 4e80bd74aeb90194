from __future__ import annotations

import torch
from meeting import Meeting
from torch import Tensor, nn

from cryoetseg.core.training.shared_statistics import SharedBatchNorm


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
        shared = SharedBatchNorm.replace_in(nn.Sequential(own), lambda values: meeting.sum(values, who) / 2, 2)
        own_volumes = volumes[2 * who:2 * who + 2].detach().clone().requires_grad_()
        (shared(own_volumes) * wanted[2 * who:2 * who + 2]).mean().backward()
        return own_volumes.grad, shared[0]  # type: ignore[index, return-value]

    whole_before = {name: value.clone() for name, value in whole.state_dict().items()}
    volumes.requires_grad_()
    (whole(volumes) * wanted).mean().backward()
    (first, one), (second, other) = meeting.of_both(half)
    torch.testing.assert_close(torch.cat([first, second]) / 2, volumes.grad)
    torch.testing.assert_close((one.weight.grad + other.weight.grad) / 2, whole.weight.grad)
    for own in (one, other):
        for name, value in whole.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value)
        torch.testing.assert_close(own.eval()(volumes), whole.eval()(volumes))

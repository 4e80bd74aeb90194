"""Batch normalisation over the batch of all processes, where torch has none of its own: on processors."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SharedBatchNorm(_BatchNorm):
    """Takes mean and variance from ``mean_over_processes``, through which gradients flow; all processes have as many values."""

    mean_over_processes: Callable[[Tensor], Tensor]
    processes: int

    @classmethod
    def replace_in(cls, network: nn.Module, mean_over_processes: Callable[[Tensor], Tensor], processes: int) -> nn.Module:
        """``network`` with shared normalisations, which take over weights and buffers, in place of its own."""
        for name, child in network.named_children():
            setattr(network, name, cls.replace_in(child, mean_over_processes, processes))
        if not isinstance(network, _BatchNorm):
            return network
        shared = cls(network.num_features, network.eps, network.momentum, network.affine, network.track_running_stats)
        shared.__dict__.update(network.__dict__)
        shared.mean_over_processes, shared.processes = mean_over_processes, processes
        return shared

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return super().forward(features)
        axes = [axis for axis in range(features.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(features.ndim)]
        values = features.float()
        mean = self.mean_over_processes(values.mean(axes))
        centred = values - mean.view(shape)
        variance = self.mean_over_processes(centred.square().mean(axes))
        self._keep(mean.detach(), variance.detach(), self.processes * features.numel() // features.shape[1])
        result = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            result = torch.addcmul(self.bias.view(shape), result, self.weight.view(shape))
        return result.to(features.dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Move the running statistics as torch does, the variance without bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None or self.momentum is None:
            return
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * values / (values - 1), self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes."""

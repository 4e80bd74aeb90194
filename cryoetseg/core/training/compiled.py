"""Networks that run as torch.compile makes them, where that works, and as they are where it does not."""
from __future__ import annotations

import logging
from typing import Any, cast

import torch
from torch import nn

from .task import Networks

logger = logging.getLogger(__name__)


class CompiledNetwork:
    """A network that is compiled when it is first called; weights, names and all else are the network's own.

    Shapes are those of a training, few and fixed, with which torch compiles the backward pass together with the forward pass, so that
    one that cannot be compiled is known here. From then on the network runs as it is: a compiler that is missing ends no training.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._run: Any = torch.compile(network, dynamic=False)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        try:
            return self._run(*inputs, **named)
        except Exception as error:
            if self._run is self._network:
                raise
            logger.warning("%s cannot be compiled and runs as it is: %s", type(self._network).__name__, str(error).strip().split("\n")[0])
            self._run = self._network
            return self._network(*inputs, **named)  # what was no fault of the compiler fails again

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


def as_called(networks: Networks, compiled: bool) -> Networks:
    """What a loss calls: the networks, or those that compile themselves."""
    return cast("Networks", {name: CompiledNetwork(network) for name, network in networks.items()}) if compiled else networks

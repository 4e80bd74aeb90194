"""Denoise a tomogram with Topaz-Denoise's pretrained 3D network, for comparison; a program of its own that the package never imports.

Get the weights without installing anything:

    pip download --no-deps -d topaz topaz-em
    python -m zipfile -e topaz/topaz_em-*.whl topaz
    python benchmarks/topaz_denoise3d.py topaz/topaz/pretrained/denoise/unet-3d-10a-v0.2.4.sav TOMOGRAM OUT.mrc

The network is the U-Net of Lehtinen et al. (2018) in three dimensions as the shapes of the weights tell it: first kernel 7, 48 channels;
its authors' normalisation is that of the whole tomogram (Bepler et al., Nat Commun 11, 5208, 2020).
"""
from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cryoetseg.core.volumes.io import read_volume, write_volume

WIDTH, FIRST_KERNEL, LEVELS = 48, 7, 6


def layer(inputs: int, outputs: int, kernel: int = 3) -> list[nn.Module]:
    return [nn.Conv3d(inputs, outputs, kernel, padding=kernel // 2), nn.LeakyReLU(0.1)]


class Topaz3d(nn.Module):
    """Volumes (batch, 1, z, y, x); names of the parts are those of the weights."""

    def __init__(self) -> None:
        super().__init__()
        for level in range(1, LEVELS + 1):
            shrink = [nn.MaxPool3d(2)] if level < LEVELS else []
            inputs, kernel = (1, FIRST_KERNEL) if level == 1 else (WIDTH, 3)
            self.add_module(f"enc{level}", nn.Sequential(*layer(inputs, WIDTH, kernel), *shrink))
        for level in range(LEVELS - 1, 1, -1):
            inputs = 2 * WIDTH if level == LEVELS - 1 else 3 * WIDTH
            self.add_module(f"dec{level}", nn.Sequential(*layer(inputs, 2 * WIDTH), *layer(2 * WIDTH, 2 * WIDTH)))
        self.dec1 = nn.Sequential(*layer(2 * WIDTH + 1, 64), *layer(64, 32), nn.Conv3d(32, 1, 3, padding=1))

    def forward(self, volumes: Tensor) -> Tensor:
        features = [volumes]
        for level in range(1, LEVELS + 1):
            features.append(self.get_submodule(f"enc{level}")(features[-1]))
        result = features.pop()
        features.pop()  # the deepest pooled level is not a skip
        for level in range(LEVELS - 1, 0, -1):
            skip = features.pop()
            result = self.get_submodule(f"dec{level}")(torch.cat([F.interpolate(result, size=skip.shape[2:], mode="nearest"), skip], dim=1))
        return result


def main(weights: str, tomogram: str, out: str) -> None:
    network = Topaz3d()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network = network.eval().to(memory_format=torch.channels_last_3d)
    volume, header = read_volume(tomogram)
    mean, deviation = volume.mean(), volume.std()
    with torch.inference_mode():
        result = network(torch.from_numpy((volume - mean) / deviation)[None, None])[0, 0].numpy()
    write_volume(out, result * deviation + mean, header.voxel_size, header.origin)


if __name__ == "__main__":
    main(*sys.argv[1:])

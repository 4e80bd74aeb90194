"""One slab (four tiles of 512 x 512) through a full-size Stable Diffusion 1.x network with random weights.

Shows that the path works at full size (16 matrices, their shapes, rows summing to 1), what a slab costs with the eigen-solver, how many
UNet passes that takes beside the published solver, and how well the eigenvectors agree with a dense decomposition.
Random weights take the same time and memory as trained ones. Run: python benchmarks/stable_diffusion_slab.py [--draws 1] [--save FOLDER]
"""
from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from scipy import linalg

from cryoetseg.core.foundation.door import Affinity
from cryoetseg.core.foundation.frames import plan_frame
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.slabs import prepare_slab
from cryoetseg.core.foundation.spectral import dense_sum, leading_eigenvectors, subspace_overlap
from cryoetseg.core.foundation.stable_diffusion import PROMPT_TOKENS, StableDiffusionBackbone
from cryoetseg.core.runtime.device import autocast_dtype, choose_device
from cryoetseg.core.runtime.seeds import numpy_generator, torch_generator

VOXEL_SIZE_NM = 1.348
PUBLISHED_PASSES_A_TILE = 200  # 2000 iterations, one in ten with a fresh pass
EXPECTED_GRIDS = [64, 64, 32, 32, 16, 16, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64]
UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
VAE = {
    "sample_size": 512,
    "latent_channels": 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


def build(device: torch.device, save: str) -> StableDiffusionBackbone:
    """A Stable Diffusion 1.x of full size with random weights; written in diffusers format where ``save`` names a folder."""
    torch.manual_seed(0)
    unet, vae = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE)
    print(f"UNet {unet.num_parameters() / 1e6:.0f} M parameters, VAE {vae.num_parameters() / 1e6:.0f} M parameters")
    if save:
        unet.save_pretrained(Path(save) / "unet")
        vae.save_pretrained(Path(save) / "vae")
    dtype = autocast_dtype(device)
    return StableDiffusionBackbone(unet.to(dtype), vae.to(dtype), torch.zeros(PROMPT_TOKENS, 768), device, "random-sd")


def check(affinities: list[Affinity]) -> float:
    """Assert grids and shapes of the 16 matrices; returns the largest error of a row's sum."""
    assert [affinity.grid for affinity in affinities] == EXPECTED_GRIDS, [affinity.grid for affinity in affinities]
    assert all(affinity.matrix.shape == (affinity.grid**2,) * 2 for affinity in affinities)
    return max(float((affinity.matrix.sum(dim=1) - 1).abs().max()) for affinity in affinities)


def synthetic_slab(parameters: SegmentSlabsParameters) -> np.ndarray:
    """A noisy picture of 928 x 960 with discs and a line, prepared like a slab."""
    generator = numpy_generator(0, "slab")
    y, x = np.mgrid[:928, :960]
    image = generator.normal(size=(928, 960)).astype(np.float32)
    for centre_y, centre_x in generator.uniform(0, 900, (60, 2)):
        image[(y - centre_y) ** 2 + (x - centre_x) ** 2 < 100] += 2
    image[np.abs(y - 0.5 * x - 200) < 4] += 3
    return prepare_slab(image, parameters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1, help="noise draws a tile; one where the processor has no bfloat16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--save", default="", help="folder to write the random network to, in diffusers format")
    parser.add_argument("--no-dense", action="store_true", help="leave out the dense decomposition (4096 x 4096, about a minute)")
    options = parser.parse_args()
    device = choose_device(options.device)
    backbone = build(device, options.save)
    parameters = SegmentSlabsParameters(tiling="quadrants")
    slab = synthetic_slab(parameters)
    frame = plan_frame(slab.shape, parameters, backbone.input_size_px, backbone.tokens)

    wall, cpu, solving, row_error, first = time.perf_counter(), time.process_time(), 0.0, 0.0, None
    for index, picture in enumerate(frame.pictures(slab)):
        generator = torch_generator(0, "tile", index)
        affinities = backbone.affinities(picture, VOXEL_SIZE_NM, generator, options.draws)
        started = time.perf_counter()
        vectors = leading_eigenvectors(affinities, parameters.eigenvectors)
        solving += time.perf_counter() - started
        row_error = max(row_error, check(affinities))
        first = first or (affinities, vectors)
        print(f"tile {index}: {time.perf_counter() - wall:.1f} s so far", flush=True)
    figures = {
        "threads": torch.get_num_threads(),
        "dtype": str(backbone._unet.dtype),
        "draws": options.draws,
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "eigen_solver_s": round(solving, 1),
        "unet_passes": backbone.passes,
        "fewer_passes_than_published": PUBLISHED_PASSES_A_TILE * len(frame.windows) / backbone.passes,
        "largest_row_sum_error": row_error,
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
    if not options.no_dense and first is not None:
        matrix = dense_sum(first[0])
        values, dense = linalg.eigh(matrix, subset_by_index=(len(matrix) - 13, len(matrix) - 1))
        figures["overlap_with_dense"] = subspace_overlap(first[1], dense.T[1:])
        figures["leading_eigenvalues"] = [round(float(value), 5) for value in values[::-1]]
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

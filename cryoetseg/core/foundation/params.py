"""Parameters of unsupervised slab segmentation. Defaults are what measures best; ``published`` is the value of Uddin et al. 2026.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""

from typing import Any, Dict, Literal

from ..runtime.params import OddInt, Parameters, other_than, parameter
from .separation_params import SeparationParameters

ONE_SLICE = {"backbone": other_than("cryoet-tiny")}  # backbones that see one slice at a time; cryoet-tiny sees five
SLICES = {"separation": "slices"}
GIVEN_SLICES = {"z_auto": False}
SCALE_AWARE = {**SLICES, "filters": "scale_aware"}


class SlabParameters(Parameters):
    """Which slices become slabs and how each is prepared (Uddin26 1.2)."""

    z_auto: bool = parameter(
        False, "Take the slices between the faces of the ice, found in each tomogram; where they are not clear, every slice, "
        "with a warning.", label="Slices that hold the sample")
    z_start: int = parameter(0, "First slice of the slab range, counted from 0.", label="First slice", unit="voxel", ge=0,
        acts_when=GIVEN_SLICES)
    z_end: int = parameter(
        0, "First slice behind the slab range; 0 takes every slice up to the last one.", label="End slice", unit="voxel", ge=0,
        acts_when=GIVEN_SLICES)
    z_step: int = parameter(
        1, "Distance between two slabs. The paper makes every slice of the range a slab.", unit="voxel", expert=True, ge=1,
        label="Distance between slabs",
    )
    cleaning: Literal["auto", "off"] = parameter(
        "auto",
        "Find borders, empty corners, gold and hot voxels, so that they decide nothing. The paper takes every voxel as it is: off.",
        published="off", expert=True, label="Clean the tomogram",
    )
    averaged_slices: OddInt = parameter(
        1,
        "Slices averaged into one slab, an odd number. More raise the signal and blur along z.",
        unit="slices", published=1, expert=True, ge=1, le=9, acts_when=ONE_SLICE, label="Slices averaged",
    )
    stretch: Literal["percentile", "minmax"] = parameter(
        "percentile",
        "Contrast stretch of each slice: between two percentiles, or from minimum to maximum, where one hot voxel squeezes the slice.",
        published="minmax", expert=True, label="Contrast stretch",
    )
    stretch_low: float = parameter(0.5, "Lower percentile of the stretch.", unit="%", expert=True, ge=0, lt=50,
        acts_when={"stretch": "percentile"}, label="Lower percentile")
    stretch_high: float = parameter(99.5, "Upper percentile of the stretch.", unit="%", expert=True, gt=50, le=100,
        acts_when={"stretch": "percentile"}, label="Upper percentile")
    clahe: bool = parameter(
        True,
        "Even out local contrast (CLAHE, clip limit 2, 8 x 8 regions). The paper applies it, its released program does not.",
        expert=True, acts_when=ONE_SLICE, label="Even out local contrast (CLAHE)",
    )
    smoothing_sigma: float = parameter(
        1.25, "Width of the Gaussian that smooths each slab.", unit="voxel", published=1.25, expert=True, ge=0, le=10, acts_when=ONE_SLICE,
        label="Smoothing")
    slab_contrast: Literal["dark", "bright"] = parameter(
        "dark", "Whether particles are dark or bright in the picture the backbone sees.", published="dark", expert=True,
        acts_when=ONE_SLICE, label="Particles in the picture")


class TilingParameters(Parameters):
    """How a slab is cut into the square pictures a backbone takes."""

    tiling: Literal["voxels", "quadrants"] = parameter(
        "voxels",
        "Overlapping tiles of a fixed number of voxels, or four quadrants of the slab stretched to a fixed frame.",
        published="quadrants", expert=True, label="How slabs are cut",
    )
    tile_px: int = parameter(
        128, "Side of one tile in voxels of the tomogram (tiling 'voxels').", label="Tile side", unit="voxel", expert=True, ge=16, le=4096,
        acts_when={"tiling": "voxels"})
    overlap_px: int = parameter(16, "Overlap of neighbouring tiles (tiling 'voxels').", unit="voxel", expert=True, ge=0, le=2048,
        acts_when={"tiling": "voxels"}, label="Overlap of tiles")
    border_tokens: int = parameter(
        8,
        "Tokens dropped along each side of a tile before the spectral step, because the padding of the network's convolutions makes "
        "eigenvectors of its own there (tiling 'voxels').",
        unit="tokens", expert=True, ge=0, le=16, acts_when={"tiling": "voxels"}, label="Tokens dropped at borders",
    )


class BackboneParameters(Parameters):
    """Which network gives the affinities and how often it is asked (Uddin26 1.3)."""

    backbone: str = parameter(
        "cryoet-tiny",
        "Network that gives the affinities: cryoet-tiny (shipped), stable-diffusion-v1-4 (fetched by 'cryoetseg weights fetch'), or a "
        "folder in diffusers format.",
        published="stable-diffusion-v1-4", path=True, known=("cryoet-tiny", "stable-diffusion-v1-4"),
    )
    weights_folder: str = parameter("", "Folder with fetched weights; empty takes the one 'cryoetseg weights' uses.", expert=True,
        acts_when=[ONE_SLICE, {"separation": "slices", "splitter": "cellpose"}])
    draws: int = parameter(
        1,
        "Noise draws averaged per tile. The paper's solver runs the network about 200 times a tile.",
        expert=True, ge=1, le=500, label="Noise draws",
    )
    noise_step: Literal["fixed", "random"] = parameter(
        "fixed",
        "Steps of the diffusion noise: drawn once for all slabs of a run, or anew for each slab, which makes the grey level of canvases "
        "jump from slab to slab.",
        published="random", expert=True, label="Steps of the noise",
    )
    noise_reach: float = parameter(
        680.0,
        "Length that divided by the voxel size gives the largest noise step: 50 at 13.48 A.",
        unit="A", published=680.0, expert=True, gt=0, le=10000, acts_when=ONE_SLICE, label="Reach of the noise",
    )
    empty_prompt: Literal["required", "zeros"] = parameter(
        "required",
        "Stable Diffusion's embedding of the empty prompt: read from the weights folder, or explicitly replaced by zeros.",
        published="required", expert=True, acts_when=ONE_SLICE, label="Empty prompt",
    )


class SpectralParameters(Parameters):
    """How affinities become eigenvectors (Uddin26 1.4)."""

    solver: Literal["auto", "joint", "eigen", "gradient"] = parameter(
        "auto",
        "joint: one exact solution for all slabs from the features of the backbone; eigen: deterministic eigen-solver tile by tile; "
        "gradient: the published descent, about 25 times more passes; auto: joint where the backbone gives features, else eigen.",
        published="gradient", label="Solver",
    )
    eigenvectors: int = parameter(12, "Eigenvectors computed per tile.", published=12, expert=True, ge=2, le=64)
    gradient_iterations: int = parameter(2000, "Iterations of the gradient solver.", published=2000, expert=True, ge=1, le=100000,
        acts_when={"solver": "gradient"}, label="Iterations of the descent")
    gradient_accumulation: int = parameter(
        20, "Iterations whose gradients are summed into one step.", published=20, expert=True, ge=1, le=1000,
        acts_when={"solver": "gradient"}, label="Iterations in one step")
    gradient_learning_rate: float = parameter(2e-3, "Learning rate of the gradient solver (Adam).", published=2e-3, expert=True, gt=0, le=1,
        acts_when={"solver": "gradient"}, label="Learning rate of the descent")
    replay_probability: float = parameter(
        0.9,
        "Chance that an iteration of the gradient solver takes the last affinities again instead of running the network.",
        published=0.9, expert=True, ge=0, lt=1, acts_when={"solver": "gradient"}, label="Chance of a replay",
    )


class AggregationParameters(Parameters):
    """How eigenimages merge into one canvas (Uddin26 1.5) and how canvases are made consistent along z (Uddin26 1.6)."""

    eigenimages: int = parameter(10, "Eigenimages that take part, from the first eigenvector on.", published=10, expert=True, ge=1, le=64)
    inversion_pixel: float = parameter(
        100.0,
        "Grey value above which a pixel counts as bright when deciding on inversion.",
        unit="0-255", published=100.0, expert=True, ge=0, le=255, acts_when={"aggregation": "greedy"}, label="Bright from",
    )
    inversion_area: float = parameter(
        0.4, "An eigenimage with a smaller share of bright pixels is inverted.", published=0.4, expert=True, ge=0, le=1,
        acts_when={"aggregation": "greedy"}, label="Inverted below")
    aggregation: Literal["projection", "greedy"] = parameter(
        "projection",
        "projection: eigenimages weighted by how well they explain the picture; greedy: merged one by one by similarity and contours.",
        published="greedy", label="Merging",
    )
    base_contours: int = parameter(10, "Most contours the first eigenimage may have.", published=10, expert=True, ge=0,
        acts_when={"aggregation": "greedy"}, label="Contours of the first")
    merged_contours: int = parameter(15, "Most contours a merged eigenimage may have.", published=15, expert=True, ge=0,
        acts_when={"aggregation": "greedy"}, label="Contours of a merged one")
    merge_similarity: float = parameter(
        0.35, "Structural similarity (SSIM) above which an eigenimage may join.", published=0.35, expert=True, ge=-1, le=1,
        acts_when={"aggregation": "greedy"}, label="Least similarity")
    merge_rounds: int = parameter(10, "Most eigenimages that may join.", published=10, expert=True, ge=0, le=64,
        acts_when={"aggregation": "greedy"}, label="Most merged")
    slab_correction: bool = parameter(
        True, "Correct each canvas by its neighbours along z. The paper does, its released program finds no neighbours.", published=True,
        acts_when=SLICES, label="Correct by neighbouring slabs")
    neighbour_similarity: float = parameter(
        0.90, "Above this SSIM of both neighbours a differing slab is replaced by their mean.", published=0.90, expert=True, ge=-1, le=1,
        acts_when={**SLICES, "slab_correction": True}, label="Similarity of neighbours")
    centre_similarity: float = parameter(
        0.8, "A slab differs when its SSIM to both neighbours is below this.", published=0.8, expert=True, ge=-1, le=1,
        acts_when={**SLICES, "slab_correction": True}, label="Similarity to neighbours")


class ParticleSizeParameters(Parameters):
    """The one size the scale-aware rules follow."""

    particle_diameter: float = parameter(
        250.0, "Diameter of the particles sought. The paper fixes 300 A for areas and 150 A for distances.", unit="A", gt=0, le=5000
    )


class ThresholdParameters(ParticleSizeParameters):
    """How a canvas becomes a mask (Uddin26 1.7)."""

    threshold_scale: Literal["scale_aware", "published"] = parameter(
        "scale_aware",
        "Window of the local threshold: from the particle diameter, or 15 pixels, which turns discs over 8 pixels radius into rings.",
        published="published", acts_when=SLICES, label="Window of the threshold",
    )
    threshold_block_px: int = parameter(
        15,
        "Window of the local threshold, the smallest one when scale-aware; an odd number.",
        unit="pixel", published=15, expert=True, ge=3, le=513, acts_when=SLICES, label="Smallest window",
    )
    threshold_offset: float = parameter(
        3.0, "How much darker than its surroundings a pixel must be. Higher keeps less.", unit="0-255", published=3.0, ge=-50, le=100,
        acts_when=SLICES, label="Darker than the surroundings by")
    large_body_diameter: float = parameter(
        0.0,
        "Diameter of large bodies to be filled by a second, wider window; 0 leaves it out (scale-aware).",
        unit="A", expert=True, ge=0, le=50000, acts_when={**SLICES, "threshold_scale": "scale_aware"}, label="Diameter of large bodies",
    )


class SplittingParameters(ParticleSizeParameters):
    """How the mask is cut into regions (Uddin26 1.8)."""

    splitter: Literal["watershed", "cellpose"] = parameter(
        "watershed", "Watershed of the distance transform, or Cellpose-SAM where it and its weights are installed.", published="cellpose",
        acts_when=SLICES, label="Splitter")
    cellpose_model: str = parameter("", "File with the Cellpose-SAM weights; empty looks into the weights folder.", expert=True, path=True,
        acts_when={**SLICES, "splitter": "cellpose"}, label="Weights of Cellpose")


class FilterParameters(ParticleSizeParameters):
    """Which regions are particles, the rest being membrane (Uddin26 1.8), and how detections join along z."""

    filters: Literal["scale_aware", "published"] = parameter(
        "scale_aware",
        "Rules by area, solidity and eccentricity from the particle diameter, or the published ones, which pass small discs only.",
        published="published", acts_when=SLICES, label="Rules for particles",
    )
    smallest_area: float = parameter(0.4, "Smallest area of a particle, as a share of its disc.", expert=True, ge=0, le=1,
        acts_when=SCALE_AWARE)
    largest_area: float = parameter(2.0, "Largest area of a particle, as a multiple of its disc.", expert=True, ge=1, le=100,
        acts_when=SCALE_AWARE)
    smallest_solidity: float = parameter(0.85, "Smallest solidity (area over convex area) of a particle.", expert=True, ge=0, le=1,
        acts_when=SCALE_AWARE)
    largest_eccentricity: float = parameter(0.75, "Largest eccentricity of a particle.", expert=True, ge=0, le=1, acts_when=SCALE_AWARE)
    membrane_area: float = parameter(
        32000.0,
        "Smallest area of a membrane piece in one slab; smaller ones are dropped, and particles need keep no distance from them.",
        unit="A^2", expert=True, ge=0, acts_when=SLICES, label="Smallest area of a membrane",
    )
    membrane_distance: float = parameter(
        0.5,
        "Distance a particle's centre keeps from membranes, as a share of the particle diameter. The published rule is 10 pixels.",
        expert=True, ge=0, le=10, acts_when=SCALE_AWARE, label="Distance from membranes",
    )
    membrane_closing: bool = parameter(True, "Close small gaps of membranes. The paper does, with unknown settings.", expert=True,
        acts_when=SLICES, label="Close gaps of membranes")
    membrane_dilation_px: int = parameter(1, "Pixels membranes grow by after cleaning.", unit="pixel", expert=True, ge=0, le=10,
        acts_when=SLICES, label="Widen membranes by")
    link_radius: float = parameter(
        0.5, "How far a particle's centre may move from slab to slab, as a share of the diameter.", expert=True, gt=0, le=2,
        acts_when=SCALE_AWARE, label="Radius of linking")
    link_slices: int = parameter(
        3, "Slabs in a row that must show a particle, where every slice is a slab; fewer where they lie apart. The paper asks for one.",
        unit="slabs", ge=1, le=100, acts_when=SCALE_AWARE, label="Slabs in a row")


class SegmentSlabsParameters(
    # pydantic orders fields from the last base to the first
    SeparationParameters,
    FilterParameters,
    SplittingParameters,
    ThresholdParameters,
    AggregationParameters,
    SpectralParameters,
    TilingParameters,
    BackboneParameters,
    SlabParameters,
):
    """All parameters of slab segmentation, flat for forms and command lines."""

    @classmethod
    def published(cls, **changes: Any) -> "SegmentSlabsParameters":
        """Every value as published, then ``changes``: ``published(z_start=200, z_end=300)`` is the paper's training range."""
        values: Dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and extra.get("published") is not None:
                values[name] = extra["published"]
        values.update(link_slices=1)
        values.update(changes)
        return cls(**values)

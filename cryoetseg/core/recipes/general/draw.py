"""The samples and microscopes of the training scenes: one draw a scene, each range listed in docs/user/general.md."""
from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from ...runtime.seeds import numpy_generator
from ...simulation.finishing import Finishing, draw_finishing
from ...simulation.params import SimulationParameters

VOXEL_SIZES = (5.0, 6.5, 8.0, 10.0, 10.0, 12.0, 13.5, 15.0, 18.0, 22.0, 26.0, 31.4, 31.4, 35.0)
SIDE = 160  # voxels
FINE_VOXEL = 9.0  # A: finer scenes are larger, so that they still hold whole vesicles
HELD_OUT_MOLECULES = ("groel", "rubisco", "beta_galactosidase", "fatty_acid_synthase", "atp_synthase")
TRAINING_MOLECULES = (
    "ribosome_80s", "proteasome_26s", "proteasome_20s", "tric", "p97", "virus_like_particle", "apoferritin", "thyroglobulin",
    "beta_amylase", "nucleosome", "hsp90")
MEMBRANE_MOLECULES = ("glutamate_receptor", "translocon")
RANDOM_MOLECULES = 40  # in the library of each voxel size
Kind = Literal["cell", "no membranes", "empty ice", "noise"]
KINDS: tuple[tuple[Kind, float], ...] = (("cell", 0.6), ("no membranes", 0.24), ("empty ice", 0.08), ("noise", 0.08))


class SceneDraw(NamedTuple):
    """One scene: its ``kind``, sample and microscope, what is done to the reconstruction, numbers of the random molecules in it, and
    whether real membrane shapes are placed where some are given."""

    number: int
    kind: Kind
    parameters: SimulationParameters
    finishing: Finishing
    random_molecules: tuple[int, ...]
    traced_membranes: bool


def draw_scene(number: int, seed: int, side: int = SIDE) -> SceneDraw:
    """Draw scene ``number``, ``side`` voxels wide; voxel sizes take turns, everything else is random."""
    rng = numpy_generator(seed, "general scene", number)
    voxel_size = VOXEL_SIZES[number % len(VOXEL_SIZES)]
    kind = _kind(number)
    side, height = (side * 6 // 5, side * 2 // 5) if voxel_size < FINE_VOXEL else (side, side * 3 // 10)
    values: dict[str, Any] = {"name": f"scene_{number:04d}", "voxel_size": voxel_size, "size_z": height, "size_y": side, "size_x": side}
    values |= _sample(kind, side * voxel_size, height * voxel_size, rng) | _imaging(rng)
    if values["contamination_count"] or values["carbon_edge"] or values["gold_count"]:
        values["snr"] = min(3.0, 4 * values["snr"])  # what scatters most would set the noise for all the rest
    chosen = rng.choice(RANDOM_MOLECULES, size=int(rng.integers(2, 9)), replace=False) if values["particles"] != "none" else ()
    traced = kind == "cell" and bool(rng.uniform() < 0.25)
    return SceneDraw(number, kind, SimulationParameters(**values), draw_finishing(rng), tuple(int(value) for value in chosen), traced)


def _kind(number: int) -> Kind:
    """The kinds in their shares, spread evenly over the numbers and over the voxel sizes."""
    place = (number * 0.6180339887498949) % 1  # the golden ratio: any run of scenes holds every kind in its share
    for kind, share in KINDS:
        if place < share:
            return kind
        place -= share
    return KINDS[-1][0]


def _sample(kind: Kind, width: float, height: float, rng: np.random.Generator) -> dict[str, Any]:
    """What lies in a field ``width`` Angstrom wide and ``height`` Angstrom high."""
    if kind == "noise":
        return {"particles": "none", "occupancy": 0.0, "unresolved_density": 0.0, **_no_membranes(), **_foreign(rng, 0.0), "actin_count": 0,
                "microtubule_count": 0}
    partly = {"field_share": float(rng.uniform(0.2, 0.8)) if rng.uniform() < 0.25 else 1.0,
              "sample_thickness": float(rng.uniform(0.35, 0.8)) * height if rng.uniform() < 0.3 else 0.0}
    if kind == "empty ice":
        return {"particles": "none", "occupancy": 0.0, "unresolved_density": float(rng.choice([0.0, 0.01])), **partly, **_no_membranes(),
                **_foreign(rng, 0.9), "actin_count": 0, "microtubule_count": 0}
    crowded = {"particles": _mixture(rng), "occupancy": float(rng.uniform(0.01, 0.22)), "unresolved_density": float(rng.uniform(0.0, 0.12)),
               "actin_count": int(rng.integers(0, 8)) if rng.uniform() < 0.4 else 0,
               "microtubule_count": int(rng.integers(1, 5)) if rng.uniform() < 0.5 else 0,
               "filament_length": float(rng.uniform(1500, 8000))}
    membranes = _membranes(width, rng) if kind == "cell" else _no_membranes()
    return {**crowded, **partly, **membranes, **_foreign(rng, 0.25)}


def _mixture(rng: np.random.Generator) -> str:
    """Molecules and their relative numbers: some of the library, ribosomes many in half of the scenes; now and then ribosomes alone."""
    if rng.uniform() < 0.12:
        return "ribosome_80s"
    soluble = list(rng.choice(TRAINING_MOLECULES, size=int(rng.integers(3, 9)), replace=False))
    ribosomes = rng.uniform() < 0.5
    chosen = {str(name): float(np.exp(rng.normal(0, 0.8))) for name in soluble}
    if ribosomes:
        chosen["ribosome_80s"] = float(rng.uniform(3, 10))
    if "virus_like_particle" in chosen:
        chosen["virus_like_particle"] = 0.05
    chosen |= dict.fromkeys(MEMBRANE_MOLECULES, 1.0)
    return ", ".join(f"{name}:{number:.3f}" for name, number in chosen.items())


def _membranes(width: float, rng: np.random.Generator) -> dict[str, Any]:
    area = (width / 2000) ** 2  # in units of (200 nm)^2: larger fields hold more membranes
    most = max(2, math.ceil(1.5 * area))
    smallest = float(rng.uniform(130, 300))
    return {
        "vesicle_count": int(rng.integers(0, most + 1)), "ellipsoid_count": int(rng.integers(0, most + 1)),
        "tube_count": int(rng.integers(0, 2 + (area > 3))), "torus_count": int(rng.uniform() < 0.1),
        "sheet_count": int(rng.integers(0, 3)), "double_sheet_fraction": 0.5, "double_vesicle_fraction": float(rng.choice([0.0, 0.3, 0.6])),
        "membrane_gap_min": 120.0, "membrane_gap_max": 600.0, "lined_membranes": float(rng.choice([0.0, 0.0, 0.5])),
        "vesicle_radius_min": smallest, "vesicle_radius_max": smallest * float(rng.uniform(1.5, 8)),
        "membrane_roughness": float(rng.uniform(0.02, 0.2)), "membrane_proteins": float(rng.choice([0.0, 500.0, 1500.0, 4000.0])),
        # from pure lipid to membranes crowded with protein, which look as dark as ribosomes
        "membrane_amplitude": float(rng.uniform(0.5, 1.8)), "membrane_interior": float(rng.uniform(-0.15, 0.6)),
        "empty_lumen_fraction": float(rng.uniform(0.0, 1.0)), "membrane_label_half_width": 25.0,
    }


def _no_membranes() -> dict[str, Any]:
    return {"vesicle_count": 0, "ellipsoid_count": 0, "tube_count": 0, "torus_count": 0, "sheet_count": 0}


def _foreign(rng: np.random.Generator, often: float) -> dict[str, Any]:
    """Ice crystals, gold and carbon, each in the share ``often`` of the scenes, gold and carbon in half of it."""
    crystals, gold, carbon = rng.uniform(size=3) < (often, often / 2, often / 2)
    return {"contamination_count": int(rng.integers(1, 9)) if crystals else 0, "contamination_size_max": float(rng.uniform(400, 3000)),
            "gold_count": int(rng.integers(1, 8)) if gold else 0, "gold_radius_max": 80.0, "carbon_edge": bool(carbon)}


def _imaging(rng: np.random.Generator) -> dict[str, Any]:
    phase_plate = rng.uniform() < 0.12
    defocus = float(rng.uniform(0.3, 1.2)) if phase_plate else float(rng.uniform(1.0, 8.0))
    return {
        "snr": float(np.exp(rng.uniform(np.log(0.025), np.log(1.5)))), "tilt_min": -float(rng.uniform(40, 70)),
        "tilt_max": float(rng.uniform(40, 70)), "tilt_step": float(rng.choice([2.0, 3.0, 3.0])), "total_dose": float(rng.uniform(60, 160)),
        "misalignment": float(rng.choice([0.0, 5.0, 15.0])), "tilt_angle_error": float(rng.choice([0.0, 0.3])),
        "defocus_min": defocus, "defocus_max": defocus, "amplitude_contrast": 0.99 if phase_plate else float(rng.uniform(0.05, 0.12)),
        "b_factor": float(rng.uniform(50, 800)), "ctf_correction": str(rng.choice(["none", "phase_flip"])),
        "noise_before_optics": float(rng.uniform(0.1, 0.9)), "weighting": str(rng.choice(["crowther", "ramp", "sirt"])),
        "lowpass": float(rng.uniform(0.12, 0.45)),
    }

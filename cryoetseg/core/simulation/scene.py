"""The sample while it is filled: density, exact labels and what lies where; what fills it is in sample.py."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..particles.angles import from_matrices
from ..particles.table import ParticleTable
from .contamination import Foreign
from .library import Template
from .membranes import Shell, Surface
from .packing import Body
from .params import SimulationParameters

STRUCTURES = ("membrane", "actin", "microtubule", "gold", "contamination", "carbon")
SMALLEST_LABEL = 4  # voxels: smaller macromolecules are density without a label
SLAB_SHARE = 0.9


@dataclass
class Scene:
    """The grand model while it is filled. All arrays are (z, y, x).

    ``density`` is relative to protein (1); ``classes`` holds class numbers (0 background, templates from 1 in their order, then
    :data:`STRUCTURES`); ``instances`` numbers particles from 1 in the order of :meth:`table`, then filaments and gold beads;
    ``membranes`` is 1 in bilayers, also under membrane proteins; ``occupied`` is where nothing more may be placed; ``columns`` (y, x) are
    those of the field that hold sample.
    """

    parameters: SimulationParameters
    templates: Sequence[Template]
    density: NDArray[np.float32] = field(init=False)
    classes: NDArray[np.int16] = field(init=False)
    instances: NDArray[np.int32] = field(init=False)
    membranes: NDArray[np.int8] = field(init=False)
    occupied: NDArray[np.bool_] = field(init=False)
    columns: NDArray[np.bool_] = field(init=False)
    particles: list[tuple[int, NDArray[np.float64], Rotation]] = field(default_factory=list)
    surfaces: list[tuple[Surface, Shell]] = field(default_factory=list)

    def __post_init__(self) -> None:
        p = self.parameters
        shape = (p.size_z, p.size_y, p.size_x)
        self.density = np.zeros(shape, dtype=np.float32)
        self.classes = np.zeros(shape, dtype=np.int16)
        self.instances = np.zeros(shape, dtype=np.int32)
        self.membranes = np.zeros(shape, dtype=np.int8)
        self.occupied = np.zeros(shape, dtype=bool)
        self.columns = np.ones(shape[1:], dtype=bool)
        self._next_structure = 0

    @property
    def z_range(self) -> tuple[int, int]:
        """First and one past the last voxel of the ice or lamella in z."""
        p = self.parameters
        wanted = p.sample_thickness / p.voxel_size if p.sample_thickness > 0 else SLAB_SHARE * p.size_z
        height = int(np.clip(round(wanted), 1, p.size_z))
        start = (p.size_z - height) // 2
        return start, start + height

    @property
    def class_names(self) -> dict[int, str]:
        """Names of the numbers in ``classes``."""
        names = [*(template.name for template in self.templates), *STRUCTURES]
        return dict(enumerate(names, start=1))

    def class_of(self, structure: str) -> int:
        """Class number of one of :data:`STRUCTURES`."""
        return len(self.templates) + 1 + STRUCTURES.index(structure)

    def add_particle(self, template: int, centre: NDArray[np.float64], rotation: Rotation, body: Body, voxel: NDArray[np.int64]) -> None:
        """Merge a turned template into the sample; it gets a label unless it is too small for the voxel size."""
        box = body.box_at(voxel)
        self.merge(box, body.density)
        self.occupied[box] |= body.mask
        if self.is_labelled(self.templates[template]):
            self.particles.append((template, centre, rotation))
            self.classes[box][body.mask] = template + 1
            self.instances[box][body.mask] = len(self.particles)

    def is_labelled(self, template: Template) -> bool:
        """Whether a template is large enough for the voxel size to have a label of its own."""
        return template.mask_volume >= SMALLEST_LABEL * self.parameters.voxel_size**3

    def merge(self, box: tuple[slice, slice, slice], density: NDArray[np.float32]) -> None:
        """Lay ``density`` over the box: it replaces what is there in the measure that it is itself solid."""
        view = self.density[box]
        view += density - view * np.clip(density, 0, 1)

    def add_structure(
        self, kind: str, box: tuple[slice, slice, slice], density: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> None:
        """Merge a filament or a bead. Call it after all particles: structures are numbered behind them."""
        self.merge(box, density)
        self.occupied[box] |= mask
        self.classes[box][mask] = self.class_of(kind)
        self._next_structure -= 1
        self.instances[box][mask] = self._next_structure

    def add_foreign(self, kind: str, foreign: Foreign) -> None:
        """Put what is no sample in the place of what was there and give the voxels that it fills its class."""
        self.density[foreign.box] = np.where(foreign.mask, foreign.density, self.density[foreign.box])
        self.occupied[foreign.box] |= foreign.mask
        self.classes[foreign.box][foreign.mask] = self.class_of(kind)
        self.membranes[foreign.box][foreign.mask] = 0

    def finish_numbering(self) -> None:
        """Give structures, numbered downwards from -1 while particles were still coming, the numbers behind the particles'."""
        negative = self.instances < 0
        self.instances[negative] = len(self.particles) - self.instances[negative]

    def table(self) -> ParticleTable:
        """All labelled macromolecules; row i has instance number i + 1."""
        matrices = np.array([rotation.as_matrix() for _, _, rotation in self.particles]).reshape(-1, 3, 3)
        kinds = [template for template, _, _ in self.particles]
        return ParticleTable.from_points(
            np.array([centre for _, centre, _ in self.particles], dtype=float).reshape(-1, 3),
            voxel_size=self.parameters.voxel_size,
            class_id=np.array(kinds, dtype=int) + 1,
            angles=from_matrices(matrices),
            diameters=np.array([2 * self.templates[kind].radius for kind in kinds], dtype=float),
            class_names={number: name for number, name in self.class_names.items() if number <= len(self.templates)},
            tilt_series_id=self.parameters.name,
        )

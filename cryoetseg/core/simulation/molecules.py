"""The built-in macromolecules: shape, symmetry and mass of well-known complexes, modelled from their published dimensions.

Nothing is taken from a data base. Proportions follow spec D2.1 (proteasome 150 x 110 A, 26S rod 450 x 190 A, TRiC 160 x 180 A,
ferritin shell 60/40 A, hexamer ring 150 x 90 A, rubisco box 110 A, VLP shell 270/220 A, two-lobed ribosome 250-300 A).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .shapes import Solid, capsule, cylinder, ellipsoid, shell, sphere, symmetric, union

Placement = Literal["cytosol", "membrane"]


@dataclass(frozen=True)
class Molecule:
    """A macromolecule as a solid to be filled with residues.

    ``rna`` marks the denser part; ``abundance`` is the default relative number; a membrane protein's bilayer lies at z = 0 and
    its larger domain points to +z (away from the lumen).
    """

    name: str
    mass_kda: float
    symmetry: str
    body: Solid
    rna: Solid | None = None
    abundance: float = 1.0
    placement: Placement = "cytosol"


def _ribosome() -> Molecule:
    large = union(
        ellipsoid((0, 0, -38), (108, 112, 84)),
        ellipsoid((88, 0, -18), (40, 38, 34)),  # central protuberance
        capsule((40, 88, -5), (62, 142, 12), 17),  # P stalk
        capsule((30, -92, -8), (46, -128, 10), 19),  # L1 stalk
    )
    small = union(
        ellipsoid((-34, 0, 84), (76, 62, 38)),
        ellipsoid((70, 4, 78), (42, 50, 40)),  # head
        capsule((60, 40, 86), (52, 84, 90), 15),  # beak
        ellipsoid((6, -52, 68), (44, 26, 26)),  # platform
    )
    cleft = cylinder(400, 400) & ellipsoid((10, 0, 48), (90, 60, 8))
    core = union(ellipsoid((-4, 0, -34), (84, 88, 62)), ellipsoid((-34, 2, 88), (60, 46, 27)), ellipsoid((70, 4, 84), (28, 34, 26)))
    return Molecule("ribosome_80s", 3300, "C1", (large | small) - cleft, core, abundance=3.0)


def _core_particle() -> Solid:
    lobes = union(ellipsoid((20, 40, 0), (23, 20, 22)), ellipsoid((58, 38, 0), (20, 20, 21)), ellipsoid((66, 18, 0), (11, 12, 12)))
    return symmetric(lobes, "D7")


def _proteasome_26s() -> Molecule:
    cap = union(
        symmetric(ellipsoid((104, 36, 0), (24, 24, 24)), "C6"),
        ellipsoid((150, 22, 14), (34, 62, 46)),
        ellipsoid((188, 30, -20), (34, 44, 30)),
        capsule((128, 58, 26), (196, 76, 10), 17),
        sphere((170, -34, 24), 28),
    )
    return Molecule("proteasome_26s", 2500, "D1", _core_particle() | symmetric(cap, "D1"), abundance=0.6)


def _tric() -> Molecule:
    lobes = union(ellipsoid((24, 58, 0), (26, 22, 23)), ellipsoid((58, 56, 0), (22, 18, 20)), ellipsoid((76, 34, 6), (12, 22, 15)))
    return Molecule("tric", 950, "D8", symmetric(lobes, "D8"))


def _groel() -> Molecule:
    lobes = union(ellipsoid((20, 46, 0), (22, 20, 22)), ellipsoid((52, 55, 6), (20, 17, 20)))
    return Molecule("groel", 800, "D7", symmetric(lobes, "D7"))


def _p97() -> Molecule:
    lobes = union(ellipsoid((-20, 44, 0), (18, 24, 22)), ellipsoid((20, 44, 6), (19, 22, 21)), ellipsoid((26, 72, 14), (15, 16, 17)))
    return Molecule("p97", 540, "C6", symmetric(lobes, "C6"))


def _rubisco() -> Molecule:
    lobes = union(ellipsoid((20, 32, 12), (30, 24, 26)), ellipsoid((42, 16, -18), (15, 15, 16)))
    return Molecule("rubisco", 560, "D4", symmetric(lobes, "D4"))


def _virus_like_particle() -> Molecule:
    bumps = symmetric(union(sphere((252, 74, 24), 30), sphere((238, -18, 118), 30), sphere((266, 0, -20), 26)), "I")
    return Molecule("virus_like_particle", 31000, "I", (shell(258, 222) | bumps) - sphere((0, 0, 0), 220), abundance=0.03)


def _fatty_acid_synthase() -> Molecule:
    wall = symmetric(union(ellipsoid((48, 92, 0), (50, 24, 52)), ellipsoid((104, 50, 24), (22, 46, 30))), "D3")
    return Molecule("fatty_acid_synthase", 2600, "D3", wall | cylinder(40, 108, 34), abundance=0.4)


def _small_ones() -> list[Molecule]:
    ferritin = symmetric(sphere((36, 32, 14), 17), "O") | shell(58, 40)
    monomer = union(ellipsoid((8, 62, 0), (40, 50, 36)), ellipsoid((20, 104, 22), (24, 28, 20)), sphere((-24, 28, 20), 26))
    thyroglobulin = symmetric(monomer, "C2")
    galactosidase = symmetric(union(ellipsoid((30, 42, 12), (34, 44, 32)), ellipsoid((52, 20, -14), (16, 20, 20))), "D2")
    amylase = symmetric(ellipsoid((26, 25, 10), (27, 27, 27)), "D2")
    nucleosome_dna = symmetric(cylinder(20, 55, 36, z=14), "D1")
    hsp90 = symmetric(union(capsule((-34, 10, 0), (30, 40, 0), 17), sphere((50, 36, 6), 20)), "C2")
    kinase = union(sphere((17, 0, 0), 21), sphere((-17, 6, 0), 20))
    return [
        Molecule("apoferritin", 440, "O", ferritin - sphere((0, 0, 0), 39)),
        Molecule("thyroglobulin", 660, "C2", thyroglobulin),
        Molecule("beta_galactosidase", 465, "D2", galactosidase),
        Molecule("beta_amylase", 224, "D2", amylase),
        Molecule("nucleosome", 205, "D1", nucleosome_dna | cylinder(56, 36), nucleosome_dna),
        Molecule("hsp90", 150, "C2", hsp90),
        Molecule("phosphoglycerate_kinase", 47, "C1", kinase),
    ]


def _membrane_proteins() -> list[Molecule]:
    head = symmetric(ellipsoid((118, 27, 0), (42, 24, 26)), "C6")
    stalks = capsule((20, 0, 0), (100, 0, 0), 11) | capsule((20, 52, 0), (130, 58, 0), 9)
    synthase = union(head, stalks, cylinder(54, 30), ellipsoid((0, 44, 0), (26, 20, 24)))
    subunit = union(ellipsoid((92, 26, 8), (30, 24, 28)), ellipsoid((52, 20, -8), (22, 20, 24)), ellipsoid((0, 18, 0), (26, 18, 18)))
    receptor = symmetric(subunit, "C4")
    translocon = symmetric(union(ellipsoid((0, 22, 0), (26, 18, 22)), ellipsoid((-34, 18, 6), (14, 16, 18))), "C3")
    return [
        Molecule("atp_synthase", 580, "C1", synthase, placement="membrane"),
        Molecule("glutamate_receptor", 400, "C4", receptor, placement="membrane"),
        Molecule("translocon", 150, "C3", translocon, placement="membrane"),
    ]


def built_in_molecules() -> list[Molecule]:
    """The library, largest-known complexes first; class numbers follow this order."""
    return [
        _ribosome(), _proteasome_26s(), Molecule("proteasome_20s", 700, "D7", _core_particle()), _tric(), _groel(), _p97(), _rubisco(),
        _fatty_acid_synthase(), _virus_like_particle(), *_small_ones(), *_membrane_proteins(),
    ]

"""Parameters of the simulator: whole tomograms by a tilt series, and subtomograms by the fast Fourier path.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic. Lengths in Angstrom unless the unit says
otherwise, so the same values describe the same sample at every voxel size.
"""
from typing import Any, List, Literal

from pydantic import field_validator, model_validator

from ..runtime.params import Condition, Parameters, checked_file_name, other_than, parameter


def some(*counts: str, nothing: Any = 0) -> List[Condition]:
    """For ``acts_when``: where one of these numbers is not 0."""
    return [{name: other_than(nothing)} for name in counts]


BALLS, TUBES, SHEETS = some("vesicle_count", "ellipsoid_count"), some("tube_count", "torus_count"), some("sheet_count")
MEMBRANES, CLOSED = [*BALLS, *TUBES, *SHEETS], [*BALLS, *some("torus_count")]
PAIRS = [{"sheet_count": other_than(0), "double_sheet_fraction": other_than(0.0)},
         *({**ball, "double_vesicle_fraction": other_than(0.0)} for ball in BALLS)]


class SimulationParameters(Parameters):
    """One simulated tomogram: the sample, the microscope, the reconstruction."""

    # What is made
    name: str = parameter("sim", "Name of the tomogram; with several, a three-digit number is appended.", label="Name")
    count: int = parameter(1, "Number of tomograms. Each has its own random sample, drawn from the seed and its number.", ge=1, le=10000,
        label="Number")
    voxel_size: float = parameter(10.0, "Voxel size of the tomogram.", unit="A", ge=2.0, le=64.0)
    size_z: int = parameter(180, "Height of the volume, along the beam.", unit="voxels", ge=8, le=4096, label="Height (z)")
    size_y: int = parameter(512, "Depth of the volume, along the tilt axis.", unit="voxels", ge=8, le=8192, label="Depth (y)")
    size_x: int = parameter(512, "Width of the volume, across the tilt axis.", unit="voxels", ge=8, le=8192, label="Width (x)")

    # Macromolecules
    particles: str = parameter(
        "all", "Macromolecules and their relative numbers: 'all', 'none', or a list such as 'ribosome_80s:3, tric, p97:0.5'. "
        "Templates given as inputs are always added.", label="Macromolecules")
    occupancy: float = parameter(
        0.12, "Share of the volume outside membranes and empty lumens that the macromolecules shall fill; less is reached when "
        "no free place is found.", ge=0.0, le=0.4, label="Share of macromolecules")
    packing_tries: int = parameter(
        20, "Places tried for each macromolecule before it is given up.", expert=True, ge=1, le=1000, published=20,
        label="Tries of packing", acts_when={"particles": other_than("none")})
    unresolved_density: float = parameter(
        0.06, "Share of the free volume filled by small unlabelled proteins, the grainy background of a cytosol.",
        expert=True, ge=0.0, le=0.3)
    sample_thickness: float = parameter(
        0.0, "Thickness of the ice or lamella that holds the sample, centred in z; 0 takes nine tenths of the volume's height.",
        unit="A", ge=0.0)
    field_share: float = parameter(
        1.0, "Share of the field, seen along the beam, that holds sample; the rest is empty ice beside a straight edge of random "
        "direction.", ge=0.05, le=1.0, label="Share of the field with sample")

    # Membranes
    vesicle_count: int = parameter(4, "Number of spherical vesicles.", ge=0, le=1000, label="Vesicles")
    ellipsoid_count: int = parameter(2, "Number of ellipsoidal vesicles (eccentricity up to 0.75).", ge=0, le=1000,
        label="Ellipsoidal vesicles")
    tube_count: int = parameter(1, "Number of bent membrane tubes that cross the volume.", ge=0, le=100, label="Tubes")
    torus_count: int = parameter(0, "Number of membrane tori.", ge=0, le=100, label="Tori")
    sheet_count: int = parameter(1, "Number of membrane sheets that cross the volume.", ge=0, le=100, label="Sheets")
    double_sheet_fraction: float = parameter(0.5, "Probability that a sheet is a pair of parallel membranes.", expert=True, ge=0.0, le=1.0,
        label="Share of double sheets", acts_when=SHEETS)
    double_vesicle_fraction: float = parameter(
        0.0, "Probability that a vesicle is wrapped in a second membrane, as mitochondria and autophagosomes are.", expert=True,
        ge=0.0, le=1.0, label="Share of double vesicles", acts_when=BALLS)
    membrane_gap_min: float = parameter(
        120.0, "Smallest distance between the middles of a pair of membranes.", unit="A", expert=True, ge=60.0, le=2000.0,
        label="Smallest gap of a pair", acts_when=PAIRS)
    membrane_gap_max: float = parameter(
        320.0, "Largest distance between the middles of a pair of membranes.", unit="A", expert=True, ge=60.0, le=2000.0,
        label="Largest gap of a pair", acts_when=PAIRS)
    lined_membranes: float = parameter(
        0.0, "Share of the membranes that are lined with ribosomes on their outer side, as rough endoplasmic reticulum is.", expert=True,
        ge=0.0, le=1.0, acts_when=MEMBRANES)
    vesicle_radius_min: float = parameter(
        200.0, "Smallest radius of vesicles, to the middle of the bilayer.", unit="A", ge=80.0, le=10000.0,
        label="Smallest vesicle radius", acts_when=BALLS)
    vesicle_radius_max: float = parameter(
        700.0, "Largest radius of vesicles. Radii over a third of the volume's width are not drawn.", unit="A", ge=80.0, le=10000.0,
        label="Largest vesicle radius", acts_when=BALLS)
    tube_radius_min: float = parameter(150.0, "Smallest radius of tubes and tori.", unit="A", expert=True, ge=80.0, le=5000.0,
        label="Smallest tube radius", acts_when=TUBES)
    tube_radius_max: float = parameter(400.0, "Largest radius of tubes and tori.", unit="A", expert=True, ge=80.0, le=5000.0,
        label="Largest tube radius", acts_when=TUBES)
    membrane_roughness: float = parameter(
        0.08, "Low-frequency deformation of membranes, relative to their radius.", expert=True, ge=0.0, le=0.3, acts_when=MEMBRANES)
    leaflet_offset: float = parameter(
        17.0, "Distance of each leaflet's head groups from the middle of the bilayer.", unit="A", expert=True, ge=5.0, le=40.0,
        acts_when=MEMBRANES)
    leaflet_sigma: float = parameter(
        6.5, "Standard deviation of a leaflet's Gaussian profile (5 to 8).", unit="A", expert=True, ge=2.0, le=20.0, acts_when=MEMBRANES)
    membrane_amplitude: float = parameter(
        1.2, "Density of a leaflet relative to protein. The default makes membranes as dark beside ribosomes as they are in a cell; "
        "pure lipid by mass has 0.5 to 0.7.", expert=True, ge=0.05, le=3.0, published=0.6, acts_when=MEMBRANES)
    membrane_interior: float = parameter(
        0.0, "Density of the middle of the bilayer relative to protein; solvent is 0. Pure lipid tails are below it, the proteins in "
        "a cell's membranes make up for it.", expert=True, ge=-1.0, le=1.0, published=-0.15, acts_when=MEMBRANES)
    membrane_label_half_width: float = parameter(
        25.0, "Voxels within this distance of the mid-surface are membrane.", unit="A", expert=True, ge=5.0, le=100.0, acts_when=MEMBRANES)
    membrane_proteins: float = parameter(1500.0, "Membrane proteins per square micrometre of membrane.", unit="1/um2", ge=0.0, le=20000.0,
        acts_when=MEMBRANES)
    empty_lumen_fraction: float = parameter(0.6, "Share of the vesicles without macromolecules inside.", expert=True, ge=0.0, le=1.0,
        label="Share of empty vesicles", acts_when=CLOSED)

    # Filaments and gold
    actin_count: int = parameter(2, "Number of actin filaments.", ge=0, le=10000, label="Actin filaments")
    microtubule_count: int = parameter(0, "Number of microtubules.", ge=0, le=1000, label="Microtubules")
    filament_length: float = parameter(
        4000.0, "Mean length of filaments; they end where the volume ends.", unit="A", expert=True, ge=300.0, le=100000.0,
        acts_when=some("actin_count", "microtubule_count"))
    gold_count: int = parameter(
        0, "Number of gold beads. They are 12 times denser than protein and dominate the variance that the SNR refers to.", ge=0, le=1000,
        label="Gold beads")
    gold_radius_min: float = parameter(25.0, "Smallest radius of gold beads.", unit="A", expert=True, ge=5.0, le=500.0,
        label="Smallest bead radius", acts_when=some("gold_count"))
    gold_radius_max: float = parameter(50.0, "Largest radius of gold beads.", unit="A", expert=True, ge=5.0, le=500.0,
        label="Largest bead radius", acts_when=some("gold_count"))
    contamination_count: int = parameter(
        0, "Number of ice crystals that lie on both faces of the sample and float in the empty ice beside it.", ge=0, le=1000,
        label="Ice crystals")
    contamination_size_min: float = parameter(200.0, "Smallest diameter of ice crystals.", unit="A", expert=True, ge=50.0, le=20000.0,
        label="Smallest ice crystal", acts_when=some("contamination_count"))
    contamination_size_max: float = parameter(1500.0, "Largest diameter of ice crystals.", unit="A", expert=True, ge=50.0, le=20000.0,
        label="Largest ice crystal", acts_when=some("contamination_count"))
    carbon_edge: bool = parameter(
        False, "A film of carbon with the round edge of its hole lies under part of the field.", expert=True)

    # Tilt series
    tilt_min: float = parameter(-60.0, "First tilt angle; the range may be asymmetric.", unit="degrees", ge=-89.0, le=0.0,
        label="First tilt angle")
    tilt_max: float = parameter(60.0, "Last tilt angle.", unit="degrees", ge=0.0, le=89.0, label="Last tilt angle")
    tilt_step: float = parameter(3.0, "Step between tilts.", unit="degrees", ge=0.2, le=30.0, label="Step of tilts")
    tilt_order: Literal["dose_symmetric", "sequential"] = parameter(
        "dose_symmetric", "Order of recording: outwards from the middle, alternating sides, or from one end to the other.",
        label="Order of tilts", acts_when=some("total_dose", nothing=0.0))
    total_dose: float = parameter(
        100.0, "Electron dose over the whole series; high resolution fades with the dose received before (Grant and Grigorieff 2015). "
        "0 switches radiation damage off.", unit="e/A2", ge=0.0, le=1000.0, label="Total dose")
    misalignment: float = parameter(
        0.0, "Random shift of the images left by alignment, standard deviation at the largest tilt; half of it at zero tilt.",
        unit="A", ge=0.0, le=500.0, label="Misalignment")
    tilt_angle_error: float = parameter(
        0.0, "Standard deviation of the error of tilt angles (0.5 is usual).", unit="degrees", expert=True, ge=0.0, le=5.0,
        label="Error of tilt angles")

    # Optics
    optics: Literal["ctf", "none"] = parameter("ctf", "Contrast transfer function of each tilt, or images that are plain projections.",
        label="Optics")
    defocus_min: float = parameter(2.0, "Smallest underfocus of a series.", unit="um", ge=0.0, le=30.0,
        label="Smallest defocus", acts_when={"optics": "ctf"})
    defocus_max: float = parameter(5.0, "Largest underfocus of a series.", unit="um", ge=0.0, le=30.0,
        label="Largest defocus", acts_when={"optics": "ctf"})
    defocus_jitter: float = parameter(0.1, "Standard deviation of defocus between tilts.", unit="um", expert=True, ge=0.0, le=5.0,
        label="Spread of defocus", acts_when={"optics": "ctf"})
    voltage: float = parameter(300.0, "Acceleration voltage.", unit="kV", expert=True, ge=60.0, le=1500.0, acts_when={"optics": "ctf"})
    spherical_aberration: float = parameter(2.7, "Spherical aberration.", unit="mm", expert=True, ge=0.0, le=10.0,
        acts_when={"optics": "ctf"})
    amplitude_contrast: float = parameter(0.07, "Share of amplitude contrast.", expert=True, ge=0.0, lt=1.0, acts_when={"optics": "ctf"})
    b_factor: float = parameter(200.0, "Envelope of the images, exp(-B k2 / 4).", unit="A2", expert=True, ge=0.0, le=5000.0,
        label="B factor")
    ctf_correction: Literal["none", "phase_flip"] = parameter("none", "Correction of the images before reconstruction.",
        label="Correction of the CTF", acts_when={"optics": "ctf"})

    # Noise
    snr: float = parameter(
        0.1, "Signal-to-noise ratio of the tomogram: variance of the noise-free reconstruction over variance of the reconstructed noise. "
        "Exact, because reconstruction is linear. The ratio in the projections that follows from it is reported.", gt=0.0, le=1e6,
        label="Signal-to-noise ratio")
    noise_model: Literal["gaussian", "poisson"] = parameter("gaussian", "Statistics of the noise of the detector.", expert=True)
    noise_before_optics: float = parameter(
        0.5, "Share of the noise variance that passes the optics as the signal does; the rest is blurred by the detector only.",
        expert=True, ge=0.0, le=1.0, published=0.5, label="Noise before the optics")
    mean_free_path: float = parameter(
        3500.0, "Inelastic mean free path in ice: higher tilts are thicker and noisier.", unit="A", expert=True, ge=500.0, le=20000.0,
        label="Mean free path")

    # Reconstruction
    weighting: Literal["crowther", "ramp", "sirt"] = parameter(
        "crowther", "Weighting of the back-projection: a ramp that levels off where neighbouring tilts no longer overlap, a plain ramp, or "
        "the filter that gives what ten rounds of SIRT give.")
    lowpass: float = parameter(
        0.2, "Frequency where the roll-off of the images starts; it reaches 0 at 0.5. The default gives the noise of binned tomograms.",
        unit="1/voxel", expert=True, ge=0.05, le=0.5, label="Roll-off")
    half_maps: Literal["none", "tilts", "frames"] = parameter(
        "none", "Two extra reconstructions with independent noise: from odd and even tilts, or from two halves of each tilt's frames.",
        label="Half maps")
    contrast: Literal["dark", "bright"] = parameter(
        "dark", "How particles look in the written reconstruction. The grand model is always bright.")
    write_tilt_series: bool = parameter(False, "Also write the tilt images and their angles.", expert=True, label="Write the tilt series")

    _name = field_validator("name")(checked_file_name)

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> "SimulationParameters":
        for stem in ("vesicle_radius", "tube_radius", "gold_radius", "membrane_gap", "contamination_size", "defocus", "tilt"):
            if getattr(self, stem + "_min") > getattr(self, stem + "_max"):
                raise ValueError(f"{stem}_min is larger than {stem}_max")
        return self


class SimulateParameters(SimulationParameters):
    """Simulated tomograms, and how many are made at once."""

    processes: int = parameter(
        0, "Processes that simulate tomograms at once, each on one core; 0 takes as many as there are cores and memory for.", expert=True,
        ge=0, le=1024, keeps_result="it changes time and memory")


class SubtomogramParameters(Parameters):
    """Subtomograms with masks by the fast Fourier path: wedge, CTF and noise without a tilt series."""

    name: str = parameter("sub", "Prefix of the written files.")
    count: int = parameter(100, "Number of subtomograms; the classes take turns.", ge=1, le=1000000, label="Number")
    particles: str = parameter("all", "Macromolecules: 'all' or a list such as 'ribosome_80s, tric'.", label="Macromolecules")
    size: int = parameter(32, "Side of a subtomogram.", unit="voxels", ge=8, le=256, published=32)
    voxel_size: float = parameter(10.0, "Voxel size.", unit="A", ge=2.0, le=64.0, published=10)
    neighbours: int = parameter(4, "Neighbouring macromolecules that crowd the target.", ge=0, le=20, published=4)
    max_shift: int = parameter(8, "Largest random shift of the target from the middle, per axis.", unit="voxels", ge=0, le=64, published=8)
    snr: float = parameter(
        0.05, "Signal-to-noise ratio: variance of the signal after CTF and wedge over variance of the noise.", gt=0.0, le=1e6,
        label="Signal-to-noise ratio")
    tilt_min: float = parameter(-60.0, "Start of the tilt range that is not missing.", unit="degrees", ge=-89.0, le=0.0,
        label="First tilt angle")
    tilt_max: float = parameter(60.0, "End of the tilt range that is not missing.", unit="degrees", ge=0.0, le=89.0,
        label="Last tilt angle")
    defocus: float = parameter(5.0, "Underfocus.", unit="um", ge=0.0, le=30.0, published=5)
    voltage: float = parameter(300.0, "Acceleration voltage.", unit="kV", expert=True, ge=60.0, le=1500.0)
    spherical_aberration: float = parameter(2.0, "Spherical aberration.", unit="mm", expert=True, ge=0.0, le=10.0, published=2)
    amplitude_contrast: float = parameter(0.0, "Share of amplitude contrast.", expert=True, ge=0.0, lt=1.0, published=0)
    envelope: float = parameter(
        0.4, "Envelope exp(-(k / (envelope x Nyquist))2).", unit="Nyquist", expert=True, gt=0.0, le=10.0, published=0.4)
    noise_before_optics: float = parameter(
        0.5, "Share of the noise variance added before CTF and wedge.", expert=True, ge=0.0, le=1.0, published=0.5,
        label="Noise before the optics")
    contrast: Literal["dark", "bright"] = parameter("dark", "How particles look in the written subtomograms.")

    _name = field_validator("name")(checked_file_name)

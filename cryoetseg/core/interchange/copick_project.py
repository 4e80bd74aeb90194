"""copick projects on this machine: what they hold, where it lies, and what of it a URI names.

The layout is copick's (copick.readthedocs.io, "Data model"); the library itself is not needed. A project may have two roots: the
overlay, which is written, and a static one, which is only read. Projects elsewhere (S3, SSH, the data portal) are fetched first.

Imported by Scipion's own interpreter: valid Python 3.8, standard library only.
"""
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional
from urllib.parse import unquote, urlsplit

from ..runtime.errors import InputError
from ..runtime.files import read_json

PREFIX = "copick:"
RUNS, PICKS, MESHES = "ExperimentRuns", "Picks", "Meshes"
SEGMENTATIONS = {"Segmentations": "", "InstanceSegmentations": "instance"}  # folder and type; the suffix below tells the third
MULTILABEL = "-multilabel"
SPACING = re.compile(r"VoxelSpacing(\d+\.\d+)")
HOW_TO_FETCH = "fetch what you need with: cryoetseg data fetch 'copick:{}?TYPE@VOXELSIZE' --out FOLDER"
NUMBERS: "Dict[str, tuple[type, ...]]" = {"label": (int,), "radius": (int, float)}  # of an object; null and missing ones are 0
LOCAL_SCHEMES = ("", "local", "file")


@dataclass(frozen=True)
class Entry:
    """One tomogram, list of picks or segmentation of a run. ``name`` is the tomogram's type, the object or the segmentation's name;
    ``voxel_size`` in Angstrom, None for picks; ``labels`` is ``""``, ``multilabel`` or ``instance``."""

    run: str
    name: str
    path: Path
    voxel_size: Optional[float] = None
    user: str = ""
    session: str = ""
    labels: str = ""

    @property
    def uri(self) -> str:
        """The name that copick's own commands use."""
        by = f":{self.user}/{self.session}" if self.user else ""
        return f"{self.name}{by}" + (f"@{self.voxel_size:g}" if self.voxel_size else "")


class Pattern(NamedTuple):
    """Parts of a URI, each a pattern in which * stands for anything."""

    name: str = "*"
    user: str = "*"
    session: str = "*"
    voxel_size: str = "*"


@dataclass(frozen=True)
class Project:
    """A project's configuration and its roots on this machine, the overlay first."""

    file: Path
    content: Dict[str, Any]
    roots: List[Path]

    def objects(self) -> Dict[str, Dict[str, Any]]:
        """The objects that can be picked or segmented, by name."""
        return {str(item["name"]): item for item in self.content.get("pickable_objects", [])}

    def run_names(self, pattern: str = "*") -> List[str]:
        """The runs whose name fits ``pattern``, sorted."""
        listed = self.content.get("runs")
        found = listed or [path.name for root in self.roots for path in root.glob(f"{RUNS}/*") if path.is_dir()]
        return sorted({name for name in found if fnmatchcase(name, pattern) and not name.startswith(".")})

    def tomograms(self, pattern: Pattern, runs: str = "*") -> List[Entry]:
        """Tomograms of type ``name`` at ``voxel_size``, finest first within a run."""
        found = []
        for run in self.run_names(runs):
            for path in self._of_run(run, "VoxelSpacing*/*.zarr"):
                spacing = SPACING.fullmatch(path.parent.name)
                if spacing and fnmatchcase(path.stem, pattern.name) and not path.stem.endswith("_features"):
                    found.append(Entry(run, path.stem, path, float(spacing[1])))
        return sorted(_chosen(found, pattern), key=lambda entry: (entry.run, entry.voxel_size, entry.name))

    def picks(self, pattern: Pattern, runs: str = "*") -> List[Entry]:
        """Lists of picks of the object ``name`` by ``user`` in ``session``."""
        found = []
        for run in self.run_names(runs):
            for path in self._of_run(run, f"{PICKS}/*.json"):
                user, session, name = [*path.stem.split("_", 2), "", ""][:3]
                found.append(Entry(run, name, path, None, user, session))
        return sorted(_chosen(found, pattern), key=lambda entry: (entry.run, entry.uri))

    def segmentations(self, pattern: Pattern, runs: str = "*") -> List[Entry]:
        """Segmentations ``name`` by ``user`` in ``session`` at ``voxel_size``."""
        found = []
        for run in self.run_names(runs):
            for folder, labels in SEGMENTATIONS.items():
                for path in self._of_run(run, f"{folder}/*.zarr"):
                    spacing, user, session, name = [*path.stem.split("_", 3), "", "", ""][:4]
                    if re.fullmatch(r"\d+\.\d+", spacing) and name:
                        kind = "multilabel" if name.endswith(MULTILABEL) else labels
                        name = name[:-len(MULTILABEL)] if kind == "multilabel" else name
                        found.append(Entry(run, name, path, float(spacing), user, session, kind))
        return sorted(_chosen(found, pattern), key=lambda entry: (entry.run, entry.uri))

    def run_folder(self, run: str) -> Path:
        """Where results of ``run`` are written."""
        return self.roots[0] / RUNS / run

    def _of_run(self, run: str, pattern: str) -> List[Path]:
        """Files of a run in all roots; what the overlay has hides the same of the static root."""
        found: Dict[str, Path] = {}
        for root in self.roots:
            folder = root / RUNS / run
            for path in sorted(folder.glob(pattern)):
                if not path.name.startswith("."):
                    found.setdefault(str(path.relative_to(folder)), path)
        return list(found.values())


def _chosen(entries: List[Entry], pattern: Pattern) -> List[Entry]:
    return [entry for entry in entries if fnmatchcase(entry.name, pattern.name) and fnmatchcase(entry.user, pattern.user)
            and fnmatchcase(entry.session, pattern.session) and _same_size(entry.voxel_size, pattern.voxel_size)]


def fits(tomogram_type: str, voxel_size: float, pattern: Pattern) -> bool:
    """Whether a tomogram is one that a URI names."""
    return fnmatchcase(tomogram_type, pattern.name) and _same_size(voxel_size, pattern.voxel_size)


def _same_size(voxel_size: Optional[float], wanted: str) -> bool:
    """copick names folders with three decimals, people write 10, 10.0 or 10.012."""
    if wanted == "*" or voxel_size is None:
        return True
    try:
        return abs(voxel_size - float(wanted)) < 6e-4
    except ValueError:
        raise InputError(f"voxel size '{wanted}' in a copick URI", "a number of Angstrom, for example denoised@10.0") from None


def read_project(path: Path) -> Project:
    """Read a project's configuration. Raises :class:`InputError` when it is none or its data lie on another machine."""
    content = read_json(path)
    for told, fits_there in _what_is_read(content).items():
        if not fits_there:
            raise InputError(f"{path}: {told} is missing or not of its kind", "the configuration of a copick project", "name its JSON file")
    kind = content.get("config_type", "filesystem")
    if kind != "filesystem":
        raise InputError(f"{path} is a copick project of type {kind}", "a project of files on this machine", HOW_TO_FETCH.format(path))
    roots = [_local(path, str(content[key])) for key in ("overlay_root", "static_root") if content.get(key)]
    if not roots:
        raise InputError(f"{path}: field overlay_root is missing", "the folder of the project's data")
    return Project(path, content, list(dict.fromkeys(roots)))


def _what_is_read(content: Dict[str, Any]) -> Dict[str, bool]:
    """The fields that are read here, and whether each is what copick writes there."""
    objects, runs = content.get("pickable_objects"), content.get("runs") or []
    items = [item for item in objects if isinstance(item, dict) and isinstance(item.get("name"), str)] if isinstance(objects, list) else []
    numbered = all(isinstance(item.get(field) or 0, kinds) for item in items for field, kinds in NUMBERS.items())
    return {"field pickable_objects": isinstance(objects, list) and len(items) == len(objects),
            "a label or radius in pickable_objects": numbered,
            "field runs": isinstance(runs, list) and all(isinstance(name, str) for name in runs)}


def _local(config: Path, root: str) -> Path:
    """The folder that a root names; a relative one counts from the configuration's folder."""
    parts = urlsplit(root) if "://" in root else None
    if parts and parts.scheme not in LOCAL_SCHEMES:
        raise InputError(f"{config}: the data lie at {root}", "a project of files on this machine", HOW_TO_FETCH.format(config))
    folder = Path(unquote(root.split("://", 1)[1]) if parts else root).expanduser()
    return (folder if folder.is_absolute() else config.absolute().parent / folder).absolute()


def parse_uri(text: str) -> "tuple[Path, str, str]":
    """Configuration, URI of an object and pattern of runs in ``copick:CONFIG.json?URI&run=PATTERN``; the last two may be missing."""
    config, _, query = text[len(PREFIX):].partition("?")
    uri, runs = "", "*"
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if name == "run" and equals:
            runs = value
        elif uri or equals:
            raise InputError(f"'{part}' in {text}", "copick:CONFIG.json?TYPE@VOXELSIZE&run=NAME",
                             "put the whole in quotation marks: the shell takes & and ? for itself")
        else:
            uri = part
    return Path(config), uri, runs


def parse_pattern(uri: str) -> Pattern:
    """The parts of NAME:USER/SESSION@VOXELSIZE; missing ones stand for anything."""
    rest, _, voxel_size = uri.partition("@")
    name, _, by = rest.partition(":")
    user, _, session = by.partition("/")
    return Pattern(name or "*", user or "*", session or "*", voxel_size or "*")


def sanitised(name: str) -> str:
    """``name`` as copick allows it: no spaces, underscores, slashes and the like."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1F\x7F\s_]', "-", name).strip("-") or "unnamed"


def project_json(content: Dict[str, Any]) -> str:
    """The text of a configuration."""
    return json.dumps(content, indent=4) + "\n"

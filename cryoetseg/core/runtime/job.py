"""The two files that join every front end to the core: ``job.json`` goes in, ``result.json`` comes out.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Type, TypeVar, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import Annotated

from .errors import CryoetsegError, JobError
from .files import read_json, write_text

JOB_FILE, RESULT_FILE = "job.json", "result.json"
LEAST_SEED, LARGEST_SEED = -(2**63), 2**64 - 1  # what torch takes
MODEL_CARD = "card.json"  # makes a folder a model; holds the checksum of its weights
Record = TypeVar("Record", bound=BaseModel)


def _text(value: str) -> str:
    """Names go into JSON, STAR and CSV, which are UTF-8; raised here, before anything runs."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise JobError(f"the name {value.encode(errors='backslashreplace').decode()} is not in UTF-8", "names in UTF-8",
                       "rename the file or folder, for instance with convmv") from None
    return value


def _all_text(values: Dict[str, Any]) -> Dict[str, Any]:
    _text(json.dumps(values, ensure_ascii=False, default=str))
    return values


def _folder(value: str) -> str:
    if not value.strip():
        raise JobError("the output folder has no name", "the name of a folder", "name one; . is the current one")
    return value


def _seed(value: int) -> int:
    if not LEAST_SEED <= value <= LARGEST_SEED:
        raise JobError(f"seed = {value}", f"whole numbers from {LEAST_SEED} to {LARGEST_SEED}", "give a smaller one")
    return value


Text = Annotated[str, AfterValidator(_text)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class InputFile(_Strict):
    """One input of a job. ``voxel_size`` (Angstrom) overrides the file's header; ``contrast`` tells how particles look."""

    path: Text
    role: str = "tomogram"
    voxel_size: Optional[float] = None
    tilt_series_id: Text = ""
    contrast: str = "dark"


class Job(_Strict):
    """What to do: a method's name, its parameters, its inputs, where the results go."""

    method: str
    parameters: Annotated[Dict[str, Any], AfterValidator(_all_text)] = Field(default_factory=dict)
    inputs: List[InputFile] = Field(default_factory=list)
    output_folder: Annotated[str, AfterValidator(_text), AfterValidator(_folder)]
    seed: Annotated[int, AfterValidator(_seed)] = 0
    device: str = "auto"

    def inputs_of(self, role: str) -> List[InputFile]:
        """The inputs that play ``role``, in order."""
        return [item for item in self.inputs if item.role == role]

    def input_of(self, role: str) -> InputFile:
        """The one input that plays ``role``; raises :class:`JobError` when there is none or there are several."""
        items = self.inputs_of(role)
        if len(items) != 1:
            raise JobError(f"{len(items)} inputs have the role '{role}'", "exactly one")
        return items[0]


def model_folder(folder: Union[str, Path]) -> Path:
    """The folder with a model's card: ``folder`` itself, or ``folder/model`` as a training lays it out."""
    folder = Path(folder)
    inner = folder / "model"
    return inner if not (folder / MODEL_CARD).exists() and (inner / MODEL_CARD).exists() else folder


class Output(_Strict):
    """One file or folder a job made. ``path`` is relative to the folder of ``result.json`` so that projects can be moved.

    ``size`` (bytes) and ``sha256`` (of a folder: see ``checksums.checksum``) are filled in by the runner when all is written.
    """

    kind: str
    path: str
    voxel_size: Optional[float] = None
    tilt_series_id: str = ""
    size: Optional[int] = None
    sha256: str = ""


class MethodOutcome(_Strict):
    """What a method hands back to the runner."""

    outputs: List[Output] = Field(default_factory=list)
    metrics: Dict[str, Any] = Field(default_factory=dict)
    warnings: List[str] = Field(default_factory=list)


class Result(_Strict):
    """The record of a finished job. ``working_folder`` is where its relative paths start from, also those of ``command``."""

    method: str
    job: Dict[str, Any]
    outputs: List[Output]
    metrics: Dict[str, Any]
    warnings: List[str] = Field(default_factory=list)
    seconds: float
    peak_memory_bytes: int
    device: str
    versions: Dict[str, str]
    sha256: Dict[str, str]
    command: List[str]
    working_folder: str = ""

    def outputs_of(self, kind: str) -> List[Output]:
        """The outputs of one ``kind``, in order."""
        return [item for item in self.outputs if item.kind == kind]


def read_job(path: Union[str, Path]) -> Job:
    """Read and check a job file; raises :class:`JobError`."""
    return _read(Job, path)


def write_job(path: Union[str, Path], job: Job) -> None:
    """Write a job file atomically."""
    write_text(path, job.model_dump_json(indent=2) + "\n")


def read_result(path: Union[str, Path]) -> Result:
    """Read and check a result file; raises :class:`JobError`."""
    return _read(Result, path)


def write_result(path: Union[str, Path], result: Result) -> None:
    """Write a result file atomically."""
    write_text(path, result.model_dump_json(indent=2) + "\n")


def _read(model: Type[Record], path: Union[str, Path]) -> Record:
    try:
        return model(**read_json(path))
    except ValidationError as error:
        details = "; ".join(".".join(map(str, item["loc"])) + f": {item['msg']}" for item in error.errors())
        raise JobError(f"{path} is not a {model.__name__.lower()} file: {details}") from error
    except CryoetsegError as error:
        raise JobError(f"cannot use {path} as a {model.__name__.lower()} file: {error.got}", error.allowed) from error

"""Does a parameter do what its model says: change what is found, or leave it as it is and say why?

A method is run on a small scene, again with one parameter changed, and the results are compared by content. What a parameter needs of
others (``acts_when``) is set first, in both runs.
"""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import mrcfile
import numpy as np

from cryoetseg.core.methods import parameters_model, run_job
from cryoetseg.core.runtime.errors import CryoetsegError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.runtime.params import FieldDescription, Need, describe

RECORDS = {"job.json", "result.json"}
PICTURES = {".png", ".svg"}
REFUSED = "refused:"
ROUNDING = 1e-3  # of the losses of a training of few steps


@dataclass(frozen=True)
class Case:
    """A method on a scene. ``variants`` are alternative inputs or settings in one of which a parameter must act; ``tried`` are values for
    parameters whose half or double need not tell; ``unseen`` are parameters that this scene cannot show, and why; ``compared`` tells what
    two runs, folder and metrics each, are compared by."""

    method: str
    inputs: Sequence[InputFile] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    variants: Sequence[tuple[Sequence[InputFile], Mapping[str, Any]]] = ((), {}),  # type: ignore[assignment]
    tried: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    compared: Callable[[Path, Mapping[str, Any]], str] = field(default=lambda *found: everything_written(*found))


class Outcome(NamedTuple):
    """What came of a run: a digest of what it is compared by, or its typed refusal; and where it wrote."""

    told: str
    folder: Path

    @property
    def is_refused(self) -> bool:
        return self.told.startswith(REFUSED)


class Acting:
    """Runs of one case, each done once."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case, self._folder, self._known = case, folder, {}  # type: ignore[var-annotated]
        self.fields = {item.name: item for item in describe(parameters_model(case.method))}

    def verdict(self, name: str) -> str:
        """What is wrong with a parameter; empty where it acts, or stays without effect and says why."""
        item = self.fields[name]
        seen: list[str] = []
        acts = any(self._acts(item, inputs, values, seen)
                   for inputs, values in self._case.variants for values in self._fulfilled(item, values))
        if item.keeps_result:
            return f"{name} acts, though it says: {item.keeps_result}" if acts else ""
        return "" if acts else f"{name} changes nothing: {'; '.join(dict.fromkeys(seen))}"

    def _acts(self, item: FieldDescription, inputs: Sequence[InputFile], values: dict[str, Any], seen: list[str]) -> bool:
        """Whether another value of the parameter changes the outcome, or lets a refused run pass; what else came goes to ``seen``."""
        before = self._outcome(inputs, values)
        if before.is_refused:
            seen.append(f"before any change {before.told}")
        for value in self._alternatives(item, values):
            after = self._outcome(inputs, {**values, item.name: value})
            if not after.is_refused and _differ(before, after, item.keeps_result):
                return True
            seen.append(f"{value} {after.told if after.is_refused else 'is the same'}")
        return False

    def _alternatives(self, item: FieldDescription, values: Mapping[str, Any]) -> Iterator[Any]:
        present = values.get(item.name, item.default)
        candidates = self._case.tried.get(item.name) or list(_others(item, present))
        return (value for value in candidates if value != present)

    def _fulfilled(self, item: FieldDescription, variant: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The settings in which the parameter acts by its own account, for each of its alternative needs."""
        settings = {**self._case.values, **variant}
        everything = {name: settings.get(name, other.default) for name, other in self.fields.items()}
        for alternative in item.needs or ((),):
            needed = {need.name: self._value_for(need) for need in alternative if not need.holds(everything)}
            deeper = {name: value for one in needed for name, value in self._needs_of(one, {**everything, **needed}).items()}
            yield {**settings, **deeper, **needed}

    def _needs_of(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a needed parameter itself needs; its first alternative."""
        needs = self.fields[name].needs
        return {need.name: self._value_for(need) for need in (needs[0] if needs else ()) if not need.holds(dict(values))}

    def _value_for(self, need: Need) -> Any:
        if not need.is_other:
            return need.values[0]
        tried = self._case.tried.get(need.name) or _others(self.fields[need.name], need.values[0])
        return next(value for value in tried if value not in need.values)

    def _outcome(self, inputs: Sequence[InputFile], values: Mapping[str, Any]) -> Outcome:
        key = json.dumps([[item.path for item in inputs], values], sort_keys=True)
        if key not in self._known:
            folder = self._folder / str(len(self._known))
            job = Job(method=self._case.method, parameters=dict(values), inputs=[*self._case.inputs, *inputs], output_folder=str(folder),
                      device="cpu")
            try:
                metrics = run_job(job).metrics
                self._known[key] = Outcome(self._case.compared(folder, metrics), folder)
            except CryoetsegError as error:
                self._known[key] = Outcome(f"{REFUSED} {error}", folder)
        return self._known[key]


def _differ(before: Outcome, after: Outcome, keeps_result: str) -> bool:
    """Whether two runs found or learned other things; bit for bit, unless the parameter speaks of rounding."""
    if before.is_refused or "rounding" not in keeps_result:
        return before.told != after.told
    tables = [sorted(outcome.folder.glob("**/metrics.csv")) for outcome in (before, after)]
    first, second = (np.concatenate([np.genfromtxt(path, delimiter=",", skip_header=1).ravel() for path in paths]) for paths in tables)
    return not np.allclose(first, second, rtol=ROUNDING, equal_nan=True)


def _others(item: FieldDescription, present: Any) -> Iterator[Any]:
    """Values of a parameter beside the present one, likely ones first."""
    if item.kind is bool:
        yield not present
    elif item.choices:
        yield from (choice for choice in item.choices if choice != present)
    elif item.kind in (int, float):
        steps = [present * 2, present / 2, present + 1, *(bound for bound in (item.lower, item.upper) if bound is not None)]
        inside = (value for value in steps if (item.lower is None or value >= item.lower) and (item.upper is None or value <= item.upper))
        yield from (item.kind(value) for value in inside)


def everything_written(folder: Path, metrics: Mapping[str, Any]) -> str:
    """A digest of metrics and files; pictures and records are left out."""
    digest = hashlib.sha256(json.dumps(metrics, sort_keys=True, default=str).encode())
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        if path.name in RECORDS or path.suffix in PICTURES:
            continue
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(_voxels(path) if path.suffix == ".mrc" else path.read_bytes())
    return digest.hexdigest()


def what_was_learned(folder: Path, metrics: Mapping[str, Any]) -> str:
    """A digest of the weights and the names of classes of all models and of the tables of the trainings; the rest of their cards, which
    repeat the parameters, is left out."""
    cards = [json.loads(path.read_text()) for path in sorted(folder.glob("**/model*/card.json"))]
    digest = hashlib.sha256(json.dumps([card.get("classes") for card in cards]).encode())
    for path in sorted([*folder.glob("**/model*/**/*.safetensors"), *folder.glob("**/metrics.csv")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _voxels(path: Path) -> bytes:
    """The data without the header, whose labels hold the time."""
    with mrcfile.open(path) as file:
        return np.ascontiguousarray(file.data).tobytes()

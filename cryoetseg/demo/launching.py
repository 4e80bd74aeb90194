"""Runs of the demo's project: made, continued after an interruption, waited for, and kept when they are finished."""
import math
import os
import sys
import time
from pathlib import Path
from typing import Any, Dict

from cryoetseg.core.runtime.errors import JobError

PROTOCOL_VIEW = "Tomography"  # the menu that the window opens with
POLL_SECONDS, REPORT_SECONDS = 1.0, 20.0


def open_project(name: str) -> Any:
    """The project ``name``, made where there is none; goes into its folder, as Scipion wants."""
    from pyworkflow.project import Manager

    manager = Manager()
    if manager.hasProject(name):
        return manager.loadProject(name)
    manager.createProject(name)
    project = manager.loadProject(name)
    project.getSettings().setProtocolView(PROTOCOL_VIEW)
    project.saveSettings()
    return project


def finished(project: Any, protocol_class: Any, label: str, values: Dict[str, Any]) -> Any:
    """The run called ``label`` with these values, finished: kept when it was, continued when it had begun, else made.

    A value ``(run, output name)`` is an input. Raises :class:`JobError` when the values are refused, before anything is stored, and when
    the run fails.
    """
    from pyworkflow.protocol import MODE_RESUME

    run = next((item for item in project.getRuns() if item.getObjLabel() == label and has_values(item, values)), None)
    if run is not None and run.isFinished():
        _tell(f"{label}: already done")
        return run
    if run is None:
        run = new_run(project, protocol_class, label, values)
    errors = run.validate()
    if errors:
        raise JobError(f"{label}: {' '.join(errors)}")
    project.saveProtocol(run)
    if not (run.isActive() and project.checkPid(run)):
        _tell(f"{label}: starts")
        run.runMode.set(MODE_RESUME)
        project.launchProtocol(run, wait=False)
    _wait(project, run, label)
    return run


def new_run(project: Any, protocol_class: Any, label: str, values: Dict[str, Any]) -> Any:
    """A run with these values that is not stored yet."""
    pointers = {name: value for name, value in values.items() if isinstance(value, tuple)}
    run = project.newProtocol(protocol_class, **{name: value for name, value in values.items() if name not in pointers})
    for name, (source, output) in pointers.items():
        getattr(run, name).set(source)
        getattr(run, name).setExtended(output)
    run.setObjLabel(label)  # a label given to newProtocol is overwritten
    return run


def has_values(run: Any, values: Dict[str, Any]) -> bool:
    """Whether a run was made with these values; with others it is another run, whatever it is called."""
    for name, value in values.items():
        attribute = getattr(run, name, None)
        if isinstance(value, tuple):
            source = attribute.getObjValue()
            found: Any = (source.getObjId() if source is not None else None, attribute.getExtended())
            value = (value[0].getObjId(), value[1])
        else:
            found = None if attribute is None else attribute.get()
        # numbers come back from the project's database rounded
        same = math.isclose(found, value, rel_tol=1e-6) if isinstance(value, float) and isinstance(found, float) else found == value
        if not same:
            return False
    return True


def _wait(project: Any, run: Any, label: str) -> None:
    """Wait for a run and say now and then how far it is; raises :class:`JobError` with the end of its log when it fails."""
    begin = reported = time.monotonic()
    while run.isActive() and project.checkPid(run):
        time.sleep(POLL_SECONDS)
        project._updateProtocol(run)
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            _tell(f"{label}: {run.getStatusMessage()}, {reported - begin:.0f} s")
    # pyworkflow can call a run dead that ended while it was looked at, and believes so from then on: look again, afresh
    time.sleep(POLL_SECONDS)
    run.lastUpdateTimeStamp.set(None)
    project._updateProtocol(run)
    if not run.isFinished():
        log = os.path.abspath(run.getStderrLog())
        raise JobError(f"{label} failed: {run.getErrorMessage()}. {_last_line(log)}", advice=f"see {log}, then run the same command again")
    _tell(f"{label}: done in {time.monotonic() - begin:.0f} s")


def _last_line(log: str) -> str:
    """The last message of the program that a log holds."""
    lines = Path(log).read_text(errors="replace").splitlines() if os.path.isfile(log) else []
    return next((line for line in reversed(lines) if line.startswith("error:")), "")


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()

"""What tests of windows share: runs with ready outputs, clicks as matplotlib gets them, the run that a button has launched."""
from matplotlib.backend_bases import MouseEvent
from scipion_environment import log_of


def run_with(project, protocol_class, **outputs):
    """A finished run of a protocol with ready outputs, stored in the project."""
    run = project.newProtocol(protocol_class)
    project.saveProtocol(run)
    for name, output in outputs.items():
        run._defineOutputs(**{name: output})
    run.setFinished()
    run._store()
    project.mapper.commit()
    return run


def latest(project, protocol_class):
    """The last finished run of a protocol."""
    run = [item for item in project.getRuns() if isinstance(item, protocol_class)][-1]
    assert run.isFinished(), log_of(run)
    return run


def clicked(window, row, column):
    """A press of the left mouse button at a voxel of the shown slice, as matplotlib gets it from the screen."""
    x, y = window.axes.transData.transform((column, row))
    window.figure.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", window.figure.canvas, x, y, 1))

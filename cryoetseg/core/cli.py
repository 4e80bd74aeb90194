"""The command line ``cryoetseg``. Each command builds a job and runs it, exactly as Scipion does.

Commands are loaded one by one when they are asked for, so that ``--help`` answers at once; torch comes in only when a job runs.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from .runtime.errors import ERROR_FILE, CryoetsegError, InputError, MemoryLimitError, ParameterError, lacks_memory
from .runtime.files import write_text

logger = logging.getLogger(__name__)
COMMANDS = ("pipeline", "segment", "simulate", "evaluate", "pick", "particles", "membranes", "train", "voxuda", "dual", "generate",
            "export", "data", "weights", "run", "batch", "info")
INTERRUPTED, UNEXPECTED = 130, 70
# what a disk, a name or permissions may be the reason of, and not the program
OUTSIDE_REASONS = {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT,
                   errno.EIO, errno.ESTALE}  # fmt: skip


class CommandsOnDemand(TyperGroup):
    """A command group that imports ``commands/<name>.py`` when that command is asked for, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command called ``cmd_name``, or None, which typer turns into "no such command"."""
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(f".commands.{cmd_name}", __package__).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=CommandsOnDemand,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from cryoetseg import __version__

        typer.echo(f"cryoetseg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Cryo-electron tomography: segment membranes and pick particles without labels, simulate, evaluate.

    Every command writes job.json and result.json beside its results; the same command given again is not repeated.
    Lengths are in Angstrom unless a name ends in -px. COMMAND --help lists every option with unit and default.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 when all went well, else the error's own code and one line on standard error.

    A single job file is accepted in place of a command: ``cryoetseg job.json`` is ``cryoetseg run job.json``.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0].endswith(".json"):
        arguments.insert(0, "run")
    sys.exit(exit_code_of(app, arguments, "cryoetseg"))


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Unwind the stack, so that unfinished temporary files are removed; the exit code is that of the signal, as in a shell."""
    sys.exit(128 + number)


def exit_code_of(application: typer.Typer, arguments: list[str], name: str) -> int:
    """Run a typer application; every error becomes one line on standard error and an exit code, the traceback on ``--verbose``."""
    verbose = "--verbose" in arguments
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants a run to outlive its terminal
            signal.signal(number, _terminate)
    try:
        _refuse_empty_folder(arguments)
        code = application(args=arguments, prog_name=name, standalone_mode=False) or 0
        return _say_interrupted() if code == INTERRUPTED else code
    except CryoetsegError as error:
        return _explain_memory(error, verbose) if lacks_memory(error) else _complain(error, str(error), error.exit_code, verbose)
    except typer.TyperException as error:
        return _complain(error, f"{error.format_message()} What to do: add --help to see what is allowed.", error.exit_code, verbose)
    except (KeyboardInterrupt, typer.Abort):
        return _say_interrupted()
    except BrokenPipeError:
        return _silence_output()
    except Exception as error:  # the last resort of the program: one line for users, the traceback on request
        return _explain_unexpected(error, verbose)


def _explain_unexpected(error: Exception, verbose: bool) -> int:
    if lacks_memory(error):
        return _explain_memory(error, verbose)
    if isinstance(error, OSError) and error.errno in OUTSIDE_REASONS and error.filename is not None:
        outside = InputError(f"cannot use {error.filename}: {error.strerror}",
                             "a file or folder that this user may use, under a name of at most 255 bytes",
                             "check the path, its permissions and the disk")
        return _complain(error, str(outside), outside.exit_code, verbose)
    advice = "What to do: run again with --verbose and report what it prints."
    return _complain(error, f"unexpected {type(error).__name__}: {_one_line(error)}. {advice}", UNEXPECTED, verbose)


def _explain_memory(error: Exception, verbose: bool) -> int:
    if isinstance(error, MemoryLimitError):
        return _complain(error, str(error), error.exit_code, verbose)
    limit = MemoryLimitError(
        f"out of memory: {error.got if isinstance(error, CryoetsegError) else _one_line(error)}",
        "a job that fits into memory",
        "choose a smaller z range or tile, fewer --workers, or a machine with more memory",
    )
    return _complain(error, str(limit), limit.exit_code, verbose)


def _refuse_empty_folder(arguments: list[str]) -> None:
    """An unset variable in a script must not mean the current folder, as an empty path would."""
    for word, value in zip(arguments, [*arguments[1:], "-"]):
        if word == "--out=" or (word == "--out" and not value.strip()):
            raise ParameterError("--out is empty", "the name of a folder or file", "name one; . is the current folder")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no message"


def _complain(error: BaseException, message: str, code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    line = f"error: {' '.join(message.split())}\n"
    sys.stderr.write(line)
    if os.environ.get(ERROR_FILE):
        with contextlib.suppress(OSError):  # the line is on standard error already
            write_text(os.environ[ERROR_FILE], line)
    return code


def _say_interrupted() -> int:
    sys.stderr.write("error: interrupted. What to do: run the same command again; finished files are kept.\n")
    return INTERRUPTED


def _silence_output() -> int:
    """Whoever read our output went away (``| head``): not an error. Keep the interpreter from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0

"""From argv to an exit status: errors become messages or records, by one table."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from types import MappingProxyType

from darkstats.cli.interrupts import EXIT_INTERRUPTED, INTERRUPTED
from darkstats.cli.streams import output_failed, say, silence_output
from darkstats.errors import DarkstatsError, FileError, InputError, NotCertifiedError

__all__ = ["EXIT_STATUS", "exit_status", "run"]

#: Exit status by class of error; the most specific class decides.
EXIT_STATUS: Mapping[type, int] = MappingProxyType(
    {DarkstatsError: 1, NotCertifiedError: 1, InputError: 2, KeyboardInterrupt: EXIT_INTERRUPTED}
)

_REPORT = (
    "darkstats: internal error ({kind}: {error}); this is a fault of darkstats, not of your input: "
    "please report it with the command line. --debug shows the traceback"
)


_LONGEST_NAME = 120  # characters of a name that a message shows


class UsageError(InputError):
    """A command line that cannot be parsed."""


def exit_status(error: BaseException) -> int:
    """Exit status of an error; 1 for one that nobody expected."""
    known = (EXIT_STATUS[kind] for kind in type(error).__mro__ if kind in EXIT_STATUS)
    return next(known, 1)


def command_line(arguments: list[str]) -> str:
    """Return the command line that was given, quoted for a shell."""
    return shlex.join(["darkstats", *arguments])


def run(arguments: list[str], *, owns_process: bool = False) -> int:
    """Run a command and return its exit status.

    Who owns the process says itself that it was interrupted.
    """
    as_json = "--json" in arguments
    debug = "--debug" in arguments or bool(os.environ.get("DARKSTATS_DEBUG"))
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        return _invoke(rest)
    except KeyboardInterrupt as error:
        if owns_process:  # its owner says so, once
            return EXIT_INTERRUPTED
        message = f"darkstats: {INTERRUPTED}"
        return _failed(error, message, EXIT_INTERRUPTED, rest, as_json=as_json)
    except DarkstatsError as error:
        message = f"darkstats: error: {error}"
        return _failed(error, message, exit_status(error), rest, as_json=as_json)
    except Exception as error:
        if (unheard := _unheard(error)) is not None:
            return unheard
        refused = _refused(error)
        if refused is None and debug:
            raise
        message = _REPORT.format(kind=type(error).__name__, error=error)
        if refused is not None:
            message = f"darkstats: error: {refused}"
        told = refused or error
        return _failed(told, message, exit_status(told), rest, as_json=as_json)


def _unheard(error: Exception) -> int | None:
    """Exit status where standard output takes nothing, once that is said; None for other errors."""
    if isinstance(error, BrokenPipeError):
        # The reader (head, less) has gone: nothing is left to say, and nobody to say it to.
        silence_output()
        return 0
    failed = output_failed(error)
    if failed is None:
        return None
    silence_output()
    say(f"darkstats: error: {failed}\n")
    return exit_status(failed)


def _refused(error: Exception) -> FileError | None:
    """What to say if the system refused a file by its name; None for other errors.

    Each reader and writer tells of the refusals that it knows; any path can meet another one.
    """
    if not isinstance(error, OSError) or error.filename is None:
        return None
    name = os.fsdecode(error.filename) if not isinstance(error.filename, int) else "a file"
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    return FileError(
        f"{shown}: {error.strerror or error}; give another name, or look at its permissions and "
        "its device"
    )


def _failed(
    error: BaseException, message: str, status: int, arguments: list[str], *, as_json: bool
) -> int:
    say(message + "\n")
    if as_json:
        from darkstats.cli.output import print_record
        from darkstats.report.records import error_record

        try:
            print_record(error_record(error, exit_status=status, command=command_line(arguments)))
        except OSError as lost:
            if _unheard(lost) is None:
                raise
    return status


def _invoke(arguments: list[str]) -> int:
    """Parse and run. Usage errors of the parser become messages here, too."""
    import typer

    from darkstats.cli.app import build
    from darkstats.cli.progress import Waiting, announce
    from darkstats.workflows import Shell

    if any("\0" in argument for argument in arguments):
        raise UsageError("an argument holds a NUL character, which no name has")
    for argument in arguments:
        if _no_argument(argument):
            raise UsageError(f"{argument!a}: is no text in UTF-8; write it anew")
    usage_error: type[Exception] = typer.BadParameter.__mro__[2]  # base of the parser's own errors
    try:
        shell = Shell(
            command=command_line(arguments),
            progress=Waiting,
            announce=announce,
        )
        found = build(arguments).main(
            args=arguments, prog_name="darkstats", standalone_mode=False, obj=shell
        )
    except typer.Abort:
        raise KeyboardInterrupt from None
    except usage_error as error:
        return _usage(error, arguments)
    if found == EXIT_INTERRUPTED:  # what the parser makes of Ctrl-C
        raise KeyboardInterrupt
    return found if isinstance(found, int) else 0


def _no_argument(text: str) -> bool:
    """Whether no shell passes this: bytes that are no text arrive as what stands for them."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return True
    return False


def _usage(error: BaseException, arguments: list[str]) -> int:
    """Report a usage error: exit status 2, with the way to the help."""
    from darkstats.workflows.verbs import VERBS

    text = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "darkstats"
    if path == "darkstats":  # the parser does not always say which verb it was reading
        path = next((f"{path} {word}" for word in arguments[:1] if word in VERBS), path)
    usage = UsageError(text or "no command was given")
    message = f"darkstats: error: {usage}\ntry: {path} --help"
    return _failed(usage, message, 2, arguments, as_json="--json" in arguments)

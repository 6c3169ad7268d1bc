"""Processes that are there at once: forked from one that has loaded the package and computed.

A worker that is killed a thousand times would spend its lives importing. What is forked here runs
the same programs as the processes of a service, with pipes of the same meaning; the process that
forks has no thread and has opened no database.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

Program = Callable[[list[str]], None]

HERE: list[Zygote] = []
"""The one that this process has, or was forked from."""

_STATUS = struct.Struct("i")


class Zygote:
    """The process that forks, and the line to it; processes that it forks have the line, too.

    Parameters
    ----------
    programs
        What can be run, by name.
    warm
        Called in it once, before the first fork.
    """

    def __init__(self, programs: Mapping[str, Program], warm: Callable[[], None]) -> None:
        self._line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        HERE.append(self)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                warm()
                self._serve(there, programs)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(1)
        there.close()

    def run(self, program: str, arguments: list[str]) -> Forked:
        """Start a program in a process of its own."""
        stdin, stdout, told = os.pipe(), os.pipe(), os.pipe()
        passed = array.array("i", [stdin[0], stdout[1], told[1]])
        text = json.dumps([program, arguments]).encode()
        self._line.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        for one in passed:
            os.close(one)
        return Forked(stdin[1], stdout[0], told[0])

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _serve(self, line: socket.socket, programs: Mapping[str, Program]) -> None:
        told: dict[int, int] = {}
        parent = os.getppid()
        while os.getppid() == parent:
            ready, _, _ = select.select([line], [], [], 0.01)
            if ready:
                text, passed = _received(line)
                pid = os.fork()
                if pid == 0:
                    line.close()
                    _become(programs, text, passed, list(told.values()))
                told[pid] = passed[2]
                with suppress(OSError):  # who asked was killed
                    os.write(passed[2], _STATUS.pack(pid))
                os.close(passed[0])
                os.close(passed[1])
            for pid, status in _ended():
                with suppress(OSError):
                    os.write(told[pid], _STATUS.pack(status))
                os.close(told.pop(pid))


def _received(line: socket.socket) -> tuple[list[Any], list[int]]:
    found = array.array("i")
    text, ancillary, _, _ = line.recvmsg(65_536, socket.CMSG_SPACE(3 * found.itemsize))
    for _, _, data in ancillary:
        found.frombytes(data)
    return json.loads(text), list(found)


def _ended() -> list[tuple[int, int]]:
    found = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, os.waitstatus_to_exitcode(status)))


def _become(
    programs: Mapping[str, Program], text: list[Any], passed: list[int], others: list[int]
) -> None:
    status = 1
    try:
        for one in others:
            os.close(one)
        os.close(passed[2])
        os.dup2(passed[0], 0)
        os.dup2(passed[1], 1)
        os.close(passed[0])
        os.close(passed[1])
        programs[text[0]](text[1])
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


class Forked:
    """A process, with as much of the face of ``subprocess.Popen`` as a supervisor needs."""

    def __init__(self, stdin: int, stdout: int, told: int) -> None:
        self.stdin, self.stdout = os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0)
        self._told = told
        self.pid: int = _STATUS.unpack(os.read(told, _STATUS.size))[0]
        self.returncode: int | None = None
        os.set_blocking(told, False)

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                said = os.read(self._told, _STATUS.size)
            except BlockingIOError:
                return None
            self.returncode = _STATUS.unpack(said)[0] if said else -signal.SIGKILL
            os.close(self._told)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None:
            select.select([self._told], [], [], timeout)
            if self.poll() is None:
                raise subprocess.TimeoutExpired("forked", timeout or 0.0)
        return int(self.returncode or 0)

    def kill(self) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

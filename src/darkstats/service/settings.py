"""What an operator decides about a service: where it listens, what it keeps, how much it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from darkstats.errors import OptionError

__all__ = ["LOCAL_HOSTS", "LOCAL_OWNER", "Quotas", "Settings"]

#: Names of this machine that nobody else can use to reach it.
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
#: Whoever asks on this machine.
LOCAL_OWNER = "local"
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much a service takes of one user, and at once.

    Parameters
    ----------
    body
        Bytes of the body of one request.
    files
        Files of one collection.
    question
        Bytes of one question, its documents aside.
    queued
        Unfinished jobs of one owner.
    stored
        Bytes of all collections of one owner.
    streams
        Streams of events at once, of all owners.
    """

    body: int = 64 * _MIB
    files: int = 1_000
    question: int = 256 * 1024
    queued: int = 1_000
    stored: int = 4 * 1024 * _MIB
    streams: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator decides.

    Parameters
    ----------
    host, port
        Where the service listens.
    store
        Database of all that it keeps, as :class:`darkstats.service.store.Store` takes it.
    workspaces
        Folder of searches that are shown to everybody; ``None`` for none.
    quotas
        How much it takes.
    needs_tokens
        Whether who asks must have a token.
    names
        Further names that the service is reached by, such as that of a proxy before it.

    Raises
    ------
    OptionError
        Others could reach it, and it asks for no token; or the port is none.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    store: str = "sqlite:///darkstats.db"
    workspaces: Path | None = None
    quotas: Quotas = field(default_factory=Quotas)
    needs_tokens: bool = False
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise OptionError(f"--port {self.port}: give a number from 0 to 65535")
        if not self.is_local and not self.needs_tokens:
            raise OptionError(
                f"--host {self.host}: others can reach this address, and there is no token; make "
                "one with `darkstats serve token add NAME`, or listen on 127.0.0.1"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOCAL_HOSTS

    @property
    def url(self) -> str:
        """Where its pages start."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

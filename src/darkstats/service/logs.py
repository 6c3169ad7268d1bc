"""Logs of a service: one JSON object a line, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["JsonLines", "log_as_json"]

_LOGGERS = ("darkstats", "uvicorn.error")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class JsonLines(logging.Formatter):
    """One JSON object for each record, with the fields that were given to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; control characters are escaped, as JSON has it."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def log_as_json(level: str) -> None:
    """Let the loggers of the service write to standard error, from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [
            one for one in logger.handlers if not isinstance(one.formatter, JsonLines)
        ]
        logger.addHandler(handler)
        logger.setLevel(level.upper())
        logger.propagate = False

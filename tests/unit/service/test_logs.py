"""Logs of a service: whole JSON lines, whatever a client sends."""

from __future__ import annotations

import json
import logging

from darkstats.service.logs import JsonLines


def test_a_line_is_one_json_object_without_control_characters() -> None:
    record = logging.makeLogRecord(
        {"name": "darkstats.service", "levelname": "INFO", "msg": "a\n%s", "args": ("\x1b[31m",),
         "path": "/\r\nx", "status": 200}
    )  # fmt: skip
    line = JsonLines().format(record)
    assert line.isprintable()
    told = json.loads(line)
    assert told["message"] == "a\n\x1b[31m"
    assert (told["path"], told["status"], told["level"]) == ("/\r\nx", 200, "info")


def test_a_fault_has_its_traceback() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    record = logging.makeLogRecord({"msg": "fault", "exc_info": found})
    assert "JSONDecodeError" in json.loads(JsonLines().format(record))["traceback"]

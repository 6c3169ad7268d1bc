"""The description of the interface is made of the declarations of the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")

from darkstats.options import named_choices
from darkstats.service.api.schema import path_of, question_schema
from darkstats.service.questions import ASKED, asked_of, request_type, required_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.mark.parametrize("verb", ASKED)
def test_a_question_has_the_options_of_its_verb(verb: str) -> None:
    """Each with its type and help; of words the choices; nothing that only this machine decides."""
    schema = question_schema(verb)
    properties = schema["properties"]
    assert set(properties) == {*asked_of(verb), "figures", "priority"}
    assert schema["required"] == list(required_of(verb))
    assert not {"threads", "cluster", "cache", "workers"} & set(properties)
    for name, one in properties.items():
        assert "type" in one or "anyOf" in one, name
        assert one["description"], name
    json.dumps(schema, allow_nan=False)


def test_choices_bounds_and_defaults_are_those_of_the_declaration() -> None:
    properties = question_schema("limit")["properties"]
    known = named_choices(request_type("limit"))
    methods = next(part for part in properties["method"]["anyOf"] if "enum" in part)
    assert methods["enum"] == list(known["method"][0].option.choices)
    assert properties["test_stat"]["enum"] == list(known["test_stat"][0].option.choices)
    assert properties["test_stat"]["default"] == known["test_stat"][0].default
    number = next(part for part in properties["n_toys"]["anyOf"] if part["type"] == "integer")
    assert number["minimum"] == known["n_toys"][0].option.least
    assert {"type": "object", "description": "The document itself."} in properties["source"][
        "anyOf"
    ]  # fmt: skip


def test_the_whole_description_is_openapi(client: TestClient) -> None:
    """Version 3.1, each verb, each with its problems; twice the same."""
    first, again = client.get("/openapi.json"), client.get("/openapi.json")
    assert first.content == again.content
    told = first.json()
    assert told["openapi"].startswith("3.1")
    assert told["info"]["title"] == "darkstats"
    for verb in ASKED:
        asked = told["paths"][f"/api/v1{path_of(verb)}"]["post"]
        assert asked["requestBody"]["content"]["application/json"]["schema"]["properties"]
        assert {"200", "202", "4XX", "503"} <= set(asked["responses"])
    assert "Problem" in told["components"]["schemas"]
    assert not [path for path in told["paths"] if not path.startswith("/api/v1")
                and path not in {"/healthz", "/readyz", "/metrics"}]  # fmt: skip

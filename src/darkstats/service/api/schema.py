"""Bodies of questions as OpenAPI describes them: made of the declarations of the command line."""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from darkstats.options import Choice, named_choices, written
from darkstats.service.questions import (
    ASKED,
    FOLDERS,
    WRITTEN,
    asked_of,
    request_type,
    required_of,
)

__all__ = [
    "FIGURE",
    "MOST_FIGURES",
    "PRIORITIES",
    "SETTINGS",
    "path_of",
    "question_schema",
    "takes_document",
]

Schema = dict[str, Any]

#: A figure that is drawn with an answer.
FIGURE = r"^([a-z][a-z0-9_]{0,39}\.)?(csv|pdf|png|svg)$"
PRIORITIES = (-100, 100)
MOST_FIGURES = 20
#: Members of a body that are no options of the verb.
SETTINGS = ("figures", "priority")
_REFERENCE = r"sha256:[0-9a-f]{64}(/[^\x00-\x1f]{1,1024})?|result:[0-9a-f]{64}"
_DOCUMENT = f"^({_REFERENCE})$"
_NAMED = f"^([^=\\x00-\\x1f]{{1,200}}=)?({_REFERENCE})$"
_PLAIN: dict[type, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}


def path_of(verb: str) -> str:
    """Where a verb is asked, below the root of the API."""
    return "/" + verb.replace(" ", "-")


@cache
def question_schema(verb: str) -> Schema:
    """JSON Schema of the body of a question."""
    asked, known = asked_of(verb), named_choices(request_type(verb))
    properties: Schema = {name: _of_choice(verb, known[name]) for name in asked}
    properties["figures"] = {
        "type": "array", "maxItems": MOST_FIGURES, "default": [],
        "description": f"Figures to draw with the answer: FORMAT or KIND.FORMAT. {_kinds(verb)}",
        "items": {"type": "string", "pattern": FIGURE, "examples": ["svg"]},
    }  # fmt: skip
    least, most = PRIORITIES
    properties["priority"] = {
        "type": "integer", "minimum": least, "maximum": most, "default": 0,
        "description": "Which of your own questions go first.",
    }  # fmt: skip
    return {
        "type": "object",
        "title": f"{verb} question",
        "description": ASKED[verb].help.split("\n\n")[0],
        "properties": properties,
        "required": list(required_of(verb)),
        "additionalProperties": False,
    }


def _kinds(verb: str) -> str:
    kinds = ASKED[verb].kinds.split()
    return f"Kinds: {', '.join(kinds)}." if kinds else ""


def _of_choice(verb: str, shared: tuple[Choice, ...]) -> Schema:
    first = shared[0]
    words = ASKED[verb].words.get(first.path[-1])
    flags = f" (`{first.option.name}` of the command line)" if first.option.flags else ""
    found = _of_type(first.type, first)
    found["description"] = (words or first.option.text) + flags
    default = FOLDERS.get(verb) if first.path[-1] == "output" else first.default
    if first.path[-1] not in required_of(verb) and default not in {None, ()}:
        found["default"] = _json(default)
    choices = tuple(dict.fromkeys(word for one in shared for word in one.option.choices))
    if choices:
        found = _with_choices(found, choices)
    for bound, value in (("minimum", first.option.least), ("maximum", first.option.most)):
        if value is not None:
            _bound(found, bound, value)
    return found


def _json(value: Any) -> Any:  # noqa: ANN401 -- a default
    return [_json(item) for item in value] if isinstance(value, tuple) else value


def _with_choices(found: Schema, choices: tuple[str, ...]) -> Schema:
    """The schema, whose text is one of the choices."""
    for part in (found, *found.get("anyOf", ())):
        if part.get("type") == "string":
            part["enum"] = list(choices)
    return found


def _bound(found: Schema, bound: str, value: int) -> None:
    for part in (found, *found.get("anyOf", ())):
        if part.get("type") in {"integer", "number"}:
            part[bound] = value


def takes_document(choice: Choice) -> bool:
    """Whether a document may stand in the question itself, in the place of its name."""
    kinds = get_args(choice.type) if _is_union(choice.type) else (choice.type,)
    pairs = any(get_origin(one) is tuple and get_origin(get_args(one)[0]) is tuple for one in kinds)
    return choice.option.reads == "file" and not pairs


def _is_union(kind: Any) -> bool:  # noqa: ANN401 -- a type
    return get_origin(kind) in {Union, UnionType}


def _of_type(kind: Any, choice: Choice) -> Schema:  # noqa: ANN401 -- a type
    kind = written(kind)
    kinds = get_args(kind) if _is_union(kind) else (kind,)
    found = [_of_one(one, choice) for one in kinds if one is not type(None)]
    found = [part for one in found for part in (one["anyOf"] if set(one) == {"anyOf"} else [one])]
    if type(None) in kinds:
        found.append({"type": "null"})
    return dict(found[0]) if len(found) == 1 else {"anyOf": found}


def _of_one(kind: Any, choice: Choice) -> Schema:  # noqa: ANN401 -- a type
    if get_origin(kind) is tuple:
        return _of_tuple(get_args(kind), choice)
    if choice.option.reads == "file" and kind is str:
        documents: list[Schema] = [{"type": "string", "pattern": _NAMED}]
        if takes_document(choice):
            documents.append({"type": "object", "description": "The document itself."})
        return {"anyOf": documents}
    if choice.option.writes and kind is str:
        return {"type": "string", "pattern": f"^{WRITTEN}$"}
    return dict(_PLAIN.get(kind, {"type": "object"}))


def _of_tuple(kinds: tuple[Any, ...], choice: Choice) -> Schema:
    many = kinds[-1] is Ellipsis
    if many and get_origin(kinds[0]) is not tuple:
        return {"type": "array", "items": _of_type(kinds[0], choice)}
    if many:
        key, *values = (_of_pair(one, choice) for one in get_args(kinds[0]))
        pair = {"type": "array", "prefixItems": [key, *values], "items": False,
                "minItems": 1 + len(values), "maxItems": 1 + len(values)}  # fmt: skip
        found: list[Schema] = [{"type": "array", "items": pair}]
        if key == {"type": "string"} and len(values) == 1:
            found.append({"type": "object", "additionalProperties": values[0]})
        return {"anyOf": found} if len(found) > 1 else found[0]
    return {"type": "array", "prefixItems": [_of_type(one, choice) for one in kinds],
            "items": False, "minItems": len(kinds), "maxItems": len(kinds)}  # fmt: skip


def _of_pair(kind: Any, choice: Choice) -> Schema:  # noqa: ANN401 -- a type
    """Part of a pair: of names and files it is not said which of both is which."""
    return _of_type(kind, choice) if choice.option.reads != "file" else {"type": "string"}

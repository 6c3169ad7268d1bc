"""Rules of HEPData submissions, as JSON schemas."""

#: Rules of the HEPData submission format, version 1.1.1, as its documentation states them.
_HEADER = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "units": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
_SCALAR = {"type": ["string", "number"]}
_ERROR = {
    "type": "object",
    "properties": {
        "symerror": _SCALAR,
        "asymerror": {
            "type": "object",
            "properties": {"minus": _SCALAR, "plus": _SCALAR},
            "required": ["minus", "plus"],
            "additionalProperties": False,
        },
        "label": {"type": "string"},
    },
    "oneOf": [{"required": ["symerror"]}, {"required": ["asymerror"]}],
    "additionalProperties": False,
}
DATA = {
    "type": "object",
    "properties": {
        "independent_variables": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "header": _HEADER,
                    "values": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"value": _SCALAR},
                            "required": ["value"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["header", "values"],
                "additionalProperties": False,
            },
        },
        "dependent_variables": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "header": _HEADER,
                    "qualifiers": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "name": {"type": "string"},
                                "value": _SCALAR,
                                "units": {"type": "string"},
                            },
                            "required": ["name", "value"],
                            "additionalProperties": False,
                        },
                    },
                    "values": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "value": _SCALAR,
                                "errors": {"type": "array", "items": _ERROR},
                            },
                            "required": ["value"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["header", "values"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["independent_variables", "dependent_variables"],
    "additionalProperties": False,
}
TABLE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 64},
        "location": {"type": "string", "maxLength": 256},
        "description": {"type": "string"},
        "keywords": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"enum": ["cmenergies", "observables", "reactions", "phrases"]},
                    "values": {"type": "array", "items": {**_SCALAR, "maxLength": 128}},
                },
                "required": ["name", "values"],
                "additionalProperties": False,
            },
        },
        "data_file": {"type": "string"},
    },
    "required": ["name", "description", "keywords", "data_file"],
    "additionalProperties": False,
}

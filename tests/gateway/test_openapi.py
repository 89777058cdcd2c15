"""openapi.json describes the whole API."""

import ast
import json
import re
from collections.abc import Iterator

import pytest
import requests

from tests.gateway.running import ROOT, Gateway

DOCUMENT = json.loads((ROOT / "gateway" / "openapi.json").read_text(encoding="utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
MODEL_PATHS = ["/predictions/mnist", "/predict", "/explanations/mnist"]
PREDICTION = {"digit", "confidence", "probabilities", "is_digit", "digit_score", "model_version", "input"}
OPTIONAL = {"reason", "box"}


def _objects(node: object) -> Iterator[dict]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(child)


def _documented_errors() -> set[tuple[int, str]]:
    return {(node["code"], node["type"]) for node in _objects(DOCUMENT) if {"code", "message"} <= node.keys()
            and isinstance(node["code"], int)}  # fmt: skip


def test_the_gateway_serves_openapi_json(gateway: Gateway):
    response = requests.get(f"{gateway.url}/openapi.json", timeout=30)
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == DOCUMENT
    assert requests.head(f"{gateway.url}/openapi.json", timeout=30).status_code == 200


def test_the_document_is_openapi_3_1_with_every_path():
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["paths"].keys() == {*MODEL_PATHS, "/ping", "/openapi.json"}


def test_every_reference_has_a_target():
    references = [node["$ref"] for node in _objects(DOCUMENT) if "$ref" in node]
    assert len(references) > 30
    for reference in references:
        node = DOCUMENT
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]


@pytest.mark.parametrize("path", MODEL_PATHS)
def test_each_model_path_lists_its_statuses(path):
    assert DOCUMENT["paths"][path].keys() == {"post"}
    responses = DOCUMENT["paths"][path]["post"]["responses"]
    assert {"200", "400", "405", "413", "415", "503"} <= responses.keys()


def test_answers_have_the_fields_and_ranges_of_the_contract():
    assert SCHEMAS["Prediction"]["properties"].keys() == PREDICTION | OPTIONAL
    explained = PREDICTION | OPTIONAL | {"heatmap", "runner_up", "contrast"}
    assert SCHEMAS["Explanation"]["properties"].keys() == explained
    for name in ("Prediction", "Explanation"):
        properties = SCHEMAS[name]["properties"]
        assert set(SCHEMAS[name]["required"]) == properties.keys() - OPTIONAL
        assert (properties["digit"]["minimum"], properties["digit"]["maximum"]) == (0, 9)
        assert (properties["confidence"]["minimum"], properties["confidence"]["maximum"]) == (0, 1)
        assert properties["probabilities"]["minItems"] == properties["probabilities"]["maxItems"] == 10
        assert properties["input"]["minLength"] == properties["input"]["maxLength"] == 4 * -(-28 * 28 // 3)
    assert SCHEMAS["Instances"]["properties"]["instances"]["maxItems"] == 64


def test_every_answer_has_the_request_id():
    responses = [
        response
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
    ]
    for response in [*DOCUMENT["components"]["responses"].values(), *responses]:
        assert "$ref" in response or response["headers"]["X-Request-Id"] == {
            "$ref": "#/components/headers/RequestId"
        }


def test_each_error_example_has_the_status_of_its_response():
    for name, response in DOCUMENT["components"]["responses"].items():
        examples = response["content"]["application/json"]["examples"]
        codes = {example["value"]["code"] for example in examples.values()}
        assert len(codes) == 1 or name == "Other"
    for code, component in DOCUMENT["paths"]["/predict"]["post"]["responses"].items():
        if code not in ("200", "default"):
            name = component["$ref"].rsplit("/", 1)[1]
            examples = DOCUMENT["components"]["responses"][name]["content"]["application/json"]["examples"]
            assert {example["value"]["code"] for example in examples.values()} == {int(code)}


def test_the_document_contains_every_gateway_error():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").glob("*.conf*"))
    types = re.search(r"map \$status \$status_type \{(.*?)\}", text, re.DOTALL)[1]
    errors = {(int(code), kind) for code, kind in re.findall(r"(\d{3}) (\w+);", types)}
    of_targets = re.search(r"map \$uri \$error_type \{(.*?)\}", text, re.DOTALL)[1]
    kinds = {"$page_away": "PageUnavailable"} | dict(re.findall(r"(/_gateway/\w+) (\w+);", of_targets))
    targets = re.findall(r"error_page .*?(\d{3}) (/_gateway/\w+|\$\w+);", text)
    errors |= {(int(code), kinds[target]) for code, target in targets if target in kinds}
    assert {kind for _, kind in errors} >= set(kinds.values())
    assert len(errors) > 7
    errors -= {(503, "PageUnavailable"), (403, "ForeignOrigin")}  # the page's, not the API's
    errors -= {(401, "PasswordNeeded"), (403, "OperatorsAlone"), (404, "NoMonitoring")}  # of /monitoring/
    assert errors - _documented_errors() == set()


def test_the_document_contains_every_handler_error():
    errors = set()
    for path in (ROOT / "handler").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ClientError":
                code, kind = node.args[:2]
                if isinstance(code, ast.Constant) and isinstance(kind, ast.Constant):
                    errors.add((code.value, kind.value))
    assert len(errors) > 5
    assert errors - _documented_errors() == set()

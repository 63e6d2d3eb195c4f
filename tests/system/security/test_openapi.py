"""Schemathesis on the OpenAPI document: no 5xx but deliberate ones, and answers as it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from apiflask import APIFlask
from hostile import as_url, encode
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckContext
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app import create_app

TOKEN = "tr0ubadour-and-horse"


@pytest.fixture(scope="module")
def running(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """An application with every documented route."""
    folder = tmp_path_factory.mktemp("openapi")
    app = create_app(
        {
            "MODEL_FOLDER": str(tiny_model_folder),
            "REPORT_FOLDER": str(folder / "user_report"),
            "INSTANCE_FOLDER": str(folder / "instance"),
            "DATASET_FOLDER": str(folder / "dataset"),
            "TAUGHT_DATABASE": str(folder / "taught.db"),
            "OPERATOR_TOKEN": TOKEN,
            "RATE_LIMITS": "",
            "REPORT_SENDER_QUOTA": 0,
        }
    )
    yield app
    app.extensions["kyara_reports"].close()
    app.extensions["kyara_review"].close()


@pytest.fixture(scope="module")
def openapi(running: APIFlask) -> Any:
    """The document, with the application behind it."""
    return schemathesis.openapi.from_wsgi("/api/openapi.json", running)


def test_a_query_and_a_header_that_are_too_long_are_documented(running: APIFlask) -> None:
    client = running.test_client()
    asked = "/api/characters?query=" + "a" * 5000
    answers = [client.get(asked), client.get("/healthz", headers={"Accept": "a" * 600})]
    assert [answer.status_code for answer in answers] == [414, 431]
    document = client.get("/api/openapi.json").json
    assert document
    for path in ("/api/characters", "/healthz"):
        assert {"414", "431"} <= document["paths"][path]["get"]["responses"].keys()


def only_deliberate_errors(ctx: CheckContext, response: Any, case: Any) -> None:
    """Check that a status of 5xx is one that Kyara answers on purpose."""
    assert response.status_code < 500 or response.status_code in (503, 507), response.text


ROUTES = (
    ("GET", "/api/characters"),
    ("POST", "/api/explain"),
    ("GET", "/api/gallery"),
    ("POST", "/api/gallery"),
    ("DELETE", "/api/gallery/{label}"),
    ("POST", "/api/identify"),
    ("POST", "/api/pictures"),
    ("POST", "/api/reports"),
    ("DELETE", "/api/reports/{report_id}"),
    ("GET", "/healthz"),
)
TAKE_NOTHING = {("GET", "/api/gallery"), ("GET", "/healthz")}
CROPS = [as_url(encode(kind, (12, 10))) for kind in ("PNG", "JPEG")]
"""Without them no request would get as far as the model."""


def test_every_documented_route_is_tried(openapi: Any) -> None:
    paths = openapi.raw_schema["paths"].items()
    documented = {(method.upper(), path) for path, methods in paths for method in methods}
    assert documented >= set(ROUTES)
    assert {route for route in documented if route[1].startswith("/api/")} <= set(ROUTES)


def check(case: Any, headers: dict[str, str]) -> Any:
    """Send a case, check its answer against the document, and return it."""
    response = case.call(headers=headers)
    case.validate_response(
        response,
        checks=[
            only_deliberate_errors,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            response_headers_conformance,
        ],
    )
    return response


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_what_the_document_allows_is_answered_as_it_says(openapi: Any, method: str, path: str) -> None:
    @given(openapi[path][method].as_strategy(), st.sampled_from([*CROPS, None]))
    def ask(case: Any, crop: str | None) -> None:
        if crop and isinstance(case.body, dict) and "crops" in case.body:
            case.body["crops"] = [crop, *case.body["crops"][1:]]
        elif crop and isinstance(case.body, dict) and "pictures" in case.body:
            case.body["pictures"] = [crop, *case.body["pictures"][1:]]
        elif crop and isinstance(case.body, dict) and "crop" in case.body:
            case.body["crop"] = crop
        check(case, {"Authorization": f"Bearer {TOKEN}"})

    ask()


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route not in TAKE_NOTHING])
def test_what_the_document_forbids_is_refused_as_it_says(openapi: Any, method: str, path: str) -> None:
    @given(openapi[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(case: Any) -> None:
        check(case, {"Authorization": f"Bearer {TOKEN}"})

    ask()


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "gallery" in route[1]])
def test_without_the_token_every_operators_route_answers_401(
    openapi: Any, method: str, path: str
) -> None:
    @settings(max_examples=5)
    @given(openapi[path][method].as_strategy())
    def ask(case: Any) -> None:
        assert check(case, {}).status_code == 401

    ask()

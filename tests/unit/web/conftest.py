"""A face that the model knows, and a site with the library at a test's `place`."""

from __future__ import annotations

from pathlib import Path

import pytest
from apiflask import APIFlask
from app_fixtures import MakeApp
from hostile import as_url
from operators import OperatorClient, log_in, make_operator


@pytest.fixture
def crop(tiny_data: Path) -> str:
    return as_url((tiny_data / "aka_ribbon" / "000.png").read_bytes())


@pytest.fixture
def site(make_app: MakeApp, place: str) -> APIFlask:
    app = make_app(LIBRARY=place)
    make_operator(app, "rin")
    return app


@pytest.fixture
def rin(site: APIFlask) -> OperatorClient:
    return log_in(site, "rin")

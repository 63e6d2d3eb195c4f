"""The operator's pages: nothing of them before an account, without a session, or with a wrong token."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from apiflask import APIFlask
from operators import PASSWORD, OperatorClient, log_in, make_operator, read_token, send_login

from kyara.errors import BadInputError
from kyara.vision.languages import LANGUAGES

PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
PROBLEM = "application/problem+json"


def list_operator_routes(app: APIFlask) -> list[tuple[str, str]]:
    """Every method and address under /operator/, with something in the place of variables."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/operator"):
            values: dict[str, object] = {}
            for name in rule.arguments - set(rule.defaults or ()):
                values[name] = 1 if "Integer" in type(rule._converters[name]).__name__ else "x" * 32
            built = rule.build(values, append_unknown=False)
            assert built
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            found += [(method, built[1]) for method in sorted(methods)]
    return found


def changes(app: APIFlask) -> list[tuple[str, str]]:
    return [route for route in list_operator_routes(app) if route[0] != "GET"]


def test_nothing_is_reachable_before_an_account_exists(app, client):
    routes = list_operator_routes(app)
    assert ("GET", "/operator/") in routes
    assert ("POST", "/operator/logout") in routes
    for method, path in [
        *routes,
        ("GET", "/operator"),
        ("GET", "/operator/nothing"),
        ("PUT", "/operator/"),
    ]:
        answer = client.open(path, method=method, headers=JSON)
        assert (answer.status_code, answer.content_type) == (404, PROBLEM), (method, path)
        nothing = client.get("/nothing").json
        assert answer.json == {**nothing, "request_id": answer.json["request_id"]}
        assert "Set-Cookie" not in answer.headers
    assert not Path(app.config["INSTANCE_FOLDER"]).exists()


def test_the_first_account_opens_the_pages_without_a_restart(app, client):
    assert client.get("/operator/login").status_code == 404
    make_operator(app, "rin")
    assert client.get("/operator/login").status_code == 200
    app.extensions["kyara_accounts"].remove("rin")
    assert client.get("/operator/login").status_code == 404


def test_every_route_without_a_session_answers_401(app, client):
    make_operator(app, "rin")
    routes = [*list_operator_routes(app), ("GET", "/operator/nothing"), ("PUT", "/operator/")]
    for method, path in routes:
        if path == "/operator/login":
            continue
        answer = client.open(path, method=method, headers=JSON)
        assert (answer.status_code, answer.content_type) == (401, PROBLEM), (method, path)
        assert answer.headers["WWW-Authenticate"].startswith("Session ")
        page = client.open(path, method=method, headers=PAGE)
        assert page.status_code == 401, (method, path)
        assert 'action="/operator/login"' in page.text
        assert page.headers["Cache-Control"] == "no-store"


def test_every_change_with_a_wrong_token_answers_403(app, operator):
    routes = changes(app)
    assert ("POST", "/operator/login") in routes
    stranger = app.test_client()
    foreign = read_token(stranger.get("/operator/login", headers=PAGE).text)
    for method, path in routes:
        for token in (None, "", "wrong", foreign, operator.token + "x"):
            headers = JSON if token is None else {**JSON, "X-CSRFToken": token}
            answer = operator.client.open(path, method=method, headers=headers, json={})
            assert (answer.status_code, answer.content_type) == (403, PROBLEM), (method, path, token)
        form = {"csrf_token": "wrong", "name": "rin", "password": PASSWORD}
        assert operator.client.open(path, method=method, data=form).status_code == 403
    assert operator.get("/operator/").status_code == 200


def test_visitors_need_no_token_and_get_no_cookie(app, client):
    make_operator(app, "rin")
    assert client.post("/api/identify", json={"crops": ["hello"]}).status_code == 400
    for path in ("/", "/healthz", "/api/characters"):
        answer = client.get(path)
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "") or path == "/"


def test_the_cookie_is_kept_from_scripts_strangers_and_plain_text(app):
    make_operator(app, "rin")
    answer = send_login(app.test_client(), "rin")
    session, device = answer.headers.getlist("Set-Cookie")[::-1]
    if device.startswith("operator_session"):
        session, device = device, session
    assert {"HttpOnly", "SameSite=Lax", "Path=/operator/"} <= set(session.split("; "))
    assert {"HttpOnly", "SameSite=Strict", "Path=/operator/login"} <= set(device.split("; "))
    assert "Secure" not in session.split("; ")
    options = {"base_url": "https://kyara.example"}
    client = app.test_client()
    form = client.get("/operator/login", headers=PAGE, **options)
    body = {"name": "rin", "password": PASSWORD, "csrf_token": read_token(form.text)}
    referrer = {**PAGE, "Referer": "https://kyara.example/operator/login"}
    answer = client.post("/operator/login", data=body, headers=referrer, **options)
    assert answer.status_code == 303
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert "Secure" in cookie.split("; ")
    elsewhere = client.post(
        "/operator/login", data=body, headers={"Referer": "https://x.example/"}, **options
    )
    assert elsewhere.status_code == 403


def test_behind_a_proxy_scheme_and_address_are_the_visitors(make_app):
    proxied = make_app(TRUSTED_PROXIES=1)
    make_operator(proxied, "rin")
    headers = {**PAGE, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    answer = proxied.test_client().get("/operator/login", headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_logging_in_starts_a_fresh_session(app):
    make_operator(app, "rin")
    client = app.test_client()
    before = read_token(client.get("/operator/login", headers=PAGE).text)
    with client.session_transaction(path="/operator/") as session:
        session["planted"] = "by a stranger"
    assert send_login(client, "rin").status_code == 303
    with client.session_transaction(path="/operator/") as session:
        assert "planted" not in session
        assert session["_fresh"] is True
    answer = client.post("/operator/logout", headers={**JSON, "X-CSRFToken": before})
    assert answer.status_code == 403


def test_logging_out_ends_copies_of_the_cookie_too(app, operator):
    cookie = operator.client.get_cookie("operator_session", path="/operator/")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("operator_session", cookie.value, path="/operator/")
    assert thief.get("/operator/", headers=JSON).status_code == 200
    form = {"csrf_token": operator.token}
    answer = operator.client.post("/operator/logout", data=form, headers=PAGE)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/operator/login")
    for client in (operator.client, thief):
        assert client.get("/operator/", headers=JSON).status_code == 401


def test_a_cookie_is_of_one_browser(app, operator):
    cookie = operator.client.get_cookie("operator_session", path="/operator/")
    thief = app.test_client()
    thief.set_cookie("operator_session", cookie.value, path="/operator/")
    headers = {**JSON, "User-Agent": "another"}
    assert thief.get("/operator/", headers=headers).status_code == 401


def test_another_password_ends_every_session(app, operator):
    other = log_in(app, "rin")
    app.extensions["kyara_accounts"].change_password("rin", "a wholly different one")
    for one in (operator, other):
        assert one.get("/operator/").status_code == 401
    assert send_login(app.test_client(), "rin").status_code == 401
    assert send_login(app.test_client(), "rin", "a wholly different one").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"), [("rin", "wrong"), ("nobody", PASSWORD), ("", ""), ("ä" * 99, "x")]
)
def test_a_wrong_login_says_nothing_about_which_was_wrong(app, name, password):
    make_operator(app, "rin")
    answer = send_login(app.test_client(), name, password)
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/operator/?x=1", "/operator/?x=1"),
        ("/operator/characters", "/operator/characters"),
        ("", "/operator/"),
        ("/", "/operator/"),
        ("https://evil.example/operator/", "/operator/"),
        ("//evil.example/operator/", "/operator/"),
        ("/operator/../../evil", "/operator/"),
        ("/operator/%2e%2e/evil", "/operator/"),
        ("/operator/\\evil.example", "/operator/"),
        ("/operator/\t//evil.example", "/operator/"),
        ("/operator/logout", "/operator/"),
        ("javascript:alert(1)", "/operator/"),
    ],
)
def test_after_logging_in_nobody_is_sent_elsewhere(app, wanted, place):
    make_operator(app, "rin")
    answer = send_login(app.test_client(), "rin", next=wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, place)


def test_too_many_wrong_passwords_wait_and_a_known_browser_does_not(app, operator):
    known = operator.client
    known.post("/operator/logout", headers={**JSON, "X-CSRFToken": operator.token})
    stranger = app.test_client()
    answers = [send_login(stranger, "rin", f"wrong {number}").status_code for number in range(8)]
    assert answers == [401] * 6 + [429] * 2
    right = send_login(stranger, "rin")
    assert right.status_code == 429
    assert int(right.headers["Retry-After"]) in range(20, 32)
    assert "Too many wrong passwords" in right.text
    assert re.search(r"looked at in (2\d|3[01]) seconds\.", right.text)
    assert send_login(known, "rin").status_code == 303
    app.extensions["kyara_accounts"].unlock()
    assert send_login(stranger, "rin").status_code == 303


def test_the_dashboard_tells_of_reports_and_of_the_model(app, operator):
    page = operator.page("/operator/")
    assert '<dd class="fw-semibold" data-count="pending">0</dd>' in page
    assert "tiny" in page
    assert "First answer right" in page
    classes = "operator-name text-truncate text-body-secondary"
    assert f'<span class="{classes}" id="operator-name">rin</span>' in page
    assert "unsafe-inline" not in page


def test_the_dashboard_opens_without_a_model(make_app, tmp_path):
    without = make_app(MODEL_FOLDER=str(tmp_path / "none"))
    make_operator(without, "rin")
    assert "No model serves" in log_in(without, "rin").page("/operator/")


def test_the_secret_key_is_made_once_for_its_owner_alone(app, operator, make_app):
    path = Path(app.config["INSTANCE_FOLDER"]) / "secret_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((path.parent / "operators.db").stat().st_mode) == 0o600
    key = path.read_text().strip()
    assert len(key) >= 43
    cookie = operator.client.get_cookie("operator_session", path="/operator/")
    other = make_app().test_client()
    other.set_cookie("operator_session", cookie.value, path="/operator/")
    assert other.get("/operator/", headers=JSON).status_code == 200
    assert path.read_text().strip() == key


@pytest.mark.parametrize("trouble", ["readable", "weak", "empty"])
def test_a_secret_key_that_is_none_lets_nobody_in(app, trouble):
    make_operator(app, "rin")
    path = Path(app.config["INSTANCE_FOLDER"]) / "secret_key"
    path.write_text({"readable": "abcdefghij" * 5, "weak": "aaaa", "empty": ""}[trouble])
    os.chmod(path, 0o644 if trouble == "readable" else 0o600)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = app.test_client().get("/operator/login", headers=JSON)
    assert answer.status_code == 500


@pytest.mark.parametrize("key", ["short", "a" * 64, 10**40, "change-me-" + "xyzuvw987" * 4])
def test_a_weak_key_in_the_environment_keeps_the_site_from_starting(make_app, key):
    with pytest.raises(BadInputError, match="KYARA_SECRET_KEY is weak"):
        make_app(SECRET_KEY=key)


def test_operator_routes_are_not_in_the_public_document(client):
    document = client.get("/api/openapi.json").json
    assert not any(path.startswith("/operator") for path in document["paths"])


def test_an_operator_client_reads_pages(operator: OperatorClient):
    assert "Log out" in operator.page("/operator/")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Datasets", "Log out")),
        ("ja", ("データセット", "ログアウト")),
        ("zh", ("数据集", "退出登录")),
    ],
)
def test_the_pages_speak_the_operators_language(operator, language, words):
    answer = operator.client.get(f"/operator/datasets?lang={language}", headers=PAGE)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/operator/datasets")
    page = operator.page("/operator/datasets")
    assert f'<html lang="{LANGUAGES[language].tag}">' in page
    for word in words:
        assert word in page


def test_the_login_page_has_the_switch_too(app, client):
    make_operator(app, "rin")
    assert client.get("/operator/?lang=ja", headers=PAGE).headers["Location"] == "/operator/"
    assert "パスワード" in client.get("/operator/", headers=PAGE).text


def test_every_message_that_the_operators_scripts_say_is_there(operator):
    settings = re.search(r'id="page-settings"[^>]*>(.*?)</script>', operator.page("/operator/models"))
    assert settings
    messages = json.loads(settings[1])["messages"]
    folder = Path(__file__).resolve().parents[3] / "static" / "js"
    scripts = [*(folder / "operator").glob("*.js"), folder / "page" / "combobox.js"]
    code = "".join(path.read_text(encoding="utf-8") for path in scripts)
    stems = {key.removesuffix("_one").removesuffix("_other") for key in messages}
    assert set(re.findall(r'\bsay\("(\w+)"', code)) == stems

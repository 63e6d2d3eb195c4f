"""Static files: versions in addresses, compressed copies, and what browsers and proxies may keep."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from typing import Any

import brotli
import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from flask_bootstrap import Bootstrap5

from kyara.web.ops.assets import set_up_assets
from kyara.web.ops.page_bundle import PAGE_BUNDLE, PAGE_SCRIPT
from scripts.bundle_page import bundle_page
from scripts.compress_assets import compress_assets, list_assets
from scripts.install_browser_libraries import split_opencv

SCRIPT = b"export const words = 'kyara '.repeat(9);\n" * 60
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A static folder with two scripts, a style sheet and a picture."""
    folder = tmp_path / "static"
    for name, content in {
        "js/main.js": SCRIPT,
        "js/deep/part.js": SCRIPT[:900],
        "css/page.css": b"p { color: red }\n" * 99,
        "vendor/core.wasm": b"\0asm" * 700,
        "picture.png": os.urandom(3000),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def store(tmp_path: Path, static: Path) -> Path:
    folder = tmp_path / "store"
    compress_assets(list_assets(static), folder)
    return folder


class ClosingClient(FlaskClient):
    """Reads and closes every answer at once: files do not stay open."""

    def open(self, *arguments: Any, **options: Any) -> Any:
        return super().open(*arguments, **{"buffered": True, **options})


def make_site(static: Path, store: Path, debug: bool = False) -> Flask:
    site = Flask("site", static_folder=str(static))
    site.test_client_class = ClosingClient
    site.debug = debug
    Bootstrap5(site)
    set_up_assets(site, store)
    site.after_request(lambda response: response.headers.set("X-Policy", "ours") or response)
    return site


def address(site: Flask, filename: str) -> str:
    with site.test_request_context():
        return url_for("static", filename=filename)


@pytest.fixture
def site(static: Path, store: Path) -> Flask:
    return make_site(static, store)


@pytest.fixture
def browser_client(site: Flask) -> FlaskClient:
    return site.test_client()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("*", "br"),
        ("identity", None),
        ("br;q=0, gzip;q=0", None),
        ("", None),
    ],
)
def test_a_file_comes_as_the_browser_takes_it(
    site: Flask, browser_client: FlaskClient, accepted: str, coding: str | None
) -> None:
    answer = browser_client.get(address(site, "js/main.js"), headers={"Accept-Encoding": accepted})
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == coding
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding]
    assert unpack(answer.data) == SCRIPT
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == IMMUTABLE
    assert "javascript" in answer.headers["Content-Type"]
    assert answer.headers["X-Policy"] == "ours", "a worker's script needs the site's policy"


def test_each_coding_has_an_etag_of_its_own_and_answers_304(
    site: Flask, browser_client: FlaskClient
) -> None:
    url = address(site, "js/main.js")
    etags = set()
    for coding in ("br", "gzip", "identity"):
        headers = {"Accept-Encoding": coding}
        etag = browser_client.get(url, headers=headers).headers["ETag"]
        assert not etag.startswith("W/")
        etags.add(etag)
        again = browser_client.get(url, headers={**headers, "If-None-Match": etag})
        assert again.status_code == 304
        assert again.data == b""
        assert again.headers["ETag"] == etag
        assert again.headers["Vary"] == "Accept-Encoding"
        assert again.headers["Cache-Control"] == IMMUTABLE
        assert "Content-Encoding" not in again.headers
    assert len(etags) == 3


def test_head_and_ranges_agree_with_get(site: Flask, browser_client: FlaskClient) -> None:
    url = address(site, "js/main.js")
    for coding in ("br", "identity"):
        headers = {"Accept-Encoding": coding}
        whole = browser_client.get(url, headers=headers)
        head = browser_client.head(url, headers=headers)
        assert head.data == b""
        for name in ("Content-Length", "ETag", "Vary", "Cache-Control", "Content-Type"):
            assert head.headers[name] == whole.headers[name]
        part = browser_client.get(url, headers={**headers, "Range": "bytes=5-24"})
        assert part.status_code == 206
        assert part.data == whole.data[5:25]
        assert part.headers["Content-Range"] == f"bytes 5-24/{len(whole.data)}"
        other = {"Range": "bytes=5-24", "If-Range": '"another"'}
        assert browser_client.get(url, headers={**headers, **other}).status_code == 200
        beyond = browser_client.get(url, headers={**headers, "Range": "bytes=999999-"})
        assert beyond.status_code == 416


def test_pictures_are_kept_but_not_compressed(site: Flask, browser_client: FlaskClient) -> None:
    answer = browser_client.get(address(site, "picture.png"), headers={"Accept-Encoding": "br"})
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == IMMUTABLE
    assert "Content-Encoding" not in answer.headers
    assert "Vary" not in answer.headers


def test_webassembly_has_the_type_that_streaming_needs(site: Flask, browser_client: FlaskClient) -> None:
    answer = browser_client.get(address(site, "vendor/core.wasm"), headers={"Accept-Encoding": "br"})
    assert answer.headers["Content-Type"] == "application/wasm"
    assert answer.headers["Content-Encoding"] == "br"


def test_an_address_changes_with_its_content_and_scripts_change_together(
    static: Path, store: Path
) -> None:
    names = ("js/main.js", "js/deep/part.js", "css/page.css", "picture.png")
    first = {name: address(make_site(static, store), name) for name in names}
    assert first["js/main.js"].removesuffix("js/main.js") == first["js/deep/part.js"].removesuffix(
        "js/deep/part.js"
    ), "relative imports need one version"
    (static / "js/deep/part.js").write_bytes(b"export {};\n")
    second = {name: address(make_site(static, store), name) for name in names}
    assert {name for name in names if first[name] != second[name]} == {"js/main.js", "js/deep/part.js"}
    assert all(re.fullmatch(r"/static/[0-9a-f]{12}/.+", url) for url in second.values())


def test_a_file_that_changes_under_a_running_site_is_kept_by_nobody(
    site: Flask, static: Path, browser_client: FlaskClient
) -> None:
    urls = [address(site, name) for name in ("js/main.js", "css/page.css")]
    assert [browser_client.get(url).headers["Cache-Control"] for url in urls] == [IMMUTABLE] * 2
    for name in ("js/main.js", "css/page.css"):
        (static / name).write_bytes(b"/* new */" * 200)
    for url in urls:
        answer = browser_client.get(url, headers={"Accept-Encoding": "br"})
        assert answer.data == b"/* new */" * 200, "an old compressed copy must not be sent"
        assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("prefix", ["/static/", "/static/0123456789ab/"])
def test_an_address_of_another_version_gets_the_file_of_today(
    browser_client: FlaskClient, prefix: str
) -> None:
    answer = browser_client.get(f"{prefix}js/main.js", headers={"Accept-Encoding": "br"})
    assert brotli.decompress(answer.data) == SCRIPT
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "js/none.js",
        "js",
        "",
        "../store",
        "0123456789ab/",
        "0123456789ab/../../secret.txt",
        "0123456789ab/%2e%2e/%2e%2e/secret.txt",
        "0123456789ab//etc/passwd",
        "%00",
    ],
)
def test_what_is_no_file_of_ours_is_not_found(
    browser_client: FlaskClient, static: Path, path: str
) -> None:
    (static.parent / "secret.txt").write_text("secret")
    assert browser_client.get(f"/static/{path}").status_code == 404


def test_without_copies_and_in_debug_mode_everything_still_works(static: Path, tmp_path: Path) -> None:
    site = make_site(static, tmp_path / "nothing")
    answer = site.test_client().get(address(site, "js/main.js"), headers={"Accept-Encoding": "br"})
    assert answer.data == SCRIPT
    assert answer.headers["Cache-Control"] == IMMUTABLE
    plain = make_site(static, tmp_path / "nothing", debug=True)
    assert address(plain, "js/main.js") == "/static/js/main.js"
    assert plain.test_client().get("/static/js/main.js").data == SCRIPT


def test_compressing_again_does_only_what_has_changed(static: Path, store: Path) -> None:
    assert compress_assets(list_assets(static), store) == 0
    before = {path.name for path in store.iterdir()}
    (static / "css/page.css").write_bytes(b"p { color: blue }\n" * 99)
    assert compress_assets(list_assets(static), store) == 2
    after = {path.name for path in store.iterdir()}
    assert len(after) == len(before)
    assert len(after - before) == 2


def load_page_script(static: Path, store: Path, debug: bool = False) -> str:
    site = make_site(static, store, debug)
    with site.test_request_context():
        return site.jinja_env.from_string("{{ page_script() }}").render()


def test_the_page_loads_one_file_as_long_as_it_is_of_the_scripts_of_today(
    static: Path, store: Path
) -> None:
    main, part = static / PAGE_SCRIPT, static / "js/deep/part.js"
    main.parent.mkdir(parents=True)
    main.write_text('import { who } from "../deep/part.js";\ndocument.title = who;\n')
    part.write_text('export const who = "Javelin";\n')
    assert load_page_script(static, store) == PAGE_SCRIPT, "nothing was bundled yet"

    assert bundle_page(static) == 0
    assert load_page_script(static, store) == PAGE_BUNDLE
    assert load_page_script(static, store, debug=True) == PAGE_SCRIPT
    bundle = (static / PAGE_BUNDLE).read_text()
    assert "Javelin" in bundle
    assert "part.js" not in bundle

    part.write_text('export const who = "Laffey";\n')
    assert load_page_script(static, store) == PAGE_SCRIPT, "the bundle is old"
    assert bundle_page(static) == 0
    assert load_page_script(static, store) == PAGE_BUNDLE
    (static / PAGE_BUNDLE).unlink()
    assert load_page_script(static, store) == PAGE_SCRIPT


def test_scripts_that_cannot_be_bundled_are_told(
    static: Path, store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    main = static / PAGE_SCRIPT
    main.parent.mkdir(parents=True)
    main.write_text('import "./gone.js";\n')
    assert bundle_page(static) == 1
    assert 'Could not resolve "./gone.js"' in capfd.readouterr().err
    assert load_page_script(static, store) == PAGE_SCRIPT


def test_the_page_that_ships_loads_its_bundle(client: FlaskClient) -> None:
    """Set-up makes it before the tests: `make test`, `make run`."""
    scripts = re.findall(r'<script type="module" src="([^"]+)"', client.get("/").text)
    assert [script.rpartition("/static/")[2][13:] for script in scripts] == [PAGE_BUNDLE]


def test_the_page_and_bootstrap_are_versioned(client: FlaskClient) -> None:
    page = client.get("/").text
    urls = set(re.findall(r'(?:src|href)="(/(?:static|bootstrap)/[^"]+)"', page))
    assert any(url.startswith("/bootstrap/static/") for url in urls)
    for url in urls:
        with client.get(url) as answer:
            assert answer.headers["Cache-Control"] == IMMUTABLE, url
            assert "Content-Security-Policy" in answer.headers


def test_opencv_is_split_into_glue_and_webassembly(tmp_path: Path) -> None:
    source = tmp_path / "opencv.js"
    source.write_bytes(b'var file="data:application/octet-stream;base64,AGFzbQEAAAA=";go()')
    split_opencv(source, tmp_path)
    assert (tmp_path / "opencv.wasm").read_bytes() == b"\0asm\x01\0\0\0"
    assert (tmp_path / "opencv-glue.js").read_bytes() == b'var file="opencv.wasm";go()'
    with pytest.raises(SystemExit, match="carries 0 WebAssembly modules"):
        split_opencv(tmp_path / "opencv-glue.js", tmp_path)

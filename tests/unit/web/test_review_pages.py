"""The pages of reports and characters, over HTTP."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from command_line import run_kyara
from operators import log_in, make_operator

QUEUE = "/operator/reports/queue"


def send(client, crop: str, label: str = "aka_ribbon", address: str = "203.0.113.1") -> str:
    answer = client.post(
        "/api/reports",
        json={"crop": crop, "label": label, "note": "<b>x</b>"},
        environ_base={"REMOTE_ADDR": address},
    )
    assert answer.status_code == 201
    return answer.json["id"]


def seen(operator, report_id: str) -> dict[str, object]:
    queue = operator.get(f"{QUEUE}?state=all").json["reports"]
    return next(
        {"id": one["id"], "revision": one["revision"]} for one in queue if one["id"] == report_id
    )


def decide(operator, report_id: str, action: str, **more):
    reports = [seen(operator, report_id)]
    return operator.post("/operator/reports/decide", reports=reports, action=action, **more)


def test_a_report_is_seen_accepted_undone_and_exported(app, client, operator, crop):
    one = send(client, crop)
    (entry,) = operator.get(QUEUE).json["reports"]
    assert (entry["said_name"], entry["note"], entry["marks"]) == ("Aka Ribbon", "<b>x</b>", [])
    assert len(entry["answers"]) == 4
    with operator.get(entry["crop"]) as picture:
        assert picture.content_type == "image/png"
    done = decide(operator, one, "accept")
    assert (done.status_code, done.json["counts"]["accepted"]) == (200, 1)
    dataset = Path(app.config["DATASET_FOLDER"])
    assert (dataset / "faces" / "aka_ribbon" / f"report-{one}.png").is_file()
    (review,) = operator.get(f"/operator/reports/{one}/history").json["history"]
    assert (review["operator"], review["action"]) == ("rin", "accept")
    with operator.get("/operator/reports/export.zip?state=accepted") as export:
        data = export.data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == [f"crops/{one}.png", "reports.json"]
    undone = operator.post("/operator/reports/undo")
    assert undone.json["reports"][0]["state"] == "pending"
    assert not list(dataset.rglob("*.png"))


@pytest.mark.parametrize(
    ("language", "red", "blue"), [("ja", "赤リボン", "青めがね"), ("zh", "红丝带", "蓝眼镜")]
)
def test_names_are_in_the_operators_language(client, operator, crop, language, red, blue):
    operator.client.get(f"/operator/reports?lang={language}", headers={"Accept": "text/html"})
    one, other = (send(client, crop, label) for label in ("aka_ribbon", "Ao Glasses"))
    entries = {entry["id"]: entry for entry in operator.get(QUEUE).json["reports"]}
    assert [entries[report]["said_name"] for report in (one, other)] == [red, blue]
    assert [said["name"] for said in entries[one]["others"]] == [blue]
    assert {red, blue} <= {answer["name"] for answer in entries[one]["answers"]}
    assert {near["name"] for near in entries[one]["references"]} == {red}
    (accepted,) = decide(operator, one, "accept").json["reports"]
    assert accepted["reviewed_name"] == red
    refused = decide(operator, other, "accept", known=True)
    assert refused.status_code == 409
    assert red in refused.json["detail"]
    assert red in operator.page("/operator/datasets")
    undone = operator.post("/operator/reports/undo").json["reports"]
    assert [report["said_name"] for report in undone] == [red]
    told = decide(operator, other, "accept", known=True).json
    assert told["known"] == [blue]
    assert blue in told["told"][0]
    taken = operator.post("/operator/characters/teach", name="Ribbon Aka", crops=[crop])
    assert (taken.status_code, red in taken.json["detail"]) == (409, True)


def test_what_a_visitor_wrote_is_repeated_as_it_was_written(client, operator, crop):
    refused = decide(operator, send(client, crop, "白ぼうし"), "accept")
    assert refused.status_code == 400
    assert "says “白ぼうし”, which is nobody who is known" in refused.json["detail"]
    wrong = operator.post("/operator/reports/decide", reports=[], action="correct", label="a\u202eb")
    assert "\u202e" not in wrong.text


def test_another_operators_step_and_a_stale_view_are_409(app, client, operator, crop):
    one = send(client, crop)
    assert decide(operator, one, "accept", step="a-step-of-rin").status_code == 200
    make_operator(app, "len")
    other = log_in(app, "len")
    undone = other.post("/operator/reports/undo", step="a-step-of-rin")
    assert (undone.status_code, undone.content_type) == (409, "application/problem+json")
    stale = {"reports": [{"id": one, "revision": 0}], "action": "reject"}
    assert other.post("/operator/reports/decide", **stale).status_code == 409
    assert other.post("/operator/reports/undo").status_code == 404


def test_someone_new_is_known_from_then_on(client, operator, crop):
    one = send(client, crop, "not_listed")
    assert decide(operator, one, "accept").status_code == 400
    done = decide(operator, one, "new", label="shiro_hat", name={"en": "Shiro Hat"})
    assert done.json["reports"][0]["reviewed_name"] == "Shiro Hat"
    (found,) = operator.get("/operator/characters/search?query=hat").json["characters"]
    assert found["label"] == "shiro_hat"
    assert "not in the model" in operator.page("/operator/characters?query=shiro")


def test_deleting_needs_to_be_told_what(client, operator, crop):
    one = send(client, crop)
    assert operator.post("/operator/reports/delete").status_code == 400
    assert operator.post("/operator/reports/delete", ids=[one]).json["deleted"] == [one]
    assert operator.get(f"{QUEUE}?state=all").json["total"] == 0
    assert operator.get(f"/operator/reports/{one}/crop").status_code == 404


def test_visitors_vote_only_where_the_operator_says_so(client, operator, crop):
    for number in range(3):
        send(client, crop, address=f"203.0.113.{number}")
    assert operator.get(QUEUE).json["total"] == 1
    switched = operator.post("/operator/reports/vote", on=True)
    assert len(switched.json["accepted"]) == 1


def test_a_report_that_completes_the_quorum_is_accepted_at_once(client, operator, crop):
    operator.post("/operator/reports/vote", on=True)
    for number in (1, 1, 1, 2):
        send(client, crop, address=f"203.0.113.{number}")
    assert operator.get(QUEUE).json["total"] == 1
    send(client, crop, address="203.0.113.3")
    assert operator.get(f"{QUEUE}?state=accepted").json["total"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/operator/reports/reference?path=../../secret.png",
        "/operator/reports/reference?path=/etc/passwd",
        "/operator/reports/reference?path=index.csv",
        "/operator/reports/reference?taught=1",
        "/operator/reports/reference?taught=x",
        f"/operator/reports/{'0' * 32}/crop",
        f"/operator/reports/{'0' * 32}/history",
    ],
)
def test_what_is_not_there_is_404(operator, path):
    assert operator.get(path).status_code == 404


def test_characters_are_listed_with_names_and_counts(client, operator, crop):
    send(client, crop)
    page = operator.page("/operator/characters?query=ribbon")
    assert "赤リボン" in page
    assert 'data-label="aka_ribbon"' in page
    assert 'data-label="ao_glasses"' not in page


def test_the_datasets_page_counts_what_was_accepted(app, client, operator, crop):
    assert "No labelled face yet" in operator.page("/operator/datasets")
    decide(operator, send(client, crop), "accept")
    versions = Path(app.config["DATASET_FOLDER"]) / "versions"
    versions.mkdir()
    (versions / "0123456789ab.json").write_text(json.dumps({"files": [{}, {}]}))
    page = operator.page("/operator/datasets")
    assert "1 faces, 1 characters" in page
    assert 'data-label="aka_ribbon"' in page
    assert "too few sources" in page
    assert "<code>0123456789ab</code> 2 faces" in page


def test_the_command_line_reviews_as_the_page_does(app, client, crop, tiny_model_folder):
    one = send(client, crop)
    places = ["reports", "--reports", app.config["REPORT_FOLDER"], "--operator", "rin"]
    places += ["--dataset", app.config["DATASET_FOLDER"], "--models", tiny_model_folder]
    (listed,) = json.loads(run_kyara(*places, "list", "--json").stdout)["reports"]
    assert listed["id"] == one
    assert "accepted as aka_ribbon" in run_kyara(*places, "accept", one).stdout
    (undone,) = json.loads(run_kyara(*places, "undo", "--json").stdout)["reports"]
    assert undone["state"] == "pending"
    out = Path(app.config["DATASET_FOLDER"]).parent / "out.zip"
    assert json.loads(run_kyara(*places, "export", out, "--json").stdout) == {"reports": 1}
    run_kyara(*places, "reject", one, "--not-a-face")
    assert json.loads(run_kyara(*places, "delete", one, "--yes", "--json").stdout) == {"deleted": [one]}
    wrong = run_kyara(*places, "accept", "nobody", check=False)
    lines = [line for line in wrong.stderr.splitlines() if not line.startswith("INFO: Created")]
    assert (wrong.returncode, len(lines)) == (1, 1)

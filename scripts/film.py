"""The film in docs/film/: eight pictures of what a visitor and an operator do on the running site.

A visitor drops the example, teaches their browser whom it does not know, looks somebody up and plays a
video; then an operator sees what a visitor has reported. The scenes follow each other in one browser.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import cv2
import numpy as np
from local_site import ROOT, Server
from PIL import Image
from playwright.sync_api import Browser, Error, Locator, Page, ViewportSize

FOLDER = ROOT / "docs" / "film"
EXAMPLE = ROOT / "static" / "vendor" / "example.png"
NAMES = ("Javelin", "Laffey", "Ayanami")
"""Of the example, from left to right."""
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
PASSWORD = "nine lives of a cat"  # nosec B105 # of an account that lives as long as the film is taken
FRAMES_A_SECOND, SHOT_S = 10, 3
SETTLE_MS = 600
PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Scene:
    """One picture of the film: its name, what is told above it, and how it is reached."""

    name: str
    words: str
    play: Callable[[Page, str], None]


def drop(page: Page, url: str) -> None:
    """Hold a picture over the page."""
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    hold_file(page, "dragenter")


def hold_file(page: Page, event: str) -> None:
    """Let the page see a file that is dragged over it."""
    page.evaluate(
        """(name) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([""], "picture.png", { type: "image/png" }));
          const event = new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        }""",
        event,
    )


def show_names(page: Page, url: str) -> None:
    """Open the example."""
    hold_file(page, "dragleave")
    page.locator("#welcome [data-example]").click()
    wait_for_answers(page)


def show_unknown(page: Page, url: str) -> None:
    """Open the ways on below a face that nobody knows."""
    card = find_unknown(page)
    for more in card.locator("details:visible > summary").all():
        more.click()
    card.scroll_into_view_if_needed()


def teach(page: Page, url: str) -> None:
    """Say who the unknown ones are, for this browser alone."""
    find_unknown(page)
    while (unknown := page.locator('.face-card[data-mark="unknown"]')).count():
        before = unknown.count()
        number = page.locator(".face-card").evaluate_all(
            "(cards) => cards.findIndex((card) => card.dataset.mark === 'unknown')"
        )
        unknown.first.locator(".card-wrong").click()
        page.locator("#report-label").fill(NAMES[number] if number < len(NAMES) else "Piyo")
        page.locator("#report-here").click()
        page.locator("#report-dialog").wait_for(state="hidden")
        page.wait_for_function(
            "(before) => document.querySelectorAll('.face-card[data-mark=\"unknown\"]').length < before",
            arg=before,
        )
    taught = page.locator(".card-mine:visible, .answer-mine:visible").last
    taught.scroll_into_view_if_needed()


def find_unknown(page: Page) -> Locator:
    """Return the first card of an unknown face; where all are known, of a box around the chick."""
    unknown = page.locator('.face-card[data-mark="unknown"]')
    if not unknown.count():
        canvas = page.locator("cropper-canvas")
        canvas.scroll_into_view_if_needed()
        place = canvas.bounding_box()
        assert place
        page.mouse.move(place["x"] + 0.003 * place["width"], place["y"] + 0.86 * place["height"])
        page.mouse.down()
        page.mouse.move(place["x"] + 0.08 * place["width"], place["y"] + 0.99 * place["height"], steps=4)
        page.mouse.up()
        wait_for_answers(page)
    unknown.first.wait_for()
    return unknown.first


def list_characters(page: Page, url: str) -> None:
    """Look for somebody in the list of those who are known."""
    answer = page.goto(f"{url}/characters")
    assert answer
    assert answer.ok, answer.status
    field = page.locator('main input[type="search"]').first
    field.fill("miku")
    field.press("Enter")
    page.wait_for_load_state("networkidle")


def play_live(page: Page, url: str) -> None:
    """Play a video of three shots to its end."""
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    with TemporaryDirectory() as folder:
        page.locator("#file-input").set_input_files(write_video(Path(folder) / "video.webm"))
        wait_for_answers(page)
    page.locator("#live-button").click()
    page.locator(".timeline-span").first.wait_for(timeout=PATIENCE_MS)
    page.locator('#live-button[aria-pressed="false"]').wait_for(timeout=PATIENCE_MS)
    wait_for_answers(page)
    page.evaluate("scrollTo(0, 0)")


def write_video(path: Path) -> Path:
    """Write a video in which the camera goes over parts of the example, with a cut between them."""
    picture = Image.open(EXAMPLE).convert("RGB")
    width, height = picture.width // 2, picture.height
    size = (width // 2 * 2, height // 2 * 2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), FRAMES_A_SECOND, size)
    for start in (0, width, width // 2, 0):
        for number in range(FRAMES_A_SECOND * SHOT_S):
            left = min(start + number, picture.width - size[0])
            frame = np.asarray(picture.crop((left, 0, left + size[0], size[1])))
            writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return path


def open_on_phone(page: Page, url: str) -> None:
    """Open the example where the screen is narrow."""
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.locator("#welcome [data-example]").click()
    wait_for_answers(page)


def accept(page: Page, url: str) -> None:
    """Look at a visitor's report, about to accept it."""
    send_report(url)
    page.goto(f"{url}/operator/login?next=/operator/reports")
    page.fill("#name", "rin")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".tile-face").first.wait_for()
    page.locator("#report-accept").focus()


def send_report(url: str) -> None:
    """Report the first face of the example, as the page does."""
    out = io.BytesIO()
    Image.open(EXAMPLE).convert("RGB").crop((230, 170, 560, 500)).save(out, "PNG")
    crop = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    body = json.dumps({"crop": crop, "label": NAMES[0], "note": "Azur Lane"}).encode()
    urlopen(Request(f"{url}/api/reports", body, {"Content-Type": "application/json"})).close()


def wait_for_answers(page: Page) -> None:
    """Wait until the faces of what is shown are found and answered."""
    page.wait_for_selector('#status[data-kind="done"]', timeout=PATIENCE_MS)
    page.wait_for_function("() => !document.querySelector('.face-card[data-mark=\"asking\"]')")


VISITOR = (
    Scene("drop", "A picture is dropped anywhere on the page.", drop),
    Scene("names", "Each face has its answer, without a click.", show_names),
    Scene("unknown", "A face that Kyara does not know, and the ways on from there.", show_unknown),
    Scene("taught", "Told once, this browser knows them.", teach),
    Scene("characters", "Who is known: a list to search, names in three languages.", list_characters),
    Scene("live", "A video has played: who appeared when.", play_live),
)
ON_PHONE = (Scene("phone", "On a phone the first name stands above the fold.", open_on_phone),)
OPERATOR = (Scene("accept", "An operator accepts what a visitor has reported.", accept),)


def take_film(browser: Browser) -> list[str]:
    """Write docs/film/ and its page.

    Returns:
        What went wrong, a line for each scene that could not be taken.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with TemporaryDirectory() as scratch, start_site(Path(scratch)) as site:
        for number, (scenes, size) in enumerate(
            ((VISITOR, DESKTOP), (ON_PHONE, PHONE), (OPERATOR, DESKTOP))
        ):
            phone = number == 1
            context = browser.new_context(
                locale="en-US", viewport=size, has_touch=phone, is_mobile=phone
            )
            page = context.new_page()
            for scene in scenes:
                try:
                    scene.play(page, site.url)
                except (Error, AssertionError) as error:  # the other scenes are taken all the same
                    problems.append(f"{scene.name}: {error}".splitlines()[0])
                    continue
                save_picture(page, scene)
            context.close()
    write_page()
    return problems


def start_site(folder: Path) -> Server:
    """Start the site with the model that ships, a report folder and an operator of its own."""
    database = f"sqlite:///{folder / 'operators.db'}"
    command = [sys.executable, "-m", "kyara", "operator", "create", "rin", "--password-stdin"]
    subprocess.run(
        [*command, "--database", database], cwd=ROOT, input=f"{PASSWORD}\n", text=True, check=True
    )
    return Server(
        folder / "reports",
        INSTANCE_FOLDER=folder / "instance",
        DATASET_FOLDER=folder / "dataset",
        OPERATOR_DATABASE_URL=database,
    )


def save_picture(page: Page, scene: Scene) -> None:
    """Write what the page shows."""
    page.mouse.move(1, 1)
    page.wait_for_timeout(SETTLE_MS)
    path = FOLDER / f"{find_number(scene)}-{scene.name}.png"
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").quantize(256).save(path, optimize=True)
    print(path.relative_to(ROOT))


def find_number(scene: Scene) -> int:
    """Return the place of a scene in the film, from 1."""
    return (*VISITOR, *ON_PHONE, *OPERATOR).index(scene) + 1


def write_page() -> None:
    """Write the page that shows the pictures that there are."""
    parts = ["# What it looks like\n\nTaken from the running site by `make screenshot`."]
    for scene in (*VISITOR, *ON_PHONE, *OPERATOR):
        name = f"{find_number(scene)}-{scene.name}.png"
        if (FOLDER / name).exists():
            parts.append(f"{scene.words}\n\n![{scene.words}]({name})")
    (FOLDER / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")

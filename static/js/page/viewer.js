/**
 * Shows a picture of the album as it was left, and the page without a picture.
 */

import { resumeCropTimes, seenTimes } from "../picture/crops.js";
import { openPicture } from "../picture/picture.js";
import { byId } from "./elements.js";
import { say, settings } from "./messages.js";
import { Toast } from "./toasts.js";

/** @typedef {import("./album.js").Entry} Entry */
/** @typedef {import("./album.js").View} View */
/**
 * @typedef {object} Parts of the page that show a picture
 * @property {import("./album.js").Album} album
 * @property {import("../picture/arrivals.js").Arrivals} arrivals
 * @property {import("./state.js").PageState} state
 * @property {import("./status.js").StatusLine} status
 * @property {import("../faces/search.js").FaceSearch} search
 * @property {import("../faces/editor.js").Editor} editor
 * @property {import("./tools.js").Tools} tools
 * @property {import("../live/live.js").Live} live
 */

export class Viewer {
  #openings = 0;

  /** @param {Parts} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /**
   * Show a picture; of several calls in a hurry the last wins.
   * @param {Entry} entry
   * @returns {Promise<boolean>} false if the browser cannot read it, and nobody has opened another one meanwhile
   */
  async open(entry) {
    const { album, arrivals, state, status, search, editor, tools, live } = this.parts;
    this.#openings += 1;
    const opening = this.#openings;
    arrivals.cancel();
    search.cancel();
    status.show({ kind: "busy", text: say("opening") });
    let picture;
    try {
      picture = await openPicture(entry.blob, entry.view?.frame);
    } catch {
      if (opening !== this.#openings) return true;
      this.#refuse();
      return false;
    }
    if (opening !== this.#openings || !album.entries.includes(entry)) {
      picture.close();
      if (opening === this.#openings) this.#goOn();
      return true;
    }
    const { view } = entry;
    album.enter(entry);
    showWorkspace(true);
    live.forget();
    picture.turnTo(view?.turns ?? 0);
    state.open(picture);
    editor.setPicture(picture.bitmap);
    tools.showFrames(picture);
    search.level = view?.level ?? search.level;
    if (view) this.#resumeFaces(view);
    else void search.run();
    return true;
  }

  /** The browser cannot read the file: what was under way for the picture that is shown goes on. */
  #refuse() {
    const { album, state, status, search, live } = this.parts;
    const error = say("unreadable");
    const isDone = search.isDone && state.waiting().length === 0;
    if (!album.current || live.running || isDone) return status.show({ kind: "error", text: error });
    new Toast().say(error, "error");
    this.#goOn();
  }

  #goOn() {
    const { album, status, search } = this.parts;
    if (!album.current) status.hide();
    else if (search.isDone) search.goOn();
    else void search.run();
  }

  /** Put the boxes and answers back; in another language the answers are asked for again. @param {View} view */
  #resumeFaces({ saved, language, seen, searched = true }) {
    const { state, search } = this.parts;
    if (!search.levels) resumeCropTimes(seen);
    const isEmpty = saved.faces.length === 0 && saved.past.length === 0;
    if (!isEmpty) state.resume(language === settings.language ? saved : { ...saved, answers: [] });
    if (isEmpty || !searched) return void search.run();
    search.isDone = true;
    search.prepare();
    search.goOn();
  }

  showWelcome() {
    const { arrivals, state, status, search, live } = this.parts;
    this.#openings += 1;
    arrivals.cancel();
    search.cancel();
    live.forget();
    state.open(null);
    showWorkspace(false);
    status.hide();
  }

  /** How the picture that is shown looks now. @returns {View | null} */
  collect() {
    const { state, search, live } = this.parts;
    const { picture } = state;
    if (!picture) return null;
    return {
      frame: live.frame ?? picture.frame,
      level: search.level,
      turns: picture.turns,
      width: picture.width,
      height: picture.height,
      language: settings.language,
      seen: seenTimes(),
      searched: search.isDone,
      saved: state.save(),
    };
  }
}

/** @param {boolean} shown in place of the welcome */
function showWorkspace(shown) {
  byId("welcome", HTMLElement).hidden = shown;
  byId("workspace", HTMLElement).hidden = !shown;
}

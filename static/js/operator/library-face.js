/**
 * A face that is looked for: a picture is dropped, pasted or chosen, its faces are found in this browser, and one of
 * them is sent.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say } from "../page/messages.js";
import { fetchPicture } from "../picture/address.js";
import { receivePictures } from "../picture/intake.js";
import { describeError, post } from "./api.js";
import { cutFaces } from "./face-files.js";

/** Longest side of what the browser keeps of the crop, with the place in its history. */
const KEPT_PX = 96;

/**
 * @typedef {object} FaceActs
 * @property {(like: string, crop: string) => void} seek
 * @property {(words: string) => void} tell what is being done; empty when it is done
 * @property {(words: string) => void} complain
 */

export class FaceIntake {
  #asked = 0;

  /** @param {FaceActs} acts */
  constructor(acts) {
    this.acts = acts;
    this.choice = byId("face-choice", HTMLElement);
    this.list = byId("face-list", HTMLElement);
    receivePictures(
      {
        input: byId("face-file", HTMLInputElement),
        addressForm: document.createElement("form"),
        overlay: byId("drop-overlay", HTMLElement),
        choosers: [byId("face-button", HTMLButtonElement)],
        examples: [],
      },
      {
        open: ([file]) => void this.#take(async () => file),
        fetch: (address) => void this.#take(() => fetchPicture(address, new AbortController().signal)),
        openExample: () => {},
        refuseLink: () => this.acts.complain(say("library_no_picture")),
        expect: () => {},
      },
    );
  }

  /** Nothing is chosen from any more. */
  close() {
    this.#asked += 1;
    this.choice.hidden = true;
    this.list.replaceChildren();
  }

  /** @param {() => Promise<Blob | undefined>} bring */
  async #take(bring) {
    this.close();
    const asked = this.#asked;
    this.acts.complain("");
    this.acts.tell(say("teach_looking"));
    try {
      const file = await bring().catch(() => undefined);
      if (!file) throw new Error(say("library_no_picture"));
      const { crops, found } = await cutFaces(file).catch(() => {
        throw new Error(say("library_no_picture"));
      });
      if (asked !== this.#asked) return;
      this.acts.tell(found === 0 ? say("library_no_face") : "");
      if (crops.length === 1) await this.#send(crops[0]);
      else this.#offer(crops);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.acts.tell("");
      this.acts.complain(describeError(error));
    }
  }

  /** @param {string[]} crops */
  #offer(crops) {
    this.list.replaceChildren(
      ...crops.map((crop, place) => {
        const item = copyTemplate("crop-template");
        part(item, "img").setAttribute("src", crop);
        const button = part(item, "button");
        button.setAttribute("aria-label", say("face_number", { number: place + 1 }));
        button.addEventListener("click", () => {
          this.#send(crop).catch((error) => this.acts.complain(describeError(error)));
        });
        return item;
      }),
    );
    this.choice.hidden = false;
    part(this.list, "button").focus();
  }

  /** @param {string} crop */
  async #send(crop) {
    const asked = this.#asked;
    const { like } = await post("/operator/library/like", { crop });
    if (asked !== this.#asked) return;
    this.close();
    this.acts.seek(like, await shrink(crop));
  }
}

/** @param {string} crop data URL @returns {Promise<string>} a small one */
async function shrink(crop) {
  const image = new Image();
  image.src = crop;
  await image.decode();
  const times = Math.min(1, KEPT_PX / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * times));
  canvas.height = Math.max(1, Math.round(image.height * times));
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.9);
}

/**
 * Sentences in the reader's language, and the few settings that the server hands to the page.
 * Both come in one JSON block of the page, so that no script stands in the HTML.
 */

/**
 * @typedef {object} Settings
 * @property {string} language as the API spells it
 * @property {string} locale as the browser spells it
 * @property {{cropper: string, worker: string, opencv: string, wasm: string, cascade: string, settings: string, network: string, networkSettings: string, networkEyes: string, example: string, address_worker: string}} urls
 * @property {Record<string, string>} messages
 * @property {import("../operator/packs.js").InstalledPack[]} [packs] the operators' characters page: what is installed
 * @property {string} [state] the operators' page of groups: which are shown
 * @property {number} [most_characters] the operators' page of the library: who may be looked for together
 * @property {number} crop_px the longest side of a crop that is asked about, as the model needs it
 * @property {number} crop_margin how many times as wide as the tight face its crop is
 * @property {number} upright_from_deg a face that leans further is turned upright
 */

/** @type {Settings} */
export const settings = JSON.parse(document.getElementById("page-settings")?.textContent ?? "{}");

/** Whether fingers take the place of mouse and keys: then no sentence speaks of keys. */
export const isTouched = matchMedia("(hover: none)").matches;

/**
 * Make something when it is first asked for: each of Intl's takes milliseconds, while the page loads.
 * @template T @param {() => T} make @returns {() => T}
 */
export function lazily(make) {
  /** @type {T | undefined} */
  let made;
  return () => (made ??= make());
}

const plural = lazily(() => new Intl.PluralRules(settings.locale));
const percent = lazily(() => new Intl.NumberFormat(settings.locale, { style: "percent" }));

/**
 * The sentence for a key, with `{name}` replaced. A `count` chooses between `key_one` and `key_other`.
 * @param {string} key @param {Record<string, string | number>} [values] @returns {string}
 */
export function say(key, values = {}) {
  const form = "count" in values ? `${key}_${plural().select(Number(values.count))}` : key;
  const sentence = settings.messages[form] ?? settings.messages[`${key}_other`] ?? settings.messages[key];
  if (sentence === undefined) throw new Error(`No message is called ${key}.`);
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** 0.987 → "99%"; what is not quite certain never reads 100%. @param {number} share */
export function sayPercent(share) {
  if (share > 0 && share < 0.01) return `<${percent().format(0.01)}`;
  return percent().format(share < 1 ? Math.min(share, 0.99) : 1);
}

const distance = lazily(() => new Intl.RelativeTimeFormat(settings.locale));

/** 90 → "in 2 minutes" @param {number} seconds from now */
export function sayWhen(seconds) {
  if (seconds > 3600) return distance().format(Math.ceil(seconds / 3600), "hour");
  if (seconds > 60) return distance().format(Math.ceil(seconds / 60), "minute");
  return distance().format(Math.max(1, Math.ceil(seconds)), "second");
}

/** 75.3 → "1:15.3" @param {number} seconds */
export function sayTime(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

/**
 * The models page: shows the state that the server sends, promotes, rolls back, retrains.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { ServerError, ask, describeError, post } from "./api.js";
import { watchState } from "./model-progress.js";

/** @typedef {{serving: string, serving_version: string, drawings: number, falls: string[], changed: {right: number, wrong: number}}} Comparison */
/** @typedef {{name: string, version: string, characters: number, recipe: string, dataset_version: string, figures: Record<string, number>, comparison: Comparison | null}} Bundle */
/** @typedef {{job: string, recipe: string, stage: string, running: boolean, interrupted: boolean, epoch: number, epochs: number, loss: number | null, seconds_left: number | null, error: string, falls: string[]}} Job */
/** @typedef {{name: string, at: string, action?: string, undone?: string, forced?: string, operator?: string}} Step */
/** @typedef {{serving: string, before: string, problem?: string, history: Step[], bundles: Bundle[], jobs: Job[]}} State */

const URL_OF_PAGE = "/operator/models";
const FIGURES = { top1: "first answer right", macro_f1: "macro-F1", ece: "calibration error" };

const problem = byId("models-problem", HTMLElement);
const live = byId("models-live", HTMLElement);
const rollback = byId("rollback-button", HTMLButtonElement);
const dialog = byId("force-dialog", HTMLDialogElement);
const reason = byId("force-reason", HTMLTextAreaElement);
const force = byId("force-promote", HTMLButtonElement);
/** Of the bundle that was refused. */
let refused = "";
/** @type {State | null} */
let shown = null;

/** @param {State} state */
function show(state) {
  const focused = document.activeElement?.getAttribute("data-key");
  announce(state);
  shown = state;
  if (state.problem) complain(state.problem);
  byId("models-bundles", HTMLElement).replaceChildren(...state.bundles.map((one) => createBundle(one, state)));
  byId("models-jobs", HTMLElement).replaceChildren(...state.jobs.map(createJob));
  byId("models-no-jobs", HTMLElement).hidden = state.jobs.length > 0;
  byId("models-history", HTMLElement).replaceChildren(...state.history.map(createStep));
  rollback.disabled = !state.before;
  rollback.textContent = state.before ? `Roll back to ${state.before}` : "Roll back";
  byId("retrain-start", HTMLButtonElement).disabled = state.jobs.some(({ running }) => running);
  if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
}

/** Say aloud what changed. @param {State} state */
function announce(state) {
  if (shown && shown.serving !== state.serving) live.textContent = `${state.serving} serves.`;
  for (const job of state.jobs) {
    const before = shown?.jobs.find(({ job: name }) => name === job.job);
    if (before && before.stage !== job.stage) live.textContent = `${job.job}: ${job.stage}.`;
  }
}

/** @param {Bundle} bundle @param {State} state */
function createBundle(bundle, state) {
  const item = copyTemplate("bundle-template");
  const serves = bundle.name === state.serving;
  item.dataset.serving = String(serves);
  item.dataset.name = bundle.name;
  part(item, ".bundle-name").textContent = bundle.name;
  part(item, ".bundle-badge").hidden = !serves;
  const facts = [`version ${bundle.version}`, `${bundle.characters} characters`, bundle.recipe];
  if (bundle.dataset_version) facts.push(`dataset ${bundle.dataset_version}`);
  part(item, ".bundle-facts").textContent = facts.filter(Boolean).join(" · ");
  part(item, ".bundle-figures").textContent = describeFigures(bundle.figures);
  const verdict = part(item, ".bundle-verdict");
  verdict.textContent = serves ? "" : describeVerdict(bundle, state);
  verdict.dataset.worse = String(!serves && (bundle.comparison?.falls.length ?? 0) > 0);
  const button = part(item, ".bundle-promote");
  button.hidden = serves;
  button.dataset.key = `promote ${bundle.name}`;
  button.setAttribute("aria-label", `Promote ${bundle.name}`);
  button.addEventListener("click", () => promote(bundle.name, ""));
  linkComparison(item, ".bundle-compare", bundle.name, bundle.comparison !== null);
  return item;
}

/** @param {Record<string, number>} figures */
function describeFigures(figures) {
  return Object.entries(FIGURES)
    .filter(([key]) => key in figures)
    .map(([key, words]) => `${words} ${(100 * (figures[key] ?? 0)).toFixed(1)}%`)
    .join(" · ");
}

/** @param {Bundle} bundle @param {State} state */
function describeVerdict({ comparison }, state) {
  const serving = state.bundles.find(({ name }) => name === state.serving);
  if (!comparison || comparison.serving_version !== serving?.version) return "Not compared with what serves now.";
  if (comparison.falls.length > 0) return `Worse: ${comparison.falls.join(". ")}.`;
  const { right, wrong } = comparison.changed;
  return `Nothing fell: of ${comparison.drawings} held-out drawings ${right} became right, ${wrong} wrong.`;
}

/** @param {HTMLElement} item @param {string} selector @param {string} name @param {boolean} there */
function linkComparison(item, selector, name, there) {
  const link = part(item, selector);
  link.hidden = !there;
  link.dataset.key = `compare ${selector} ${name}`;
  link.setAttribute("href", `${URL_OF_PAGE}/comparisons/${encodeURIComponent(name)}`);
  link.setAttribute("aria-label", `Compare ${name}`);
}

/** @param {Job} job */
function createJob(job) {
  const item = copyTemplate("job-template");
  item.dataset.name = job.job;
  item.dataset.stage = job.stage;
  part(item, ".job-name").textContent = job.job;
  part(item, ".job-words").textContent = describeJob(job);
  const progress = /** @type {HTMLProgressElement} */ (part(item, ".job-progress"));
  progress.hidden = !job.running;
  progress.setAttribute("aria-label", `Progress of ${job.job}`);
  if (job.epochs > 0) progress.value = job.epoch / job.epochs;
  const button = part(item, ".job-resume");
  button.hidden = !job.interrupted && job.stage !== "failed";
  button.dataset.key = `resume ${job.job}`;
  button.setAttribute("aria-label", `Go on with ${job.job}`);
  button.addEventListener("click", () => act(() => post(`${URL_OF_PAGE}/jobs/${encodeURIComponent(job.job)}/resume`, {})));
  linkComparison(item, ".job-compare", job.job, job.stage === "done");
  return item;
}

/** @param {Job} job */
function describeJob(job) {
  if (job.stage === "failed") return `Failed: ${job.error}`;
  if (job.stage === "done") return job.falls.length > 0 ? `Done; worse: ${job.falls.join(". ")}.` : "Done; nothing fell.";
  const words = [job.interrupted ? `interrupted while ${job.stage}` : job.stage];
  if (job.epochs > 0) words.push(`epoch ${job.epoch} of ${job.epochs}`);
  if (job.loss !== null) words.push(`loss ${job.loss.toFixed(3)}`);
  if (job.running && job.seconds_left !== null) words.push(`about ${describeSeconds(job.seconds_left)} left`);
  return words.join(" · ");
}

/** @param {number} seconds */
function describeSeconds(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

/** @param {Step} step */
function createStep(step) {
  const item = copyTemplate("step-template");
  const words = step.action === "rollback" ? `rolled back to ${step.name}` : `promoted ${step.name}`;
  part(item, ".step-words").textContent = step.operator ? `${words} by ${step.operator}` : words;
  const time = /** @type {HTMLTimeElement} */ (part(item, ".step-time"));
  time.dateTime = step.at;
  time.textContent = new Date(step.at).toLocaleString("en");
  part(item, ".step-reason").textContent = step.forced ? `forced: ${step.forced}` : "";
  return item;
}

/** @param {string} text */
function complain(text) {
  problem.textContent = text;
  problem.hidden = text === "";
}

/** Do something and show the state after it. @param {() => Promise<any>} action */
async function act(action) {
  complain("");
  try {
    show(await action());
    return true;
  } catch (error) {
    complain(describeError(error));
    return false;
  }
}

/** @param {string} name @param {string} why */
async function promote(name, why) {
  complain("");
  try {
    show(await post(`${URL_OF_PAGE}/promote`, { name, reason: why }));
    dialog.close();
  } catch (error) {
    if (error instanceof ServerError && error.status === 409 && !why) {
      refused = name;
      byId("force-words", HTMLElement).textContent = error.message;
      reason.value = "";
      force.disabled = true;
      dialog.showModal();
      return;
    }
    dialog.close();
    complain(describeError(error));
  }
}

reason.addEventListener("input", () => (force.disabled = reason.value.trim() === ""));
byId("force-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close());
byId("force-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  promote(refused, reason.value.trim());
});
rollback.addEventListener("click", () => act(() => post(`${URL_OF_PAGE}/rollback`, {})));
byId("retrain-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const epochs = byId("retrain-epochs", HTMLInputElement).value;
  const body = {
    recipe: byId("retrain-recipe", HTMLSelectElement).value,
    name: byId("retrain-name", HTMLInputElement).value,
    epochs: epochs ? Number(epochs) : null,
  };
  act(() => post(`${URL_OF_PAGE}/retrain`, body));
});
act(() => ask(`${URL_OF_PAGE}/state`)).then(() => watchState(`${URL_OF_PAGE}/progress`, `${URL_OF_PAGE}/state`, show));

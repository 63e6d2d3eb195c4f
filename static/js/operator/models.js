/**
 * The models page: shows the state that the server sends, promotes, rolls back, retrains.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, settings } from "../page/messages.js";
import { ServerError, ask, describeError, post } from "./api.js";
import { complainIn } from "./deciding.js";
import { watchState } from "./model-progress.js";

/** @typedef {{serving: string, serving_version: string, drawings: number, falls: string[], changed: {right: number, wrong: number}}} Comparison */
/** @typedef {{name: string, version: string, characters: number, recipe: string, dataset_version: string, figures: Record<string, number>, comparison: Comparison | null}} Bundle */
/** @typedef {{job: string, recipe: string, stage: string, running: boolean, interrupted: boolean, epoch: number, epochs: number, loss: number | null, seconds_left: number | null, error: string, falls: string[]}} Job */
/** @typedef {{name: string, at: string, action?: string, undone?: string, forced?: string, operator?: string}} Step */
/** @typedef {{serving: string, before: string, problem?: string, history: Step[], bundles: Bundle[], jobs: Job[]}} State */

const URL_OF_PAGE = "/operator/models";
const FIGURES = { top1: say("figure_top1"), macro_f1: say("figure_f1"), ece: say("figure_ece") };

/** @type {Record<string, string>} */
const STAGES = {
  waiting: say("stage_waiting"),
  dataset: say("stage_dataset"),
  training: say("stage_training"),
  comparing: say("stage_comparing"),
  done: say("stage_done"),
  failed: say("stage_failed"),
};
const nameStage = (/** @type {string} */ stage) => STAGES[stage] ?? stage;

const complain = complainIn(byId("models-problem", HTMLElement));
const live = byId("models-live", HTMLElement);
const rollback = byId("rollback-button", HTMLButtonElement);
const rollbackDialog = byId("rollback-dialog", HTMLDialogElement);
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
  rollback.hidden = !state.before;
  rollback.textContent = say("roll_back_to", { name: state.before });
  byId("retrain-start", HTMLButtonElement).disabled = state.jobs.some(({ running }) => running);
  if (rollbackDialog.open && rollbackDialog.dataset.to !== state.before) rollbackDialog.close(); // somebody was faster
  if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
}

/** Say aloud what changed. @param {State} state */
function announce(state) {
  if (shown && shown.serving !== state.serving) live.textContent = say("now_serves", { name: state.serving });
  for (const job of state.jobs) {
    const before = shown?.jobs.find(({ job: name }) => name === job.job);
    if (before && before.stage !== job.stage) live.textContent = `${job.job}: ${nameStage(job.stage)}`;
  }
}

/** @param {Bundle} bundle @param {State} state */
function createBundle(bundle, state) {
  const item = copyTemplate("bundle-template");
  const serves = bundle.name === state.serving;
  item.classList.toggle("border-primary", serves);
  item.dataset.name = bundle.name;
  part(item, ".bundle-name").textContent = bundle.name;
  part(item, ".bundle-badge").hidden = !serves;
  const facts = [say("version", { name: bundle.version }), say("characters", { count: bundle.characters }), bundle.recipe];
  if (bundle.dataset_version) facts.push(say("dataset", { name: bundle.dataset_version }));
  part(item, ".bundle-facts").textContent = facts.filter(Boolean).join(" · ");
  part(item, ".bundle-figures").textContent = describeFigures(bundle.figures);
  const verdict = part(item, ".bundle-verdict");
  verdict.textContent = serves ? "" : describeVerdict(bundle, state);
  verdict.classList.toggle("text-danger-emphasis", !serves && (bundle.comparison?.falls.length ?? 0) > 0);
  const button = part(item, ".bundle-promote");
  button.hidden = serves;
  button.dataset.key = `promote ${bundle.name}`;
  button.setAttribute("aria-label", say("promote_name", { name: bundle.name }));
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
  if (!comparison || comparison.serving_version !== serving?.version) return say("not_compared");
  if (comparison.falls.length > 0) return say("worse", { words: comparison.falls.join(". ") });
  const { right, wrong } = comparison.changed;
  return say("nothing_fell", { total: comparison.drawings, right, wrong });
}

/** @param {HTMLElement} item @param {string} selector @param {string} name @param {boolean} there */
function linkComparison(item, selector, name, there) {
  const link = part(item, selector);
  link.hidden = !there;
  link.dataset.key = `compare ${selector} ${name}`;
  link.setAttribute("href", `${URL_OF_PAGE}/comparisons/${encodeURIComponent(name)}`);
  link.setAttribute("aria-label", say("compare_name", { name }));
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
  progress.setAttribute("aria-label", say("progress_of", { name: job.job }));
  if (job.epochs > 0) progress.value = job.epoch / job.epochs;
  const button = part(item, ".job-resume");
  button.hidden = !job.interrupted && job.stage !== "failed";
  button.dataset.key = `resume ${job.job}`;
  button.setAttribute("aria-label", say("go_on_with", { name: job.job }));
  button.addEventListener("click", () => act(() => post(`${URL_OF_PAGE}/jobs/${encodeURIComponent(job.job)}/resume`, {})));
  linkComparison(item, ".job-compare", job.job, job.stage === "done");
  return item;
}

/** @param {Job} job */
function describeJob(job) {
  if (job.stage === "failed") return say("job_failed", { words: job.error });
  if (job.stage === "done") return job.falls.length > 0 ? say("job_worse", { words: job.falls.join(". ") }) : say("job_done");
  if (job.interrupted && job.error) return say("never_began", { words: job.error });
  const words = [job.interrupted ? say("interrupted", { words: nameStage(job.stage) }) : nameStage(job.stage)];
  if (job.epochs > 0) words.push(say("epoch_of", { number: job.epoch, total: job.epochs }));
  if (job.loss !== null) words.push(say("loss", { number: job.loss.toFixed(3) }));
  if (job.running && job.seconds_left !== null) words.push(say("time_left", { time: describeSeconds(job.seconds_left) }));
  return words.join(" · ");
}

/** @param {number} seconds */
function describeSeconds(seconds) {
  return seconds < 90 ? say("seconds", { number: Math.ceil(seconds) }) : say("minutes", { number: Math.ceil(seconds / 60) });
}

/** @param {Step} step */
function createStep(step) {
  const item = copyTemplate("step-template");
  const { name } = step;
  const words = step.action === "rollback" ? say("rolled_back_to", { name }) : say("promoted_name", { name });
  part(item, ".step-words").textContent = [words, step.operator ?? ""].filter(Boolean).join(" · ");
  const time = /** @type {HTMLTimeElement} */ (part(item, ".step-time"));
  time.dateTime = step.at;
  time.textContent = new Date(step.at).toLocaleString(settings.locale);
  part(item, ".step-reason").textContent = step.forced ? say("forced", { words: step.forced }) : "";
  return item;
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

function askToRollBack() {
  if (!shown?.before) return;
  byId("rollback-title", HTMLElement).textContent = say("roll_back_question", { name: shown.before });
  byId("rollback-words", HTMLElement).textContent = say("roll_back_means", { serving: shown.serving, before: shown.before });
  rollbackDialog.dataset.to = shown.before;
  rollbackDialog.showModal();
}

reason.addEventListener("input", () => (force.disabled = reason.value.trim() === ""));
byId("force-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close());
byId("force-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  promote(refused, reason.value.trim());
});
rollback.addEventListener("click", askToRollBack);
byId("rollback-cancel", HTMLButtonElement).addEventListener("click", () => rollbackDialog.close());
byId("rollback-form", HTMLFormElement).addEventListener("submit", () => act(() => post(`${URL_OF_PAGE}/rollback`, {})));
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

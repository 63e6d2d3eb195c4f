/**
 * Ranks characters that a visitor named among the server's answers, by the measure of the answers: what
 * `kyara/recognition/answers.py` does with a taught character, whose references are the visitor's own.
 * Nothing here knows the DOM, the database or the server.
 */

/** @typedef {import("../page/api.js").EmbeddedFace} EmbeddedFace */
/** @typedef {import("../page/api.js").IdentifiedFace} IdentifiedFace */
/** @typedef {import("../page/api.js").RankedAnswer} RankedAnswer */
/** @typedef {import("../page/api.js").Ranking} Ranking */
/** @typedef {import("../page/api.js").Verdict} Verdict */
/** @typedef {{label: string, name: string, work: string, references: readonly Float32Array[]}} Named embeddings of unit length */
/** @typedef {RankedAnswer & {score: number, references: number, prototype: number | null, headed: boolean}} Scored */

/** A lead over somebody who cannot be answered is not without bounds. */
const MOST_LEAD = 1e6;

/** Base64 of little-endian 32-bit floats → the embedding. @param {string} text @returns {Float32Array} */
export function decodeEmbedding(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 2 }, (_, place) => view.getFloat32(4 * place, true));
}

/** @param {Float32Array} embedding @returns {string} */
export function encodeEmbedding(embedding) {
  const view = new DataView(new ArrayBuffer(4 * embedding.length));
  embedding.forEach((value, place) => view.setFloat32(4 * place, value, true));
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)));
}

/** @param {Float32Array} a @param {Float32Array} b both of unit length */
export function cosine(a, b) {
  let sum = 0;
  for (let place = 0; place < a.length; place += 1) sum += a[place] * b[place];
  return sum;
}

/**
 * The cosines of a face to a character's references: the highest, and that to their normalised mean.
 * @param {Float32Array} face @param {readonly Float32Array[]} references at least one
 */
export function compare(face, references) {
  const cosines = references.map((one) => cosine(face, one));
  const sum = new Float32Array(face.length);
  for (const one of references) one.forEach((value, place) => (sum[place] += value));
  const length = Math.max(1e-12, Math.sqrt(cosine(sum, sum)));
  return { nearest: Math.max(...cosines), prototype: cosines.reduce((a, b) => a + b, 0) / length };
}

/**
 * @param {Float32Array} face @param {readonly Named[]} named @param {Ranking} ranking
 * @returns {Scored[]} who has references of this network
 */
function scoreNamed(face, named, { similarity_scale: scale, gallery_weight: weight }) {
  return named
    .map((one) => ({ ...one, references: one.references.filter(({ length }) => length === face.length) }))
    .filter(({ references }) => references.length > 0)
    .map(({ label, name, work, references }) => {
      const { nearest, prototype } = compare(face, references);
      const score = scale * ((1 - weight) * prototype + weight * nearest);
      const measured = { score, similarity: nearest, references: references.length, prototype, headed: false };
      return { label, name, work, ...measured, confidence: 0, mine: true };
    });
}

/**
 * The answers to a face with the visitor's own characters among them, ranked anew.
 * @param {EmbeddedFace} face @param {readonly Named[]} named @param {Ranking} ranking @param {number} [most]
 * @returns {IdentifiedFace}
 */
export function rankTogether(face, named, ranking, most = 5) {
  const own = scoreNamed(decodeEmbedding(face.embedding), named, ranking);
  const scoreOf = new Map(face.answers.map(({ label, score }) => [label, score]));
  // Where the server knows the same character, whichever speaks for it more counts.
  const better = own.filter(({ label, score }) => score > (scoreOf.get(label) ?? Number.NEGATIVE_INFINITY));
  const labels = new Set(better.map(({ label }) => label));
  const ranked = [...better, ...face.answers.filter(({ label }) => !labels.has(label))].sort((a, b) => b.score - a.score);
  const shown = ranked.slice(0, most);
  if (!shown.some(({ mine }) => mine)) return face;
  const familiarity = measureFamiliarity(ranked, ranking);
  const confidences = measureConfidences(ranked, familiarity, face.answers, ranking);
  const answers = shown.map((answer, place) => ({ ...answer, confidence: confidences[place] }));
  return { ...face, verdict: chooseVerdict(familiarity, ranking), answers };
}

/** How much the face looks like whoever comes first. @param {readonly Scored[]} ranked @param {Ranking} ranking */
function measureFamiliarity([best, second], { weights }) {
  const lead = second ? Math.min(best.score - second.score, MOST_LEAD) : 0;
  const measures = [1, best.score, best.similarity ?? 0, lead, Math.log1p(best.references), best.prototype ?? 0, Number(best.headed)];
  return weights.reduce((sum, weight, place) => sum + weight * measures[place], 0);
}

/** @param {number} familiarity @param {Ranking} ranking @returns {Verdict} */
function chooseVerdict(familiarity, { familiarity_threshold: known, probable_threshold: probable }) {
  if (known === null || familiarity >= known) return "known";
  return probable !== null && familiarity >= probable ? "probably" : "unknown";
}

/**
 * Each answer's probability: with a gate the first answer's is the gate's and the others keep their odds against
 * it; without one it is a softmax over all, whose sum over the others is known by the server's first answer.
 * @param {readonly Scored[]} ranked @param {number} familiarity @param {readonly Scored[]} served @param {Ranking} ranking
 */
function measureConfidences(ranked, familiarity, served, { gated, temperature }) {
  const best = ranked[0].score;
  const odds = ranked.map(({ score }) => Math.exp((score - best) / temperature));
  if (gated) {
    const first = 1 / (1 + Math.exp(-familiarity));
    return odds.map((share, place) => (place === 0 ? first : Math.min(share * first, 1 - first)));
  }
  const [top] = served;
  const others = top ? Math.exp((top.score - best) / temperature) / Math.max(top.confidence, 1e-4) : 0;
  const own = ranked.reduce((sum, { mine }, place) => sum + (mine ? odds[place] : 0), 0);
  return odds.map((share) => share / (others + own));
}

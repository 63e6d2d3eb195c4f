/**
 * Who appeared when while a picture played: tracks of faces → spans of time of each character, as lines
 * of text and as WebVTT.
 *
 * A track is one face, so the name that it has last counts for all of it. Spans are in frames of the
 * picture; fractions lie between two frames. Nothing here knows the DOM.
 */

/** @typedef {{label: string, name: string, work: string}} Person */
/** @typedef {{from: number, to: number}} Span in frames */
/** @typedef {{person: Person, spans: Span[]}} Appearance */
/** @typedef {{id: number, person: Person | null}} Seen the face of a track, and who it is if that is known */
/** @typedef {(frame: number) => number} Clock the time of a frame, in seconds */

/** What is shorter is not seen, and a cue of no length is none. */
const SHORTEST_S = 0.1;

export class CastTimes {
  /** Tracks that may go on. @type {Map<number, Span & {last: number, person: Person | null}>} */
  #open = new Map();
  /** What is over, in order of appearance. @type {Map<string, Appearance>} */
  #closed = new Map();

  /** @param {number} gap this many frames without somebody do not end a span */
  constructor(gap) {
    this.gap = gap;
  }

  /**
   * Take in the faces that one look at the picture found.
   * @param {readonly Seen[]} seen @param {Span} shown the frame that was looked at, to its end
   */
  see(seen, { from, to }) {
    for (const [id, { last, to: end }] of this.#open) {
      const goesOn = from >= last && from - end <= this.gap;
      if (!goesOn) this.#close(id); // it is gone, or the picture was played from another place
    }
    for (const { id, person } of seen) {
      const begun = this.#open.get(id)?.from ?? from;
      this.#open.set(id, { from: begun, to, last: from, person });
    }
  }

  /** Everybody who is known, with all their spans, in order of appearance. @returns {Appearance[]} */
  list() {
    const people = new Map([...this.#closed].map(([label, { person, spans }]) => [label, { person, spans: [...spans] }]));
    for (const { person, from, to } of this.#open.values()) add(people, person, { from, to });
    for (const one of people.values()) one.spans = joinSpans(one.spans, this.gap);
    return [...people.values()].sort((a, b) => a.spans[0].from - b.spans[0].from);
  }

  /** @param {number} id */
  #close(id) {
    const { person, from, to } = this.#open.get(id) ?? { person: null, from: 0, to: 0 };
    this.#open.delete(id);
    add(this.#closed, person, { from, to });
    const one = person && this.#closed.get(person.label);
    if (one) one.spans = joinSpans(one.spans, this.gap);
  }
}

/** @param {Map<string, Appearance>} people @param {Person | null} person @param {Span} span */
function add(people, person, span) {
  if (!person) return;
  const { label, name, work } = person;
  const spans = people.get(label)?.spans ?? [];
  people.set(label, { person: { label, name, work }, spans: [...spans, span] });
}

/**
 * Spans in their order; those that overlap or nearly touch are one.
 * @param {readonly Span[]} spans @param {number} gap @returns {Span[]}
 */
function joinSpans(spans, gap) {
  /** @type {Span[]} */
  const joined = [];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    const last = joined[joined.length - 1];
    if (last && from - last.to <= gap) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

/** @param {readonly Appearance[]} cast @param {Clock} clock */
function listCues(cast, clock) {
  return cast
    .flatMap(({ person, spans }) =>
      spans.map(({ from, to }) => ({ person, start: clock(from), end: Math.max(clock(to), clock(from) + SHORTEST_S) })),
    )
    .sort((a, b) => a.start - b.start || a.end - b.end);
}

/** One line a span, as `identify` of the command line prints them. @param {readonly Appearance[]} cast @param {Clock} clock */
export function writeText(cast, clock) {
  const lines = listCues(cast, clock).map(({ person: { name, work }, start, end }) => {
    return `${writeTime(start).slice(0, -2)} – ${writeTime(end).slice(0, -2)}  ${name}${work && ` — ${work}`}`;
  });
  return `${lines.join("\n")}\n`;
}

/**
 * WebVTT, one cue a span: https://www.w3.org/TR/webvtt1/
 * @param {readonly Appearance[]} cast @param {Clock} clock
 */
export function writeWebVtt(cast, clock) {
  const cues = listCues(cast, clock).map(({ person: { name }, start, end }) => {
    const safe = name.replace(/\s+/g, " ").trim().replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    return `${writeTime(start)} --> ${writeTime(end)}\n${safe}`;
  });
  return `${["WEBVTT", ...cues].join("\n\n")}\n`;
}

/** 3725.5 → "01:02:05.500" @param {number} seconds */
function writeTime(seconds) {
  const thousandths = Math.round(seconds * 1000);
  const parts = [thousandths / 3_600_000, (thousandths / 60_000) % 60, (thousandths / 1000) % 60];
  const clock = parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
  return `${clock}.${String(thousandths % 1000).padStart(3, "0")}`;
}

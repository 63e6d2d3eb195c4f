// Sorts and filters the tables and draws the curves of one character. Everything is readable without it.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320;
const HEIGHT = 210;
const EDGE = 28;
const { curves, names } = JSON.parse(document.getElementById("curves").textContent);

function make(name, attributes, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

function sortBy(table, column, header) {
  const body = table.tBodies[0];
  const up = header.getAttribute("aria-sort") === "descending";
  const rows = [...body.rows].map((row) => {
    const text = row.cells[column].textContent.trim();
    return { row, text, number: text === "–" ? -1 : Number.parseFloat(text) };
  });
  const byNumber = rows.every(({ number }) => !Number.isNaN(number));
  rows.sort((a, b) => (byNumber ? a.number - b.number : a.text.localeCompare(b.text)) * (up ? 1 : -1));
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(table, column, header));
    header.append(button);
  });
}

function drawCurve(name, [thresholds, ...parts]) {
  const high = name === "spread" ? Math.max(...thresholds) || 1 : 1;
  const x = (value) => (EDGE + (value / high) * (WIDTH - EDGE - 8)).toFixed(1);
  const y = (value) => (HEIGHT - EDGE - value * (HEIGHT - EDGE - 8)).toFixed(1);
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const best = parts[2].indexOf(Math.max(...parts[2]));
  const said = `Threshold on ${names[name]}: best F1 ${parts[2][best]} at ${thresholds[best]}`;
  svg.setAttribute("aria-label", said);
  for (const tick of [0, 0.5, 1]) {
    svg.append(make("path", { class: "grid", d: `M${EDGE} ${y(tick)}H${WIDTH - 8}` }));
    svg.append(make("text", { x: EDGE - 4, y: Number(y(tick)) + 3, "text-anchor": "end" }, tick));
  }
  svg.append(make("text", { x: EDGE, y: HEIGHT - 12 }, "0"));
  svg.append(make("text", { x: WIDTH - 8, y: HEIGHT - 12, "text-anchor": "end" }, high.toFixed(2)));
  ["precision", "recall", "f1"].forEach((part, place) => {
    // steps: what a value passes holds from the value below it up to itself
    const steps = thresholds.flatMap((value, step) => {
      const height = y(parts[place][step]);
      return [`${x(step ? thresholds[step - 1] : 0)},${height}`, `${x(value)},${height}`];
    });
    svg.append(make("polyline", { class: part, points: steps.join(" ") }));
  });
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = said;
  figure.append(svg, caption);
  return figure;
}

const table = document.getElementById("table");
const viewer = document.getElementById("viewer");
const who = document.getElementById("who");

function show(label) {
  who.value = label;
  const found = Object.entries(curves[label]);
  const none = document.createElement("p");
  none.textContent = "No face was taken for this character.";
  const drawn = found.map(([name, curve]) => drawCurve(name, curve));
  document.getElementById("drawn").replaceChildren(...(drawn.length ? drawn : [none]));
}

for (const row of table.tBodies[0].rows) {
  const { label } = row.dataset;
  const name = row.cells[0].firstChild;
  const option = document.createElement("option");
  option.value = label;
  option.textContent = name.textContent.trim() === label ? label : `${name.textContent.trim()} (${label})`;
  who.append(option);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name.textContent.trim();
  button.addEventListener("click", () => {
    show(label);
    viewer.scrollIntoView({ block: "start" });
    who.focus({ preventScroll: true });
  });
  name.replaceWith(button, " ");
}
viewer.hidden = false;
who.addEventListener("change", () => show(who.value));
show([...who.options].map(({ value }) => value).find((label) => Object.keys(curves[label]).length) ?? who.value);

const find = document.getElementById("find");
find.closest(".controls").hidden = false;
find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("found").textContent = wanted ? `${shown} shown` : "";
});

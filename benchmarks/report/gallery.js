// The gallery: one image at a time, its maps by class and method, and their curves.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const SHOWN_AT_FIRST = 6;
const LINES = 8;
const DASHES = ["", "6 3", "2 3"];
const ALL = "all";
// The number of a method's line style. A method keeps it while it is chosen; up to eight chosen methods differ in colour.
function slotOf(method) {
  slots.forEach((owner, i) => { if (!chosen.methods.has(owner)) slots[i] = undefined; });
  if (!slots.includes(method)) {
    const free = slots.indexOf(undefined);
    slots[free < 0 ? slots.length : free] = method;
  }
  return slots.indexOf(method);
}

const chosen = { image: 0, classes: new Set(), methods: new Set() };
const loaded = new Map();

const styleOf = (position) => ({
  colour: `var(--line-${position % LINES})`,
  dash: DASHES[Math.floor(position / LINES) % DASHES.length],
});
const slots = [];
const isOwn = new Map(data.cells.map((cell) => [cell.method, cell.implementation === "heatmark"]));
const methodNames = [...isOwn.keys()].sort((a, b) => isOwn.get(b) - isOwn.get(a) || a.localeCompare(b));

function make(name, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const element = Object.assign(document.createElement(name), rest);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

function picture(uri) {
  if (!loaded.has(uri)) {
    const image = new Image();
    image.src = uri;
    loaded.set(uri, image.decode().then(() => image, () => null));
  }
  return loaded.get(uri);
}

const uriOf = (subject, image) => data.pictures[data.subjects[subject].pictures[image]];
const anyUri = (image) => data.subjects.map((_, subject) => uriOf(subject, image)).find(Boolean);
const imageText = ({ name, label, dataset }) => `${name}${label ? ` (${label})` : ""}${datasets.size > 1 ? `, ${dataset}` : ""}`;
const datasets = new Set(data.images.map((image) => image.dataset));

// All maps of the chosen image for the chosen model and layer: the cell, the image's position in the cell's lists, the
// explained class and the subject.
function maps() {
  const [subject, layer] = [byId("subject").value, byId("layer").value];
  return data.cells.flatMap((cell) => {
    const index = cell.images.indexOf(chosen.image);
    const wanted = index >= 0 && (subject === ALL || cell.subject === Number(subject))
      && (layer === ALL || [layer, "input"].includes(cell.layer));
    return wanted ? [{ cell, index, target: cell.targets[index], subject: data.subjects[cell.subject] }] : [];
  });
}

const className = ({ target, subject }) => subject.classes[Number(target)] ?? "";
const classText = (map) => className(map) ? `${className(map)} (${map.target})` : `class ${map.target}`;

function options(select, pairs) {
  const before = select.value;
  select.replaceChildren(...pairs.map(([value, text]) => make("option", { value, textContent: text })));
  if (pairs.some(([value]) => value === before)) select.value = before;
}

function chips(box, entries, set) {
  box.replaceChildren(...entries.map(({ value, text }) => {
    const input = make("input", { type: "checkbox", value, checked: set.has(value) });
    return make("label", { className: "chip" }, input, text);
  }));
}

// Offers the models, layers, classes and methods that the chosen image has maps of, and draws these maps.
function offer() {
  const here = data.cells.filter((cell) => cell.images.includes(chosen.image));
  const subjects = [...new Set(here.map((cell) => cell.subject))].sort((a, b) => a - b);
  options(byId("subject"), [...subjects.map((i) => [String(i), data.subjects[i].name]), ...(subjects.length > 1 ? [[ALL, "all models"]] : [])]);
  offerLayers(here);
}

function offerLayers(here = data.cells.filter((cell) => cell.images.includes(chosen.image))) {
  const subject = byId("subject").value;
  const layers = [...new Set(here.filter((cell) => subject === ALL || cell.subject === Number(subject))
    .map((cell) => cell.layer))].filter((layer) => layer !== "input").sort((a, b) => sizeAt(a) - sizeAt(b));
  options(byId("layer"), [...layers.map((layer) => [layer, layer]), [ALL, "all layers"]]);
  offerChips();
}

// The number of values of a layer's maps. The layer with the smallest maps, usually the deepest, is offered first.
function sizeAt(layer) {
  return Math.min(...data.cells.filter((cell) => cell.layer === layer && cell.map).map(({ map }) => map.h * map.w));
}

function offerChips() {
  const found = maps();
  const classes = new Map(found.map((map) => [map.target, classText(map)]));
  if (![...classes.keys()].some((target) => chosen.classes.has(target))) chosen.classes = new Set([...classes.keys()].slice(0, 2));
  const methods = methodNames.filter((name) => found.some((map) => map.cell.method === name));
  if (!methods.some((name) => chosen.methods.has(name))) firstMethods(found).forEach((name) => chosen.methods.add(name));
  chips(byId("classes"), [...classes].map(([value, text]) => ({ value, text })), chosen.classes);
  chips(byId("methods"), methods.map((value) => ({ value, text: value })), chosen.methods);
  draw();
}

// The methods that are shown at first: the best of those that do not repeat another method's maps.
function firstMethods(found) {
  const names = [...new Set(found.filter((map) => !map.cell.same_as).map((map) => map.cell.method))];
  return names.slice(0, SHOWN_AT_FIRST);
}

function describe(map) {
  const several = [byId("subject").value === ALL && map.subject.name, byId("layer").value === ALL && map.cell.layer];
  return [map.cell.method, ...several.filter(Boolean)].join(" · ");
}

let drawing = 0;
async function draw() {
  const turn = ++drawing;
  const shown = maps().filter((map) => chosen.classes.has(map.target) && chosen.methods.has(map.cell.method));
  const pictures = await Promise.all(shown.map((map) => {
    const uri = uriOf(map.cell.subject, chosen.image);
    return uri ? picture(uri) : null;
  }));
  if (turn !== drawing) return;
  shown.forEach((map, i) => Object.assign(map, { picture: pictures[i], id: String(i), style: styleOf(slotOf(map.cell.method)) }));
  const image = data.images[chosen.image];
  byId("about").textContent = `${imageText(image)}: ${shown.length} ${shown.length === 1 ? "map" : "maps"}`;
  const classes = [...new Set(shown.map((map) => map.target))];
  byId("stage").replaceChildren(...classes.map((target) => section(shown.filter((map) => map.target === target))));
  if (!shown.length) byId("stage").append(make("p", { className: "notice", textContent: "Pick a class and a method to see their maps." }));
}

// The part of the page for one explained class: its maps and their curves.
function section(shown) {
  const title = make("h3", {}, `Explained: ${classText(shown[0])}`);
  const cards = make("div", { className: "cards" }, ...(shown[0].picture ? [original(shown[0])] : []), ...shown.map(card));
  const curves = data.definitions.map(({ definition }) => curvesOf(shown, definition)).filter(Boolean);
  return make("section", { className: "class" }, title, cards, make("div", { className: "plots" }, ...curves));
}

function original(map) {
  const canvas = blank(map);
  canvas.getContext("2d").drawImage(map.picture, 0, 0, canvas.width, canvas.height);
  canvas.setAttribute("aria-label", `The picture ${data.images[chosen.image].name}`);
  const label = data.images[chosen.image].label;
  return make("figure", { className: "card" }, canvas, make("figcaption", {},
    make("b", {}, "picture"), make("span", { className: "by" }, label ? `labelled ${label}` : "")));
}

function blank({ picture: image, cell }) {
  const [width, height] = image ? [image.naturalWidth, image.naturalHeight]
    : cell.map ? [160, Math.round((160 * cell.map.h) / cell.map.w)] : [160, 160];
  const canvas = make("canvas", { width, height });
  canvas.setAttribute("role", "img");
  return canvas;
}

// A cell's packed maps, where the run keeps the one of this image.
const keptMap = (cell, index) => cell.map?.kept[index] ? cell.map : null;

function card(map) {
  const { cell, index } = map;
  const canvas = blank(map);
  canvas.setAttribute("aria-label", `Map of ${describe(map)} for ${classText(map)}`);
  if (keptMap(cell, index)) {
    paint(canvas, map.picture, cell.map, index,
      { colours: byId("colours").value, opacity: byId("opacity").value / 100, smooth: !byId("raw").checked });
  }
  const numbers = data.definitions.filter(({ definition }) => cell.values[definition]).map(({ definition, metric, higher_is_better }) =>
    [`${metric}${higher_is_better === null ? "" : higher_is_better ? " ↑" : " ↓"}`, cell.values[definition][index]?.toFixed(3) ?? "undefined"]);
  const element = make("figure", { className: "card", tabIndex: 0, dataset: { id: map.id, method: cell.method, target: map.target } }, canvas,
    make("figcaption", {}, heading(map), ...remarks(map),
      make("dl", {}, ...numbers.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]))));
  for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
    element.addEventListener(event, () => highlight(element, on));
  }
  return element;
}

function heading(map) {
  return make("b", {}, make("i", { className: "swatch", style: `background:${map.style.colour}` }), ...breakable(describe(map)));
}

// A name in pieces between which a line may break.
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, make("wbr")]);
}

function brief(value) {
  const text = value && Math.abs(value) < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(2)));
  return text.replaceAll("-", "−");
}

function remarks({ cell, index }) {
  const range = keptMap(cell, index) && `${brief(cell.map.low[index])} to ${brief(cell.map.high[index])}, ${cell.map.size.join("×")}`;
  return [
    make("span", { className: "by" }, range || "n/a: map not stored"),
    ...(cell.flags[index] ? [make("span", { className: "badge" }, cell.flags[index])] : []),
    ...(cell.same_as ? [make("span", { className: "same" }, `= ${cell.same_as}`)] : []),
  ];
}

function highlight(element, on) {
  const block = element.closest(".class");
  block.classList.toggle("focused", on);
  for (const line of block.querySelectorAll(`.curve[data-id="${element.dataset.id}"]`)) line.classList.toggle("on", on);
}

function curvesOf(shown, definition) {
  const { metric } = data.definitions.find((entry) => entry.definition === definition);
  const lines = shown.filter((map) => map.cell.curves[definition]).map((map) => ({
    fractions: map.cell.curves[definition].fractions, scores: scoresOf(map.cell.curves[definition], map.index),
    style: map.style, name: describe(map), id: map.id,
  }));
  if (!lines.length) return null;
  const title = `${metric}: class score over the fraction of pixels replaced`;
  return make("figure", { className: "plot" }, make("figcaption", {}, make("b", {}, metric), make("span", { className: "by" }, "score of the class")), plot(lines, title));
}

function show(image) {
  chosen.image = image;
  chosen.classes.clear();
  byId("image").value = String(image);
  for (const button of byId("strip").children) button.setAttribute("aria-pressed", String(Number(button.value) === image));
  const [strip, button] = [byId("strip"), byId("strip").children[image]];
  strip.scrollLeft = button.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
  offer();
}

// Shows only the map of one cell and image, such as a flagged one.
function lookAt({ cell: key, image }) {
  const cell = data.cells.find((entry) => entry.cell === key);
  const index = cell?.images.find((i) => data.images[i].name === image);
  if (index === undefined) return;
  chosen.methods = new Set([cell.method]);
  show(index);
  byId("subject").value = String(cell.subject);
  offerLayers();
  if (cell.layer !== "input") byId("layer").value = cell.layer;
  chosen.classes = new Set([cell.targets[cell.images.indexOf(index)]]);
  offerChips();
  byId("gallery").scrollIntoView();
}

function start() {
  options(byId("image"), data.images.map((image, index) => [String(index), imageText(image)]));
  byId("strip").append(...data.images.map((image, index) => {
    const uri = anyUri(index);
    const inside = uri ? make("img", { src: uri, alt: image.name, loading: "lazy" }) : image.name;
    const button = make("button", { type: "button", value: String(index), title: imageText(image) }, inside);
    return button;
  }));
  const step = (by) => show((chosen.image + by + data.images.length) % data.images.length);
  byId("strip").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) show(Number(button.value));
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  // Browsers driven by a test do not all send "input" from a select; all send "change".
  byId("image").addEventListener("change", (event) => show(Number(event.target.value)));
  byId("subject").addEventListener("change", () => { chosen.classes.clear(); offerLayers(); });
  byId("layer").addEventListener("change", offerChips);
  for (const id of ["colours", "raw"]) byId(id).addEventListener("change", draw);
  byId("opacity").addEventListener("input", draw);
  for (const id of ["classes", "methods"]) {
    byId(id).addEventListener("change", ({ target }) => {
      chosen[id][target.checked ? "add" : "delete"](target.value);
      draw();
    });
  }
  for (const button of document.querySelectorAll(".chips button")) {
    button.addEventListener("click", () => {
      for (const input of byId(button.dataset.for).querySelectorAll("input")) {
        input.checked = button.classList.contains("all");
        chosen[button.dataset.for][input.checked ? "add" : "delete"](input.value);
      }
      draw();
    });
  }
  byId("pick").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("button.look")) button.addEventListener("click", () => lookAt(button.dataset));
  show(0);
}

if (byId("stage") && data.cells.length) start();

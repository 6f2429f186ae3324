// What the parts of the page share: the embedded arrays, pictures, curves, controls that tell their value.

const PAGE = JSON.parse(document.getElementById("data").textContent);
const SIDE = PAGE.side, CLASSES = PAGE.classes, K = CLASSES.length;
const $ = id => document.getElementById(id);

function embedded(name) {  // as a Float64 matrix, whatever it was stored as
  const {type, shape, bytes} = PAGE.arrays[name], text = atob(bytes), buffer = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) buffer[i] = text.charCodeAt(i);
  const stored = {Float64: Float64Array, Float32: Float32Array, Uint8: Uint8Array}[type];
  return matrix(shape.length > 1 ? shape[0] : 1, shape.at(-1), Float64Array.from(new stored(buffer.buffer)));
}

const linear = name => [affine(embedded(`${name}_w`), embedded(`${name}_b`))];
const teacher = linear("teacher"), student = linear("student");
const hiddenTeacher = [affine(embedded("w1"), embedded("b1")), relu, affine(embedded("w2"), embedded("b2"))];
const testImages = map(embedded("images"), value => Math.fround(value / 255));  // float32, as the package reads them
const testLabels = [...embedded("labels").data];
const zeroStudent = () => [affine(matrix(teacher[0].parameters[0].rows, K), matrix(1, K))];

const percent = share => `${(100 * share).toFixed(1)} %`;
const power = n => `10${[...String(n)].map(c => (c === "-" ? "\u207b" : "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[c])).join("")}`;
const scientific = value => value.toExponential(1).replace(/e(.*)/, (_, n) => `\u00b7${power(+n)}`).replace("-", "\u2212");
const decimals = size => (size < 0.01 ? 4 : size < 0.1 ? 3 : 2);
const brief = value => (value === 0 ? "0" : Math.abs(value) < 0.001 || Math.abs(value) >= 1e5 ? scientific(value)
  : value.toFixed(decimals(Math.abs(value))).replace("-", "\u2212"));
const share = (found, wanted) => found.reduce((n, value, i) => n + (value === wanted[i]), 0) / wanted.length;

// Pictures. ink: 0 is the board, 1 white. grey: 0 is mid-grey, `largest` white. signed: green for, pink against.
function paint(canvas, values, kind, largest = Math.max(...[...values].map(Math.abs)) || 1) {
  const context = canvas.getContext("2d"), picture = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const v = Math.min(Math.max(value / largest, -1), 1), to = picture.data, at = 4 * i;
    const grey = kind === "ink" ? 35 + 220 * Math.max(v, 0) : 127.5 * (1 + v);
    const [r, g, b] = kind !== "signed" ? [grey, grey, grey]
      : v > 0 ? [35 - 25 * v, 38 + 175 * v, 43 + 100 * v] : [35 - 210 * v, 38 - 50 * v, 43 - 140 * v];
    [to[at], to[at + 1], to[at + 2], to[at + 3]] = [r, g, b, 255];
  });
  context.putImageData(picture, 0, 0);
}

function tiles(parent, names, size = SIDE) {  // canvases with a name and a number below; [{canvas, text}]
  parent.replaceChildren(...names.map(({name, alt}) => {
    const tile = document.createElement("div"), canvas = document.createElement("canvas");
    Object.assign(canvas, {width: size, height: size});
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", alt);
    tile.append(canvas, document.createElement("span"));
    tile.lastChild.textContent = name;
    return tile;
  }));
  return [...parent.children].map(tile => ({canvas: tile.firstChild, text: tile.lastChild}));
}

// Curves in an SVG: series [{label, values, colour}]; at: where on x, by default 0, 1, ...; until: where x ends. log: y on a
// logarithmic axis; marks: where it has numbers, as tell says them.
function curves(svg, series, {what, xlabel, log = false, low = null, high = null, at = null, until = 1, marks = null, tell = brief}) {
  const width = Math.min(Math.max(svg.clientWidth, 280), 760), height = 200, [left, right, top, bottom] = [52, 62, 14, 34];
  const scale = value => (log ? Math.log10(Math.max(value, 1e-17)) : value);
  const every = series.flatMap(s => s.values.map(scale)).filter(Number.isFinite);
  const y0 = low ?? Math.min(...every), y1 = Math.max(high ?? Math.max(...every), y0 + 1e-9);
  const last = Math.max(until, at?.at(-1) ?? 0, ...(at ? [] : series.map(s => s.values.length - 1)));
  const x = i => left + ((at ? at[i] : i) / last) * (width - left - right);
  const place = value => top + (1 - (Math.min(Math.max(value, y0), y1) - y0) / (y1 - y0)) * (height - top - bottom);
  const y = value => place(scale(value));
  const lines = series.map(s => {
    const step = Math.max(1, Math.floor(s.values.length / 300));
    const points = s.values.map((value, i) => [i, value]).filter(([i]) => i % step === 0 || i === s.values.length - 1);
    return `<path style="stroke:${s.colour}" d="M${points.map(([i, v]) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}"/>`;
  });
  const ends = series.map(s => ({label: s.label, at: y(s.values.at(-1)), colour: s.colour})).sort((a, b) => a.at - b.at);
  ends.forEach((end, i) => { if (i) end.at = Math.max(end.at, ends[i - 1].at + 12.5); });
  const rules = (marks ?? [y0, y1]).map(value => `<path class="rule" d="M${left} ${place(value)}H${width - right}"/>
    <text x="${left - 6}" y="${place(value) + 4}" text-anchor="end">${log ? power(value) : tell(value)}</text>`);
  svg.innerHTML = `${rules.join("")}<path class="axis" d="M${left} ${top}V${height - bottom}H${width - right}"/>${lines.join("")}
    <text x="${left}" y="${height - bottom + 18}">0</text>
    <text x="${width - right}" y="${height - bottom + 18}" text-anchor="end">${last} ${xlabel}</text>
    ${ends.map(e => `<text x="${width - right + 6}" y="${(e.at + 4).toFixed(1)}" style="fill:${e.colour}">${e.label}</text>`).join("")}`;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", `${what}, now ${series.map(s => `${s.label} ${tell(s.values.at(-1))}`).join(", ")}`);
}

const HUES = [255, 50, 150, 25, 300, 85, 345, 195, 125, 0];
const colourOf = c => `light-dark(oklch(46% .14 ${HUES[c]}), oklch(80% .12 ${HUES[c]}))`;  // all equally dark, so all readable

function told(id, tell) {  // a range whose output says its value; returns how to read it
  const input = $(id), output = input.parentElement.querySelector(`output[for="${id}"]`);
  const say = () => { output.textContent = tell(+input.value); input.setAttribute("aria-valuetext", output.textContent); };
  input.addEventListener("input", say);
  say();
  return () => +input.value;
}

function player(button, frame) {  // calls frame() on each frame of the screen while it plays and frame is true
  let playing = false;
  const loop = () => {
    if (!playing) return;
    if (frame()) requestAnimationFrame(loop); else stop();
  };
  const stop = () => { playing = false; button.textContent = "Play"; };
  button.addEventListener("click", () => {
    playing = !playing;
    button.textContent = playing ? "Pause" : "Play";
    requestAnimationFrame(loop);
  });
  return stop;
}

// How long the page takes, by its own clock, beside the matrix products that a step cannot do without.

function timed(...calls) {  // [milliseconds of each call], the best of rounds in which the calls take turns
  const best = calls.map(() => Infinity), repeats = 5;
  for (let round = 0; round < 100; round++)
    calls.forEach((call, i) => {
      const time = clock(() => { for (let n = 0; n < repeats; n++) call(); }) / repeats;
      best[i] = Math.min(best[i], time);
    });
  return best;
}

function speed() {
  const [w] = teacher[0].parameters, ascending = classVisualizations(teacher, {objective: "logit", lr: START_LR});
  for (let n = 0; n < 100; n++) ascending.next();
  const images = ascending.next().value.x, targets = logits(teacher, images), wt = transpose(w), xt = transpose(images);
  const descending = retraining(images, targets, {student: startingStudent("random")});
  const [ascent, up, retrain, down] = timed(() => ascending.next(), () => { matmul(images, w); matmul(targets, wt); },
    () => descending.next(), () => { matmul(images, w); matmul(xt, targets); });
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return {paint: paint ? paint.startTime : null, ascent, ascentRatio: ascent / up, retrain, retrainRatio: retrain / down};
}

function speedInWords({paint, ascent, ascentRatio, retrain, retrainRatio}) {
  const first = paint === null ? "" : `The first picture stood after ${(paint / 1000).toFixed(2)} s. `;
  return `${first}A step of all ten ascents takes ${ascent.toFixed(2)} ms, ${ascentRatio.toFixed(1)} times its two matrix products alone; `
    + `a step of retraining ${retrain.toFixed(2)} ms, ${retrainRatio.toFixed(1)} times its two, which makes ${Math.round(1000 / retrain).toLocaleString("en")} a second.`;
}

const clock = run => { const start = performance.now(); run(); return performance.now() - start; };

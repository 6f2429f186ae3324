// Ascend: ten images at once, from grey. For the logit theorem T1 tells every image beforehand.

const START_LR = embedded("lr").data[0], DRAWS = embedded("jitter").data, LONGEST = 400;  // steps that the curve holds
const ascent = {steps: null, now: null, history: [], tiles: []};

function ascentOptions() {
  const box = $("ascend-box").value, sigma = +$("ascend-blur").value, pixels = +$("ascend-jitter").value;
  return {
    objective: $("ascend-objective").value,
    lr: START_LR * 10 ** +$("ascend-lr").value,
    weightDecay: +$("ascend-decay").value,
    box: box ? box.split(",").map(Number) : null,
    priors: [...(pixels ? [jitter(pixels, SIDE, DRAWS)] : []), ...(sigma ? [blur(sigma, SIDE)] : [])],
  };
}

// n lr w_c; with decay (1 - (1 - 2 lr lambda)^n) w_c / (2 lambda); with a box its clip. Null where neither holds.
function closedForm(how, n) {
  const {lr, weightDecay: lambda, box} = how, w = transpose(teacher[0].parameters[0]);
  if (how.objective !== "logit" || how.priors.length || (lambda && box)) return null;
  const factor = lambda ? (1 - (1 - 2 * lr * lambda) ** n) / (2 * lambda) : n * lr;
  return map(w, value => (box ? Math.min(Math.max(factor * value, box[0]), box[1]) : factor * value));
}

function resetAscent() {
  ascent.how = ascentOptions();
  ascent.steps = classVisualizations(teacher, ascent.how);
  ascent.history = [];
  stepAscent();
  showAscent();
}

function stepAscent() {
  ascent.now = ascent.steps.next().value;
  ascent.history.push(ascent.now.values);
  return ascent.now.step < LONGEST && ascent.now.values.every(Number.isFinite);
}

function showAscent() {
  const {x, values, step} = ascent.now, largest = Math.max(...x.data.map(Math.abs)) || 1;
  ascent.tiles.forEach(({canvas, text}, c) => {
    paint(canvas, row(x, c), "grey", largest);
    text.innerHTML = `${CLASSES[c]}<br><b>${brief(values[c])}</b>`;
  });
  const series = CLASSES.map((label, c) => ({label, colour: colourOf(c), values: ascent.history.map(v => v[c])}));
  $("ascend-what").textContent = `The ${$("ascend-objective").selectedOptions[0].text} of each class`;
  curves($("ascend-curve"), series, {what: $("ascend-what").textContent, xlabel: "steps"});
  const form = closedForm(ascent.how, step), tick = $("ascend-tick");
  if (form) {
    const off = Math.max(...zip(form, x, (a, b) => Math.abs(a - b)).data) / (Math.max(...form.data.map(Math.abs)) || 1);
    const right = off < 1e-10, w = "w<sub>c</sub>";
    const name = ascent.how.weightDecay ? `(1 \u2212 (1 \u2212 2 lr \u03bb)\u207f) ${w} / 2\u03bb` : ascent.how.box ? `clip(n lr ${w})` : `n lr ${w}`;
    tick.className = `tick ${right ? "good" : "bad"}`;
    tick.innerHTML = `${right ? "\u2713" : "\u2717"} After ${step} steps each image is ${name}, to ${brief(off)}: the image is the weights.`;
  } else {
    tick.className = "tick";
    tick.textContent = "No closed form here: the ascent has to be walked.";
  }
  if (pupil.tiles.student && $("retrain-source").value === "ascend") resetRetraining();
}

function startAscent() {
  ascent.tiles = tiles($("ascend-tiles"), CLASSES.map(name => ({name, alt: `Class visualization of ${name}`})));
  told("ascend-lr", value => brief(START_LR * 10 ** value));
  told("ascend-decay", value => (value ? `\u03bb = ${value.toFixed(2)}` : "none"));
  told("ascend-blur", value => (value ? `${value.toFixed(1)} pixels` : "none"));
  told("ascend-jitter", value => (value ? `up to ${value} pixels` : "none"));
  const stop = player($("ascend-play"), () => { const more = stepAscent(); showAscent(); return more; });
  $("ascend-step").addEventListener("click", () => { stop(); stepAscent(); showAscent(); });
  $("ascend-reset").addEventListener("click", () => { stop(); resetAscent(); });
  for (const id of ["objective", "lr", "decay", "box", "blur", "jitter"])
    $(`ascend-${id}`).addEventListener("input", () => { stop(); resetAscent(); });
  resetAscent();
  for (let n = 0; n < 100; n++) stepAscent();  // where the package's own ascent stops
  showAscent();
}

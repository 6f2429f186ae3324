// Check: the page's own gradients beside differences. f(x) weighs all outputs by numbers r, so one vector is checked.

const STEP = 1e-5, SHOWN = 8, ALLOWED = 1e-6;

// f(numbers) -> matrix of outputs; vjp(numbers, r) -> its gradient of sum r f. Errors: name -> (gradient, numbers, r) -> wrong one.
const CHECKS = {
  input: () => ({
    numbers: drawing.x, f: x => logits(teacher, x), vjp: (x, r) => inputGradient(teacher, x, r),
    errors: {"the weights of the next class": (g, x, r) => inputGradient(teacher, x, map(r, (_, i) => r.data[(i + 1) % K])),
      "a factor of 1.001": g => map(g, value => 1.001 * value)},
  }),
  hidden: () => ({
    numbers: drawing.x, f: x => logits(hiddenTeacher, x), vjp: (x, r) => inputGradient(hiddenTeacher, x, r),
    errors: {"gates forgotten on the way back": (g, x, r) => matmul(matmul(r, transpose(layer2.parameters[0])), transpose(w1)),
      "gates of another image": (g, x, r) => backward(hiddenTeacher, r, forward(hiddenTeacher, matrix(1, x.columns, row(testImages, 1)))[1])[0]},
  }),
  parameters: () => {
    const images = matrix(10, testImages.columns, testImages.data.slice(0, 10 * testImages.columns));
    const target = map(softmax(logits(hiddenTeacher, images)), value => value);
    const net = w => [affine(w, teacher[0].parameters[1])];
    const gradient = w => { const [z, caches] = forward(net(w), images); return backward(net(w), crossEntropy(z, target)[1], caches)[1][0]; };
    return {
      numbers: teacher[0].parameters[0], f: w => matrix(1, 1, Float64Array.of(crossEntropy(logits(net(w), images), target)[0])),
      vjp: (w, r) => map(gradient(w), value => r.data[0] * value),
      errors: {"the mean forgotten (10 times too large)": g => map(g, value => 10 * value),
        "the sign of the target": (g, w, r) => { const [z, caches] = forward(net(w), images), p = softmax(z);
          return backward(net(w), zip(p, target, (a, b) => (r.data[0] * (a + b)) / 10), caches)[1][0]; }},
    };
  },
  softmax: () => ({
    numbers: logits(teacher, drawing.x), f: softmax,
    vjp: (z, r) => { const p = softmax(z), mean = dot(p.data, r.data); return zip(p, r, (a, b) => a * (b - mean)); },
    errors: {"seven times too large": g => map(g, value => 7 * value), "the wrong sign": g => map(g, value => -value)},
  }),
};

function checkNow(what, error, weights, random = Math.random) {
  const {numbers, f, vjp, errors} = CHECKS[what](), size = f(numbers).data.length;
  const r = matrix(1, size, Float64Array.from({length: size}, () => (weights === "ones" ? 1 : 2 * random() - 1)));
  let g = vjp(numbers, r);
  if (errors[error]) g = errors[error](g, numbers, r);
  const value = x => dot(f(x).data, r.data), sizes = [...g.data.keys()].sort((a, b) => Math.abs(g.data[b]) - Math.abs(g.data[a]));
  const rows = sizes.slice(0, SHOWN).map(i => {
    const moved = by => { const x = copy(numbers); x.data[i] += by; return value(x); };
    const difference = (moved(STEP) - moved(-STEP)) / (2 * STEP), scale = Math.max(Math.abs(g.data[i]), Math.abs(difference));
    return {i, mine: g.data[i], difference, off: Math.abs(g.data[i] - difference) / Math.max(scale, 1e-3)};
  });
  return {rows, worst: Math.max(...rows.map(line => line.off)), vanishes: rows.every(line => Math.abs(line.difference) < 1e-9)};
}

function showCheck() {
  const what = $("check-what").value, error = $("check-error").value, ones = $("check-weights").value === "ones";
  const {rows, worst, vanishes} = checkNow(what, error, ones ? "ones" : "random"), verdict = $("check-verdict");
  $("check-rows").innerHTML = rows.map(line => `<tr><td>${line.i}</td><td>${line.mine.toPrecision(9)}</td>
    <td>${line.difference.toPrecision(9)}</td><td class="${line.off > ALLOWED ? "bad" : ""}">${scientific(line.off)}</td></tr>`).join("");
  const passed = worst <= ALLOWED;
  verdict.className = `certificate ${passed && !vanishes ? "good" : "bad"}`;
  verdict.textContent = vanishes
    ? "Nothing was checked: weighed alike, the outputs sum to one whatever you do, so the gradient is zero, and a wrong one passes."
    : passed ? `The gradient is right: off by at most ${scientific(worst)}, which is what differences can tell.`
      : `The gradient is wrong: off by up to ${scientific(worst)}.${error ? " The planted error is found." : ""}`;
}

function startCheck() {
  const list = () => {
    const names = Object.keys(CHECKS[$("check-what").value]().errors);
    $("check-error").innerHTML = ["", ...names].map(name => `<option value="${name}">${name || "none"}</option>`).join("");
  };
  $("check-what").addEventListener("input", () => { list(); showCheck(); });
  for (const id of ["check-error", "check-weights"]) $(id).addEventListener("input", showCheck);
  $("check-run").addEventListener("click", showCheck);
  list();
  $("speed-run").addEventListener("click", () => { $("speed").textContent = speedInWords(speed()); });
}

// The first screen is drawn at once; what lies below it when the browser has time.
const later = call => setTimeout(call, 0);
later(() => { startAscent(); startRetraining(); later(() => { startHidden(); startCheck(); }); });

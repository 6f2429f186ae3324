// Retrain: a student on a few images and the teacher's logits, and beside it what the certificate says.

const pupil = {steps: null, now: null, images: null, distance: [], at: [], accuracy: [], tiles: {}, weight: null};
const teacherSays = predict(teacher, testImages), teacherTheta = thetaOf(teacher);

function visualizationsNow() {  // a hundred steps of the logit from grey, as the package makes them
  const steps = classVisualizations(teacher, {objective: "logit", lr: START_LR});
  for (let n = 0; n < 100; n++) steps.next();
  return steps.next().value.x;
}

function retrainingImages(source, count, blank) {
  const all = {
    visualizations: visualizationsNow,
    ascend: () => ascent.now.x,
    one_step: () => embedded("one_step"),
    averages: () => embedded("averages"),
    noise: () => embedded("noise"),
  }[source]();
  const chosen = matrix(Math.min(count, all.rows), all.columns, all.data.slice(0, Math.min(count, all.rows) * all.columns));
  return blank ? stack(chosen, matrix(1, all.columns)) : chosen;
}

function startingStudent(start) {
  if (start === "zero") return zeroStudent();
  const draws = map(embedded("start"), value => 0.01 * value), d = draws.rows - 1;
  return [affine(matrix(d, K, draws.data.slice(0, d * K)), matrix(1, K, draws.data.slice(d * K)))];
}

function retrainingHow(source) {
  const temperature = +$("retrain-loss").value || null, fits = source === "one_step" && !temperature
    && !$("retrain-blank").checked && +$("retrain-count").value >= pupil.images.rows;
  return {student: startingStudent($("retrain-start").value), temperature, lr: fits ? embedded("one_step_lr").data[0] : null};
}

function resetRetraining() {
  const source = $("retrain-source").value;
  pupil.images = retrainingImages(source, +$("retrain-count").value, $("retrain-blank").checked);
  if (!pupil.images.data.some(value => value)) pupil.images.data[0] = 0;  // ten blanks: one image, ten times
  const how = retrainingHow(source);
  pupil.steps = retraining(pupil.images, logits(teacher, pupil.images), how);
  pupil.weight = null;
  pupil.distance = [];
  pupil.at = [];
  pupil.accuracy = [];
  const largest = Math.max(...pupil.images.data.map(Math.abs)) || 1;
  tiles($("retrain-images"), rowsOf(pupil.images).map((_, n) => ({name: "", alt: `Image ${n + 1} that the student is shown`})))
    .forEach(({canvas}, n) => paint(canvas, row(pupil.images, n), "grey", largest));
  sayCertificate(how);
  stepRetraining(1);
  showRetraining();
}

function sayCertificate({student: start, temperature}) {
  const {exact, rank, missing} = certificate(pupil.images, teacher, start), n = pupil.images.rows;
  const words = exact === "parameters" ? `Yes. These ${n} images hold every number of the teacher: the student becomes the teacher itself.`
    : exact === "probabilities" ? `Yes, in what it answers. The student's weights differ from the teacher's by one vector that all ten share, which no probability shows.`
      : `No. These ${n} images tell ${rank} directions of ${teacherTheta.rows}; ${brief(100 * missing)} % of the teacher lies in the others, and stays as it was at the start.`;
  const slow = exact !== "no" && temperature === 1 ? " At T = 1 the targets are nearly 0 or 1, and it gets there only slowly." : "";
  $("retrain-certificate").className = `certificate ${exact === "no" ? "bad" : "good"}`;
  $("retrain-certificate").textContent = `Before the first step: ${words}${slow}`;
}

// One step a frame as long as the eye can follow, then more and more: sixty frames are over a hundred steps.
const stepsNow = () => 1 + Math.floor(pupil.now.step / 30);

function stepRetraining(count) {
  for (let n = 0; n < count; n++) pupil.now = pupil.steps.next().value;
  const theta = thetaOf(pupil.now.network), off = zip(theta, teacherTheta, (a, b) => a - b);
  pupil.distance.push(norm(off.data) / norm(teacherTheta.data));
  pupil.at.push(pupil.now.step);
  pupil.says = predict(pupil.now.network, testImages);
  pupil.accuracy.push(share(pupil.says, testLabels));
  const settled = pupil.distance.length > 40 && pupil.distance.at(-1) > 0.999 * pupil.distance.at(-40) && pupil.distance.at(-1) < 1.001 * pupil.distance.at(-40);
  return pupil.now.step < 3000 && Number.isFinite(pupil.now.loss) && pupil.distance.at(-1) > 2e-14 && !settled;
}

function showRetraining() {
  const weights = transpose(pupil.now.network[0].parameters[0]), theirs = transpose(teacher[0].parameters[0]);
  const largest = Math.max(...theirs.data.map(Math.abs));
  pupil.tiles.student.forEach(({canvas}, c) => paint(canvas, row(weights, c), "grey", largest));
  $("retrain-steps").textContent = pupil.now.step;
  $("retrain-distance").textContent = brief(pupil.distance.at(-1));
  $("retrain-accuracy").textContent = percent(pupil.accuracy.at(-1));
  const equal = Math.round(share(pupil.says, teacherSays) * teacherSays.length);
  $("retrain-agreement").textContent = `${equal} of ${teacherSays.length}`;
  curves($("retrain-curve"), [{label: "distance", colour: "var(--student)", values: pupil.distance}],
    {what: "Distance of the student's parameters to the teacher's", xlabel: "steps", at: pupil.at, until: 20, log: true, low: -16, high: 0.3,
      marks: [0, -4, -8, -12, -16]});
  sayWeight();
}

// The gradient of one of the student's weights: a mean over the images of x (z - t), or of x (p - y) / T.
function sayWeight() {
  const said = $("retrain-weight");
  if (!pupil.weight) { said.textContent = "Click a weight of the student for the sum that moves it."; return; }
  const [c, i] = pupil.weight, {images} = pupil, temperature = +$("retrain-loss").value || null, [w] = pupil.now.network[0].parameters;
  const z = logits(pupil.now.network, images), wanted = logits(teacher, images), soft = a => softmax(map(a, v => v / temperature));
  const off = zip(temperature ? soft(z) : z, temperature ? soft(wanted) : wanted, (a, b) => a - b);
  const terms = rowsOf(images).map((image, n) => [image[i], row(off, n)[c]]), over = images.rows * (temperature ?? 1);
  const slope = terms.reduce((sum, [x, d]) => sum + x * d, 0) / over, names = temperature ? "p \u2212 y" : "z \u2212 t";
  said.innerHTML = `<b>Row ${Math.floor(i / SIDE)}, column ${i % SIDE}, class ${CLASSES[c]}:</b> the student has ${brief(row(w, i)[c])}, the teacher
    ${brief(row(teacher[0].parameters[0], i)[c])}. Its gradient is the sum of x (${names}) over the images, divided by ${over}:
    (${terms.map(([x, d]) => `${brief(x)} \u00d7 ${brief(d)}`).join(" + ")}) / ${over} = <b>${brief(slope)}</b>.`;
}

function startWeight(canvas, c) {  // by pointer, or by arrow keys
  canvas.tabIndex = 0;
  const choose = i => { pupil.weight = [c, i]; sayWeight(); };
  canvas.addEventListener("click", event => choose(pixelAt(canvas, event)));
  canvas.addEventListener("keydown", event => {
    const by = {ArrowDown: SIDE, ArrowUp: -SIDE, ArrowLeft: -1, ArrowRight: 1}[event.key], from = pupil.weight?.[1] ?? (SIDE * SIDE + SIDE) / 2;
    if (!by) return;
    event.preventDefault();
    choose((from + by + SIDE * SIDE) % (SIDE * SIDE));
  });
}

function startRetraining() {
  const names = side => CLASSES.map(name => ({name, alt: `The ${side}'s weights of class ${name}`}));
  pupil.tiles = {teacher: tiles($("retrain-teacher"), names("teacher")), student: tiles($("retrain-student"), names("student"))};
  const weights = transpose(teacher[0].parameters[0]), largest = Math.max(...weights.data.map(Math.abs));
  pupil.tiles.teacher.forEach(({canvas}, c) => paint(canvas, row(weights, c), "grey", largest));
  pupil.tiles.student.forEach(({canvas}, c) => {
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `The student's weights of class ${CLASSES[c]}. Arrow keys choose one.`);
    startWeight(canvas, c);
  });
  told("retrain-count", value => `${value} image${value > 1 ? "s" : ""}`);
  const stop = player($("retrain-play"), () => { const more = stepRetraining(stepsNow()); showRetraining(); return more; });
  $("retrain-step").addEventListener("click", () => { stop(); stepRetraining(1); showRetraining(); });
  $("retrain-reset").addEventListener("click", () => { stop(); resetRetraining(); });
  for (const id of ["source", "count", "blank", "start", "loss"])
    $(`retrain-${id}`).addEventListener("input", () => { stop(); resetRetraining(); });
  resetRetraining();
}

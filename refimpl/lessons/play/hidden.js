// One hidden layer, 784-30-10: its gates, its ten images, and the 31 that bring it back.

const [layer1, , layer2] = hiddenTeacher, [w1, b1] = layer1.parameters, UNITS = w1.columns;

// The blank, and s_j w_j for each unit with one length for all: then unit j's own gate is open on image j.
function unitImages() {
  const w = transpose(w1), images = matrix(UNITS + 1, w1.rows), length = unitLength();
  rowsOf(w).forEach((unit, j) => unit.forEach((value, i) => { row(images, j + 1)[i] = (length * value) / norm(unit); }));
  return images;
}

function unitLength() {  // twice what the most reluctant unit needs, and at least 4
  return Math.max(4, ...rowsOf(transpose(w1)).map((unit, j) => (-2 * b1.data[j]) / norm(unit)));
}

function hiddenTen() {  // a hundred steps up the logit from grey
  const steps = classVisualizations(hiddenTeacher, {objective: "logit", lr: 0.02});
  for (let n = 0; n < 100; n++) steps.next();
  return steps.next().value.x;
}

// A student from (images, sums of the hidden units, logits): the shortest theta of each layer that fits.
function fromHints(images, z1, z) {
  const theta1 = leastNorm(augmented(images), z1), open = map(z1, value => Math.max(value, 0));
  const theta2 = leastNorm(augmented(open), z), part = (t, from, to) => matrix(to - from, t.columns, t.data.slice(from * t.columns, to * t.columns));
  return [affine(part(theta1, 0, theta1.rows - 1), part(theta1, theta1.rows - 1, theta1.rows)), relu,
    affine(part(theta2, 0, theta2.rows - 1), part(theta2, theta2.rows - 1, theta2.rows))];
}

const hidden = {images: {}, accuracy: {}, says: null};

function hiddenStudent(source, count) {
  const all = hidden.images[source], images = matrix(count, all.columns, all.data.slice(0, count * all.columns));
  const found = fromHints(images, layer1.forward(images)[0], logits(hiddenTeacher, images));
  const off = parametersOf(found).map((p, i) => norm(zip(p, parametersOf(hiddenTeacher)[i], (a, b) => a - b).data));
  const size = parametersOf(hiddenTeacher).map(p => norm(p.data)), says = predict(found, testImages);
  return {network: found, distance: Math.hypot(...off) / Math.hypot(...size), right: share(says, testLabels), same: share(says, hidden.says)};
}

function showGates() {
  const n = +$("hidden-which").value, x = matrix(1, testImages.columns, row(testImages, n));
  const z1 = layer1.forward(x)[0].data, largest = Math.max(...z1), open = [...z1].filter(value => value > 0).length;
  paint($("hidden-image"), x.data, "ink", 1);
  $("hidden-image").setAttribute("aria-label", `Test image ${n}, a ${CLASSES[testLabels[n]]}`);
  $("hidden-gates").innerHTML = [...z1].map((value, j) => `<i style="--open:${Math.max(value, 0) / largest}" title="unit ${j}: ${brief(value)}"></i>`).join("");
  $("hidden-gates").setAttribute("aria-label", `${open} of ${UNITS} gates are open`);
  $("hidden-said").textContent = `${open} of ${UNITS} gates are open. While these stay as they are, the network is linear: its answer is ${CLASSES[predict(hiddenTeacher, x)[0]]}.`;
}

function showHiddenStudent() {
  const source = $("hidden-source").value, most = hidden.images[source].rows, slider = $("hidden-count");
  slider.max = most;
  const count = Math.min(+slider.value, most), {distance, right, same} = hiddenStudent(source, count);
  $("hidden-of").textContent = count;
  [...$("hidden-units").children].forEach((tile, n) => tile.classList.toggle("off", source !== "units" || n >= count));
  const whole = distance < 1e-9, box = $("hidden-certificate");
  box.className = `certificate ${whole ? "good" : "bad"}`;
  box.textContent = whole ? `All ${parametersOf(hiddenTeacher).reduce((n, p) => n + p.data.length, 0).toLocaleString("en")} parameters are back, to ${brief(distance)}. It is right on ${percent(right)}.`
    : `${count} images tell each unit ${count} equations about its ${w1.rows + 1} numbers: not enough. It is right on ${percent(right)} and answers as the teacher does on ${percent(same)}.`;
  showCurve();
}

function startHidden() {
  hidden.says = predict(hiddenTeacher, testImages);
  hidden.images = {units: unitImages(), classes: hiddenTen()};
  const ten = tiles($("hidden-ten"), CLASSES.map(name => ({name, alt: `Class visualization of ${name} of the network with a hidden layer`})));
  ten.forEach(({canvas}, c) => paint(canvas, row(hidden.images.classes, c), "grey"));
  const units = tiles($("hidden-units"), rowsOf(hidden.images.units).map((_, n) => ({name: "", alt: n ? `The image of unit ${n - 1}` : "The blank"})));
  units.forEach(({canvas}, n) => paint(canvas, row(hidden.images.units, n), "grey"));
  hidden.accuracy = {units: [0], classes: [0]};
  told("hidden-which", value => `number ${value}, a ${CLASSES[testLabels[value]]}`);
  told("hidden-count", () => "");
  $("hidden-which").addEventListener("input", showGates);
  for (const id of ["hidden-count", "hidden-source"]) $(id).addEventListener("input", showHiddenStudent);
  showGates();
  showHiddenStudent();
  fillCurve();
}

function fillCurve() {  // a student a turn, so that the page stays awake
  const source = ["classes", "units"].find(name => hidden.accuracy[name].length <= hidden.images[name].rows);
  if (!source) return showCurve();
  hidden.accuracy[source].push(hiddenStudent(source, hidden.accuracy[source].length).right);
  if (source === $("hidden-source").value) showCurve();
  setTimeout(fillCurve, 0);
}

function showCurve() {
  const source = $("hidden-source").value;
  curves($("hidden-curve"), [{label: "right", colour: "var(--student)", values: hidden.accuracy[source]}],
    {what: "Share of test images that the student gets right, by the number of images", xlabel: "images", low: 0, high: 1,
      until: hidden.images[source].rows, marks: [0, 0.5, 1], tell: value => `${Math.round(100 * value)} %`});
}

// Draw a digit: a board of 140 x 140 dots of ink, what the network sees of it, and each answer as a sum.

const PARTS = ["seen", "weights", "terms", "slope"];  // the pictures whose pixels can be asked
const PAD = 140, PEN = 4.6, MOVE = 5;  // dots: the board's side, the pen's radius, a press of an arrow key
const drawing = {ink: new Float64Array(PAD * PAD), x: matrix(1, SIDE * SIDE), chosen: 0, follows: true, pixel: null, sample: 0,
  pen: {x: PAD / 2, y: PAD / 4, down: false}, asked: "logit", part: "seen"};  // follows: the class chosen is the answer; part: the picture pointed at last

function stroke(ink, from, to) {  // ink where the pen, a round one with a soft edge, goes from one place to another
  const along = [to.x - from.x, to.y - from.y], square = along[0] ** 2 + along[1] ** 2;
  const range = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - PEN - 1)), Math.min(PAD - 1, Math.ceil(Math.max(a, b) + PEN + 1))];
  const [x0, x1] = range(from.x, to.x), [y0, y1] = range(from.y, to.y);
  for (let y = y0; y <= y1; y++)
    for (let x = x0; x <= x1; x++) {
      const t = square ? Math.min(Math.max(((x - from.x) * along[0] + (y - from.y) * along[1]) / square, 0), 1) : 0;
      const away = Math.hypot(x - from.x - t * along[0], y - from.y - t * along[1]);
      ink[y * PAD + x] = Math.max(ink[y * PAD + x], Math.min(Math.max(PEN + 0.5 - away, 0), 1));
    }
}

function showPad() {
  paint($("pad"), drawing.ink, "ink", 1);
  const context = $("pad").getContext("2d"), {x, y, down} = drawing.pen;
  if (document.activeElement !== $("pad")) return;
  context.strokeStyle = down ? "#fff" : "#f0a06a";  // where the arrow keys have the pen
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, PEN + 2, 0, 7);
  context.stroke();
}

function inked() {  // the ink has changed
  showPad();
  drawing.x = map(centre(drawing.ink, PAD), Math.fround);
  showAnswer();
}

function showImage(x) {  // an image of 28 x 28 as it is; the board shows it larger
  drawing.x = x;
  drawing.ink = Float64Array.from({length: PAD * PAD}, (_, i) =>
    x.data[Math.floor((Math.floor(i / PAD) * SIDE) / PAD) * SIDE + Math.floor(((i % PAD) * SIDE) / PAD)]);
  showPad();
  showAnswer();
}

function showAnswer() {
  const {x} = drawing, z = logits(teacher, x), says = predict(teacher, x)[0];
  if (drawing.follows) drawing.chosen = says;
  const {chosen} = drawing, p = softmax(z).data, theirs = softmax(logits(student, x)).data;
  [...$("bars").children].forEach((bar, c) => {
    bar.setAttribute("aria-checked", c === chosen);
    bar.tabIndex = c === chosen ? 0 : -1;
    const [, both, text] = bar.children;
    both.children[0].style.width = `${100 * p[c]}%`;
    both.children[1].style.width = `${100 * theirs[c]}%`;
    text.textContent = percent(p[c]);
    bar.setAttribute("aria-label", `${CLASSES[c]}: teacher ${percent(p[c])}, student ${percent(theirs[c])}`);
  });
  const off = Math.max(...p.map((value, c) => Math.abs(value - theirs[c])));
  $("same").textContent = `Both say ${CLASSES[says]}. Their probabilities never differ by more than ${brief(off)} here.`;
  const [, dz] = OBJECTIVES[drawing.asked](z, [chosen]), dx = inputGradient(teacher, x, dz);
  const w = transpose(teacher[0].parameters[0]), terms = x.data.map((value, i) => value * row(w, chosen)[i]);
  paint($("seen"), x.data, "ink", 1);
  paint($("slope"), dx.data, "signed");
  paint($("weights"), row(w, chosen), "signed");
  paint($("terms"), terms, "signed");
  $("slope-name").textContent = `gradient, class ${CLASSES[chosen]}`;
  $("seen").setAttribute("aria-label", "The image as the network sees it, 28 by 28 pixels. Arrow keys choose a pixel.");
  $("slope").setAttribute("aria-label", `Gradient for class ${CLASSES[chosen]}: green pixels speak for it, pink ones against it. Arrow keys choose a pixel.`);
  $("weights").setAttribute("aria-label", `The weights of class ${CLASSES[chosen]}, one for each pixel. Arrow keys choose a weight.`);
  $("weights-name").textContent = `weights w, class ${CLASSES[chosen]}`;
  $("terms").setAttribute("aria-label", `Ink times weight for class ${CLASSES[chosen]}, pixel by pixel. Arrow keys choose a pixel.`);
  for (const id of PARTS) framePixel($(id));
  $("sum").innerHTML = drawing.pixel === null ? logitInWords(z, p, terms)
    : drawing.part === "weights" ? weightInWords(z, p, terms) : pixelInWords(z, dx, terms);
}

function framePixel(canvas) {
  if (drawing.pixel === null) return;
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffd23f";
  context.globalAlpha = 0.75;
  context.fillRect(drawing.pixel % SIDE, Math.floor(drawing.pixel / SIDE), 1, 1);
  context.globalAlpha = 1;
}

function logitInWords(z, p, terms) {
  const c = drawing.chosen, b = teacher[0].parameters[1].data[c];
  const plus = terms.filter(v => v > 0), minus = terms.filter(v => v < 0), sum = values => values.reduce((a, v) => a + v, 0);
  const total = z.data.reduce((a, v) => a + Math.exp(v), 0);
  return `<b>z<sub>${CLASSES[c]}</sub> = ${brief(z.data[c])}</b> = ${brief(b)} (its own number) + ${brief(sum(plus))} (${plus.length} pixels for it)
    \u2212 ${brief(-sum(minus))} (${minus.length} against). Its probability is e<sup>${brief(z.data[c])}</sup> / (the ten of these together, ${brief(total)})
    = ${percent(p[c])}. Click a pixel for its term, a weight for what training would do to it.`;
}

function pixelInWords(z, dx, terms) {
  const c = drawing.chosen, i = drawing.pixel, w = row(teacher[0].parameters[0], i);
  return `<b>Row ${Math.floor(i / SIDE)}, column ${i % SIDE}:</b> ink ${brief(drawing.x.data[i])} \u00d7 weight ${brief(w[c])}
    = <b>${brief(terms[i])}</b>, one of the terms of z<sub>${CLASSES[c]}</sub> = ${brief(z.data[c])}. The gradient there is
    ${brief(dx.data[i])}: a little more ink changes the ${$("slope-of").selectedOptions[0].text} by that many times as much.
    This pixel's weights for the ten classes: ${[...w].map((v, k) => `${CLASSES[k]}&nbsp;${brief(v)}`).join(", ")}.`;
}

function weightInWords(z, p, terms) {  // its term now, and its gradient if the image were trained on: dw = x (p - y)
  const c = drawing.chosen, i = drawing.pixel, x = drawing.x.data[i], w = row(teacher[0].parameters[0], i)[c];
  return `<b>The weight of row ${Math.floor(i / SIDE)}, column ${i % SIDE} for class ${CLASSES[c]} is ${brief(w)}.</b> It stands in one
    sum, z<sub>${CLASSES[c]}</sub> = ${brief(z.data[c])}, with the term ${brief(x)} \u00d7 ${brief(w)} = ${brief(terms[i])}. If this image were
    trained on as a ${CLASSES[c]}, the slope of the cross-entropy by this weight would be ink \u00d7 (p<sub>${CLASSES[c]}</sub> \u2212 1) =
    ${brief(x)} \u00d7 ${brief(p[c] - 1)} = <b>${brief(x * (p[c] - 1))}</b>, and a step goes the other way. Without ink a weight learns nothing.`;
}

function startDrawing() {
  const pad = $("pad"), bars = $("bars");
  bars.innerHTML = CLASSES.map(name => `<button type="button" role="radio"><span>${name}</span>
    <span><i class="teacher"></i><i class="student"></i></span><span></span></button>`).join("");
  const choose = c => { drawing.chosen = (c + K) % K; drawing.follows = false; drawing.pixel = null; showAnswer(); };
  [...bars.children].forEach((bar, c) => bar.addEventListener("click", () => choose(c)));
  bars.addEventListener("keydown", event => {
    const by = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1}[event.key];
    if (!by) return;
    event.preventDefault();
    choose(drawing.chosen + by);
    bars.children[drawing.chosen].focus();
  });
  $("slope-of").addEventListener("change", event => { drawing.asked = event.target.value; showAnswer(); });
  startPen(pad);
  for (const id of PARTS) startPixels($(id));
  $("pad-clear").addEventListener("click", clearPad);
  $("pad-sample").addEventListener("click", nextSample);
  $("pad-file").addEventListener("change", event => takePicture(event.target.files[0]));
  const over = is => document.body.classList.toggle("dropping", is);
  document.addEventListener("dragover", event => { event.preventDefault(); over(true); });  // a picture may fall anywhere
  document.addEventListener("dragleave", event => { if (!event.relatedTarget) over(false); });
  document.addEventListener("drop", event => { event.preventDefault(); over(false); takePicture(event.dataTransfer.files[0]); });
  nextSample();
}

function clearPad() {
  drawing.ink.fill(0);
  drawing.follows = true;
  drawing.pixel = null;
  inked();
}

function nextSample() {
  const n = drawing.sample % testImages.rows;
  drawing.sample = n + 7;  // a few apart
  drawing.follows = true;
  drawing.pixel = null;
  showImage(matrix(1, testImages.columns, row(testImages, n).slice()));
}

function startPen(pad) {
  const at = event => {
    const box = pad.getBoundingClientRect();
    return {x: ((event.clientX - box.left) / box.width) * PAD - 0.5, y: ((event.clientY - box.top) / box.height) * PAD - 0.5};
  };
  let last = null;
  pad.addEventListener("pointerdown", event => {
    last = at(event);
    try { pad.setPointerCapture(event.pointerId); } catch { /* a pointer that is none, as in a test */ }
    stroke(drawing.ink, last, last);
    inked();
  });
  pad.addEventListener("pointermove", event => {
    if (!last) return;
    for (const part of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const next = at(part);
      stroke(drawing.ink, last, next);
      last = next;
    }
    inked();
  });
  for (const name of ["pointerup", "pointercancel"]) pad.addEventListener(name, () => { last = null; });
  for (const name of ["focus", "blur"]) pad.addEventListener(name, showPad);
  pad.addEventListener("keydown", event => {
    const by = {ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0]}[event.key], {pen} = drawing;
    if (!by && !["Delete", "Backspace", " "].includes(event.key)) return;
    event.preventDefault();
    if (["Delete", "Backspace"].includes(event.key)) return clearPad();
    if (!by) pen.down = !pen.down;
    const from = {x: pen.x, y: pen.y}, inside = value => Math.min(Math.max(value, PEN), PAD - 1 - PEN);
    if (by) [pen.x, pen.y] = [inside(pen.x + MOVE * by[0]), inside(pen.y + MOVE * by[1])];
    if (pen.down) { stroke(drawing.ink, from, pen); inked(); } else showPad();
  });
}

function pixelAt(canvas, event) {  // which of the SIDE x SIDE pixels a pointer is on
  const box = canvas.getBoundingClientRect(), to = (value, size) => Math.min(Math.max(Math.floor((value / size) * SIDE), 0), SIDE - 1);
  return to(event.clientY - box.top, box.height) * SIDE + to(event.clientX - box.left, box.width);
}

function startPixels(canvas) {
  canvas.addEventListener("click", event => {
    drawing.part = canvas.id;
    drawing.pixel = pixelAt(canvas, event);
    showAnswer();
  });
  canvas.addEventListener("keydown", event => {
    const by = {ArrowDown: SIDE, ArrowUp: -SIDE, ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (event.key === "Escape") drawing.pixel = null;
    else if (by) drawing.pixel = ((drawing.pixel ?? (SIDE * SIDE + SIDE) / 2) + by + SIDE * SIDE) % (SIDE * SIDE);
    else return;
    drawing.part = canvas.id;
    event.preventDefault();
    showAnswer();
  });
}

async function takePicture(file) {  // a picture of one's own: dark on light is turned round
  if (!file) return;
  const board = Object.assign(document.createElement("canvas"), {width: PAD, height: PAD}), context = board.getContext("2d");
  let bitmap;
  try { bitmap = await createImageBitmap(file); } catch { $("sum").textContent = "That file is no picture."; return; }
  const scale = PAD / Math.max(bitmap.width, bitmap.height), w = bitmap.width * scale, h = bitmap.height * scale;
  context.drawImage(bitmap, (PAD - w) / 2, (PAD - h) / 2, w, h);
  const {data} = context.getImageData(0, 0, PAD, PAD), inside = Array.from({length: PAD * PAD}, (_, i) => data[4 * i + 3] > 127);
  const grey = inside.map((there, i) => (there ? (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 765 : NaN));
  const edge = grey.filter((v, i) => !Number.isNaN(v) && [0, PAD - 1].some(e => i % PAD === e || Math.floor(i / PAD) === e));
  const paper = edge.length ? edge.reduce((a, v) => a + v) / edge.length : 1;
  drawing.follows = true;
  drawing.ink = Float64Array.from(grey, v => (Number.isNaN(v) ? 0 : Math.min(Math.max(1.4 * Math.abs(v - paper) - 0.2, 0), 1)));
  drawing.pixel = null;
  inked();
}

startDrawing();

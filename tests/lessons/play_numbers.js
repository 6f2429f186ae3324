const ask = JSON.parse(`QUESTIONS`), list = a => [...(a.data ?? a)];
const x = matrix(20, SIDE * SIDE, testImages.data.slice(0, 20 * SIDE * SIDE)), some = [...Array(20).keys()].map(n => n % K);
found.logits = {}; found.gradients = {}; found.values = {};
for (const [name, net] of Object.entries({teacher, hidden: hiddenTeacher})) {
  found.logits[name] = list(logits(net, x));
  for (const objective in OBJECTIVES) {
    const [values, dz] = OBJECTIVES[objective](logits(net, x), some);
    found.values[name + objective] = list(values);
    found.gradients[name + objective] = list(inputGradient(net, x, dz));
  }
}
found.ascents = {};
for (const [name, how] of Object.entries(ask.ascents)) {
  const priors = [...(how.jitter ? [jitter(how.jitter, SIDE, DRAWS)] : []), ...(how.blur ? [blur(how.blur, SIDE)] : [])];
  const steps = classVisualizations(teacher, {...how, priors}), values = [];
  let now;
  for (let n = 0; n <= 20; n++) { now = steps.next().value; values.push([...now.values]); }
  found.ascents[name] = {x: list(now.x), values};
}
found.retrainings = {};
for (const [name, [source, count, blank, start, temperature]] of Object.entries(ask.retrainings)) {
  const images = retrainingImages(source, count, blank), student = startingStudent(start);
  const steps = retraining(images, logits(teacher, images), {student, temperature}), losses = [];
  let now;
  for (let n = 0; n <= 20; n++) { now = steps.next().value; losses.push(now.loss); }
  found.retrainings[name] = {theta: list(thetaOf(now.network)), losses: losses.slice(0, 20),
    certificate: certificate(images, teacher, student)};
}
const nine = embedded("one_step"), lr = embedded("one_step_lr").data[0];
const one = retraining(nine, logits(teacher, nine), {student: zeroStudent(), lr});
one.next();
found.nine = {rows: nine.rows, theta: list(thetaOf(one.next().value.network))};
const units = unitImages(), back = fromHints(units, layer1.forward(units)[0], logits(hiddenTeacher, units));
found.units = list(units); found.back = parametersOf(back).map(list);
found.checks = {};
for (const what in CHECKS) for (const error of ["", ...Object.keys(CHECKS[what]().errors)])
  for (const how of ["random", "ones"]) found.checks[`${what}|${error}|${how}`] = checkNow(what, error, how);
found.agreement = share(predict(student, testImages), predict(teacher, testImages));

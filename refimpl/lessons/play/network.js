// The mathematics of the page, by hand, in Float64: what refimpl does in NumPy, under refimpl's names
// (written as JavaScript writes them: log_probability is logProbability). A function and its twin:
//
//     matmul ... map                          NumPy's own
//     affine, relu, forward, backward         refimpl/layers, refimpl/network.py
//     softmax, OBJECTIVES, squaredError ...   refimpl/losses.py
//     ascending, sgd, momentum, l2            refimpl/optimize.py
//     classVisualizations                     refimpl/class_visualization.py
//     jitter, blur                            refimpl/companions/maximization/priors.py
//     descending, retraining                  refimpl/descent.py, refimpl/retraining.py
//     gram, rowSpace, certificate ...         refimpl/theory.py, refimpl/exact_recovery.py
//
// The tests of the package run this file in a browser and compare it with NumPy to 1e-10.
"use strict";
const EPS = Number.EPSILON;

// Arrays. A matrix is {data, rows, columns}, row by row as in NumPy; a vector is one row of it.

const matrix = (rows, columns, data = new Float64Array(rows * columns)) => ({data, rows, columns});
const copy = a => matrix(a.rows, a.columns, a.data.slice());
const row = (a, n) => a.data.subarray(n * a.columns, (n + 1) * a.columns);
const filled = (out, f) => { for (let i = 0; i < out.data.length; i++) out.data[i] = f(i); return out; };
const map = (a, f) => filled(matrix(a.rows, a.columns), i => f(a.data[i], i));
const zip = (a, b, f) => filled(matrix(a.rows, a.columns), i => f(a.data[i], b.data[i]));
const dot = (u, v) => { let sum = 0; for (let i = 0; i < u.length; i++) sum += u[i] * v[i]; return sum; };
const norm = u => Math.sqrt(dot(u, u));
const stack = (...parts) => matrix(parts.reduce((n, a) => n + a.rows, 0), parts[0].columns,
  Float64Array.from(parts.flatMap(a => [...a.data])));

function matmul(a, b) {  // (N, D) @ (D, K) -> (N, K)
  const out = matrix(a.rows, b.columns), width = b.columns;
  for (let n = 0; n < a.rows; n++)
    for (let d = 0; d < a.columns; d++) {
      const value = a.data[n * a.columns + d];
      if (value === 0) continue;  // most pixels are blank
      for (let k = 0; k < width; k++) out.data[n * width + k] += value * b.data[d * width + k];
    }
  return out;
}

function transpose(a) {  // (N, D) -> (D, N)
  const out = matrix(a.columns, a.rows);
  for (let n = 0; n < a.rows; n++)
    for (let d = 0; d < a.columns; d++) out.data[d * a.rows + n] = a.data[n * a.columns + d];
  return out;
}

function sumRows(a) {  // (N, K) -> (1, K)
  const out = matrix(1, a.columns);
  a.data.forEach((value, i) => { out.data[i % a.columns] += value; });
  return out;
}

const argmax = values => values.indexOf(Math.max(...values));  // the first of equals

// Layers: forward(x) -> [out, cache], backward(dout, cache) -> [dx, [one gradient a parameter]].

function affine(w, b) {  // x (N, D) @ w (D, K) + b (1, K)
  return {
    parameters: [w, b],
    with: affine,
    forward(x) {
      const out = matmul(x, w);
      return [map(out, (value, i) => value + b.data[i % b.columns]), x];
    },
    backward(dout, x, {parameters = true, input = true} = {}) {
      const dx = input ? matmul(dout, transpose(w)) : null;
      return [dx, parameters ? [matmul(transpose(x), dout), sumRows(dout)] : []];
    },
  };
}

const relu = {
  parameters: [],
  with: () => relu,
  forward: x => [map(x, value => Math.max(value, 0)), x],
  backward: (dout, x) => [zip(dout, x, (slope, value) => (value > 0 ? slope : 0)), []],
};

// A network is a list of layers that ends in logits. The caches travel through the caller's hands.

function forward(network, x) {  // x (N, D) -> [z (N, K), caches]
  const caches = [];
  for (const [i, layer] of network.entries()) [x, caches[i]] = layer.forward(x);
  return [x, caches];
}

function backward(network, dout, caches, {parameters = true, input = true} = {}) {  // dz -> [dx (N, D), gradients in order]
  const gradients = [];
  for (let i = network.length - 1; i >= 0; i--) {
    let own;
    [dout, own] = network[i].backward(dout, caches[i], {parameters, input: input || i > 0});
    gradients.unshift(...own);
  }
  return [dout, gradients];
}

const logits = (network, x) => forward(network, x)[0];
const parametersOf = network => network.flatMap(layer => layer.parameters);

const inputGradient = (network, x, dout) => backward(network, dout, forward(network, x)[1], {parameters: false})[0];

function withParameters(network, parameters) {
  const left = [...parameters];
  return network.map(layer => layer.with(...left.splice(0, layer.parameters.length)));
}

const rowsOf = a => Array.from({length: a.rows}, (_, n) => row(a, n));
const predict = (network, x) => rowsOf(logits(network, x)).map(argmax);

// Losses (z, target) -> [value, dz], a mean over images; objectives (z, classes) -> [values, dz], one
// value an image.

function logSoftmax(z) {  // z_c - log sum_k exp z_k, shifted by the largest
  const out = copy(z);
  for (const values of rowsOf(out)) {
    const largest = Math.max(...values);
    const log = Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    values.forEach((value, k) => { values[k] = value - largest - log; });
  }
  return out;
}

const softmax = z => map(logSoftmax(z), Math.exp);

function squaredError(z, target) {  // |z - t|^2 / 2N
  const d = zip(z, target, (a, b) => a - b);
  return [dot(d.data, d.data) / (2 * z.rows), map(d, value => value / z.rows)];
}

function crossEntropy(z, target, temperature = 1) {  // target (N, K): probabilities, each row's sum 1
  const logp = logSoftmax(map(z, value => value / temperature));
  const dz = zip(logp, target, (l, t) => (Math.exp(l) - t) / (z.rows * temperature));
  return [-dot(target.data, logp.data) / z.rows, dz];
}

function logit(z, classes) {
  const dz = matrix(z.rows, z.columns);
  classes.forEach((c, n) => { row(dz, n)[c] = 1; });
  return [classes.map((c, n) => row(z, n)[c]), dz];
}

function centredLogit(z, classes) {
  const [values, dz] = logit(z, classes), k = z.columns;
  const means = values.map((_, n) => row(z, n).reduce((a, b) => a + b) / k);
  return [values.map((value, n) => value - means[n]), map(dz, value => value - 1 / k)];
}

function logProbability(z, classes) {
  const logp = logSoftmax(z), [values, onehot] = logit(logp, classes);
  return [values, zip(onehot, logp, (one, l) => one - Math.exp(l))];
}

function probability(z, classes) {
  const [values, dz] = logProbability(z, classes), p = values.map(Math.exp);
  return [p, map(dz, (value, i) => p[Math.floor(i / z.columns)] * value)];
}

const OBJECTIVES = {
  logit, centred_logit: centredLogit, probability, log_probability: logProbability,
};

// Optimizers: update(x, g, state, lr) -> [x, state]; and the one loop behind every visualization.

const sgd = (x, g, state, lr) => [zip(x, g, (a, b) => a - lr * b), state];

const momentum = beta => (x, g, state, lr) => {  // Polyak's heavy ball
  const v = state ? zip(state, g, (a, b) => beta * a + b) : g;
  return [zip(x, v, (a, b) => a - lr * b), v];
};

const l2 = x => rowsOf(x).map(image => dot(image, image));

function* ascending(objective, x, lr, project = x => x) {  // yields {x, values} before each step
  for (let step = 0; ; step++) {
    const [values, dx] = objective(x, step);
    yield {x, values, step};
    x = project(sgd(x, dx, null, -lr)[0]);
  }
}

function* classVisualizations(network, how) {  // one image a class: yields {x (K, D), values, step}
  const {objective, lr, weightDecay = 0, box = null, priors = []} = how;
  const [w, b] = network.at(-1).parameters, classes = Array.from({length: b.columns}, (_, c) => c);
  const inputs = network[0].parameters[0].rows, score = OBJECTIVES[objective];
  let ascended = (x, step) => {
    const [z, caches] = forward(network, x), [values, dz] = score(z, classes);
    const dx = backward(network, dz, caches, {parameters: false})[0];
    if (!weightDecay) return [values, dx];
    const costs = l2(x);
    return [values.map((value, n) => value - weightDecay * costs[n]),
      zip(dx, x, (slope, value) => slope - 2 * weightDecay * value)];
  };
  let project = x => (box ? map(x, value => Math.min(Math.max(value, box[0]), box[1])) : x);
  for (const prior of priors) [ascended, project] = prior(ascended, project);
  yield* ascending(ascended, matrix(w.columns, inputs), lr, project);
}

function shift(x, side, down, right) {  // every image rolled, round the border
  const out = matrix(x.rows, x.columns), wrap = i => ((i % side) + side) % side;
  for (let n = 0; n < x.rows; n++)
    for (let i = 0; i < side; i++)
      for (let j = 0; j < side; j++)
        row(out, n)[wrap(i + down) * side + wrap(j + right)] = row(x, n)[i * side + j];
  return out;
}

// draws: numbers in [0, 1), two a step; the page embeds them, so that NumPy can be given the same.
const jitter = (pixels, side, draws) => (objective, project) => [
  (x, step) => {
    const at = (2 * step) % draws.length, whole = u => Math.floor(u * (2 * pixels + 1)) - pixels;
    const down = whole(draws[at]), right = whole(draws[at + 1]);
    const [values, dx] = objective(shift(x, side, down, right), step);
    return [values, shift(dx, side, -down, -right)];
  }, project];

function blurMatrix(n, sigma) {  // a Gaussian cut at 4 sigma, the border mirrored: its own adjoint
  const b = matrix(n, n), radius = Math.ceil(4 * sigma);
  const kernel = Array.from({length: 2 * radius + 1}, (_, k) => Math.exp(-((k - radius) ** 2) / (2 * sigma ** 2)));
  const total = kernel.reduce((a, v) => a + v);
  for (let i = 0; i < n; i++)
    kernel.forEach((value, k) => {
      const seen = (((i + k - radius) % (2 * n)) + 2 * n) % (2 * n);
      b.data[i * n + (seen < n ? seen : 2 * n - 1 - seen)] += value / total;
    });
  return b;
}

const blur = (sigma, side) => (objective, project) => {
  const b = blurMatrix(side, sigma);
  const blurred = x => {
    const out = matrix(x.rows, x.columns);
    for (let n = 0; n < x.rows; n++)
      row(out, n).set(matmul(matmul(b, matrix(side, side, row(x, n))), b).data);
    return project(out);
  };
  return [objective, blurred];
};

// Full-batch descent of a student on (images, targets). It never sees the teacher.

function* descending(network, x, target, loss, {lr, update = sgd}) {  // {network, loss, step} before each step
  let states = parametersOf(network).map(() => null);
  for (let step = 0; ; step++) {
    const [z, caches] = forward(network, x), [value, dz] = loss(z, target);
    yield {network, loss: value, step};
    const gradients = backward(network, dz, caches, {input: false})[1];
    const moved = parametersOf(network).map((p, i) => update(p, gradients[i], states[i], lr));
    states = moved.map(pair => pair[1]);
    network = withParameters(network, moved.map(pair => pair[0]));
  }
}

function retraining(images, targets, {student, temperature = null, lr = null}) {
  let loss = squaredError, update = sgd;
  if (temperature) {
    loss = (z, t) => crossEntropy(z, t, temperature);
    targets = softmax(map(targets, value => value / temperature));
    lr = lr ?? (2 * images.rows * temperature ** 2) / eigenvalues(gram(images))[0];
  } else if (lr === null) {
    const best = bestMomentum(images);
    lr = best.lr;
    update = momentum(best.beta);
  }
  return descending(student, images, targets, loss, {lr, update});
}

// Theory. theta = (W; b), (D + 1, K), acts on the augmented images (x, 1).

function augmented(x) {  // (N, D) -> (N, D + 1)
  const out = matrix(x.rows, x.columns + 1);
  for (let n = 0; n < x.rows; n++) { row(out, n).set(row(x, n)); row(out, n)[x.columns] = 1; }
  return out;
}

const thetaOf = ([layer]) => stack(...layer.parameters);
const gram = x => map(matmul(x, transpose(x)), value => value + 1);  // G = X X' + 11'

function eigenvalues(symmetric) {  // by Jacobi's rotations, largest first
  const a = copy(symmetric), n = a.rows, at = (i, j) => a.data[i * n + j];
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(at(p, q)) <= 1e-3 * EPS * Math.sqrt(Math.abs(at(p, p) * at(q, q)))) continue;
        off += 1;
        const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1), s = t * c;
        const turn = (i, j) => {
          const [u, v] = [a.data[i], a.data[j]];
          [a.data[i], a.data[j]] = [c * u - s * v, s * u + c * v];
        };
        for (let k = 0; k < n; k++) turn(k * n + p, k * n + q);  // columns p and q, then rows p and q
        for (let k = 0; k < n; k++) turn(p * n + k, q * n + k);
      }
    if (!off) break;
  }
  return Array.from({length: n}, (_, i) => at(i, i)).sort((x, y) => y - x);
}

// An orthonormal basis of the rows' span, by Gram and Schmidt, twice, the longest remainder first;
// order: which rows were taken. A remainder counts as zero below max(shape) eps times the longest row.
function rowSpace(rows) {
  const left = copy(rows), basis = [], order = [];
  const longest = Math.max(...rowsOf(rows).map(norm));
  while (basis.length < Math.min(rows.rows, rows.columns)) {
    const lengths = rowsOf(left).map(norm), n = argmax(lengths);
    if (lengths[n] <= Math.max(rows.rows, rows.columns) * EPS * longest) break;
    const q = row(left, n).map(value => value / lengths[n]);
    for (const u of basis) { const along = dot(u, q); u.forEach((value, i) => { q[i] -= along * value; }); }
    const length = norm(q);
    q.forEach((value, i) => { q[i] = value / length; });
    basis.push(q);
    order.push(n);
    for (const other of rowsOf(left)) {
      const along = dot(q, other);
      for (let i = 0; i < q.length; i++) other[i] -= along * q[i];
    }
    row(left, n).fill(0);
  }
  return {basis, order};
}

function edges(x) {  // the largest and the smallest non-zero eigenvalue of G
  const values = eigenvalues(gram(x));
  return [values[0], values[rowSpace(augmented(x)).basis.length - 1]];
}

function bestMomentum(x) {
  const [top, low] = edges(x).map(Math.sqrt);
  return {lr: (4 * x.rows) / (top + low) ** 2, beta: ((top - low) / (top + low)) ** 2};
}

// The shortest theta with rows theta = target, for targets that can be met: theta = Q c with Q the rows' basis.
function leastNorm(rows, target) {  // (N, D), (N, K) -> (D, K)
  const {basis, order} = rowSpace(rows), theta = matrix(rows.columns, target.columns);
  const c = basis.map(() => new Float64Array(target.columns));
  order.forEach((n, i) => {  // row n is a combination of basis 0 ... i: forward substitution
    const along = basis.slice(0, i + 1).map(q => dot(row(rows, n), q));
    for (let k = 0; k < target.columns; k++) {
      const known = along.slice(0, i).reduce((sum, value, j) => sum + value * c[j][k], 0);
      c[i][k] = (row(target, n)[k] - known) / along[i];
    }
  });
  basis.forEach((q, i) => q.forEach((value, d) => {
    for (let k = 0; k < target.columns; k++) row(theta, d)[k] += value * c[i][k];
  }));
  return theta;
}

function certificate(images, teacher, start) {  // what descent from `start` on the teacher's logits becomes
  const rows = augmented(images), {basis} = rowSpace(rows), theta = thetaOf(teacher);
  const lost = zip(theta, thetaOf(start), (a, b) => a - b);
  for (const q of basis) {
    const along = matmul(matrix(1, q.length, q), lost).data;
    q.forEach((value, d) => along.forEach((a, k) => { row(lost, d)[k] -= value * a; }));
  }
  const values = eigenvalues(gram(images)), condition = Math.sqrt(values[0] / values[basis.length - 1]);
  const uneven = copy(lost), k = lost.columns;
  for (const values of rowsOf(uneven)) {
    const mean = values.reduce((a, b) => a + b) / k;
    values.forEach((value, c) => { values[c] = value - mean; });
  }
  const size = norm(theta.data), bound = 64 * EPS * condition, missing = norm(lost.data) / size;
  const exact = missing <= bound ? "parameters" : norm(uneven.data) / size <= bound ? "probabilities" : "no";
  return {exact, rank: basis.length, condition, missing};
}

// What MNIST does to a drawing: ink (side, side) in [0, 1] is scaled so that it fits a box of 20 x 20
// pixels, its aspect kept, and moved by whole pixels until its centre of mass is in the middle of 28 x 28.
function centre(ink, side, box = 20, field = 28) {
  let top = side, left = side, bottom = -1, right = -1;
  ink.forEach((value, i) => {
    if (value <= 0) return;
    const y = Math.floor(i / side), x = i % side;
    top = Math.min(top, y); bottom = Math.max(bottom, y); left = Math.min(left, x); right = Math.max(right, x);
  });
  const out = matrix(1, field * field);
  if (bottom < 0) return out;
  const h = bottom + 1 - top, w = right + 1 - left, scale = box / Math.max(h, w);
  const tall = Math.max(1, Math.round(h * scale)), wide = Math.max(1, Math.round(w * scale));
  const shares = (from, length, count) => Array.from({length: count}, (_, i) => {  // [pixel, overlap]
    const low = from + (i * length) / count, high = from + ((i + 1) * length) / count, parts = [];
    for (let p = Math.floor(low); p < high; p++) parts.push([p, Math.min(high, p + 1) - Math.max(low, p)]);
    return parts.map(([p, overlap]) => [p, (overlap * count) / length]);
  });
  const rows = shares(top, h, tall), columns = shares(left, w, wide), small = matrix(tall, wide);
  rows.forEach((ys, i) => columns.forEach((xs, j) => {
    for (const [y, a] of ys) for (const [x, b] of xs) small.data[i * wide + j] += a * b * (ink[y * side + x] ?? 0);
  }));
  let mass = 0, down = 0, across = 0;
  small.data.forEach((value, i) => { mass += value; down += value * Math.floor(i / wide); across += value * (i % wide); });
  const place = (moment, size) => Math.min(Math.max(Math.round((field - 1) / 2 - moment / mass), 0), field - size);
  const y0 = place(down, tall), x0 = place(across, wide);
  small.data.forEach((value, i) => {
    out.data[(y0 + Math.floor(i / wide)) * field + x0 + (i % wide)] = Math.round(255 * Math.min(value, 1)) / 255;
  });
  return out;
}

const pad = $("pad"), box = pad.getBoundingClientRect(), down = (type, x, y) => pad.dispatchEvent(new PointerEvent(type,
  {clientX: box.left + box.width * x, clientY: box.top + box.height * y, pointerId: 1, bubbles: true}));
const seen = () => ({ink: [...drawing.ink], x: [...drawing.x.data], says: predict(teacher, drawing.x)[0],
  bars: [...$("bars").children].map(bar => bar.getAttribute("aria-label")), sum: $("sum").textContent});
$("pad-clear").click(); found.blank = seen();
down("pointerdown", .52, .2); for (let t = 0; t <= 1; t += .1) down("pointermove", .52 - .04 * t, .2 + .6 * t); down("pointerup", .48, .8);
down("pointermove", .1, .1); found.pointer = seen();
const key = (element, name) => element.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
pad.focus(); key(pad, "Delete"); found.cleared = Math.max(...drawing.ink);
for (let n = 0; n < 3; n++) key(pad, "ArrowUp"); key(pad, " "); for (let n = 0; n < 18; n++) key(pad, "ArrowDown"); key(pad, " ");
key(pad, "ArrowLeft"); found.keys = seen();
key($("bars").children[drawing.chosen], "ArrowDown"); found.chosen = [drawing.chosen, document.activeElement.getAttribute("aria-checked")];
key($("seen"), "ArrowDown"); found.pixel = seen().sum; key($("seen"), "Escape"); found.logit = seen().sum;
$("terms").dispatchEvent(new MouseEvent("click", {clientX: $("terms").getBoundingClientRect().left + 1, clientY: $("terms").getBoundingClientRect().top + 1}));
found.corner = seen().sum;
const wait = time => new Promise(done => setTimeout(done, time));
await wait(50);
$("ascend-reset").click(); for (let n = 0; n < 7; n++) $("ascend-step").click();
found.tick = $("ascend-tick").textContent; found.tiles = document.querySelectorAll("#ascend-tiles canvas").length;
$("ascend-objective").value = "probability"; $("ascend-objective").dispatchEvent(new Event("input")); found.untick = $("ascend-tick").textContent;
$("retrain-play").click(); await wait(4000);
found.retrained = ["steps", "distance", "accuracy", "agreement", "certificate"].map(id => $("retrain-" + id).textContent);
$("retrain-count").value = 6; $("retrain-count").dispatchEvent(new Event("input")); found.six = $("retrain-certificate").textContent;
$("retrain-count").value = 10; $("retrain-source").value = "one_step"; $("retrain-source").dispatchEvent(new Event("input"));
$("retrain-step").click(); found.one = ["steps", "distance", "agreement"].map(id => $("retrain-" + id).textContent);
found.hidden = $("hidden-certificate").textContent;
$("hidden-source").value = "classes"; $("hidden-source").dispatchEvent(new Event("input")); found.ten = $("hidden-certificate").textContent;
$("check-run").click(); found.check = [$("check-verdict").textContent, $("check-rows").children.length];

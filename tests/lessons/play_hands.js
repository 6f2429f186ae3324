const wait = time => new Promise(done => setTimeout(done, time));
const until = async done => { for (let n = 0; n < 600 && !done(); n++) await wait(20); };
const key = (element, name) => element.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
const click = (element, across, down) => { const box = element.getBoundingClientRect(); element.dispatchEvent(new MouseEvent("click",
  {bubbles: true, clientX: box.left + across * box.width, clientY: box.top + down * box.height})); };
const change = (id, value) => { $(id).value = value; $(id).dispatchEvent(new Event("input")); };
key($("bars").children[drawing.chosen], "ArrowDown"); found.chosen = [drawing.chosen, document.activeElement.getAttribute("aria-checked")];
key($("seen"), "ArrowDown"); found.pixel = $("sum").textContent; key($("seen"), "Escape"); found.logit = $("sum").textContent;
click($("terms"), .001, .001); found.corner = $("sum").textContent;
click($("weights"), .51, .51); found.weight = [$("sum").innerText, drawing.chosen, drawing.pixel, [...drawing.x.data]];

const board = Object.assign(document.createElement("canvas"), {width: 90, height: 120}), pen = board.getContext("2d");
const dropped = async (file, done) => { const dataTransfer = new DataTransfer(); dataTransfer.items.add(file);
  document.body.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true})); await until(done); };
found.dropped = [];
for (const [paper, ink] of [["white", "black"], ["black", "white"]]) {  // a one on paper, and on a blackboard
  pen.fillStyle = paper; pen.fillRect(0, 0, 90, 120); pen.fillStyle = ink; pen.fillRect(38, 20, 12, 80);
  const blob = await new Promise(done => board.toBlob(done));
  $("pad-clear").click();
  await dropped(new File([blob], "one.png", {type: "image/png"}), () => drawing.ink.some(value => value));
  found.dropped.push({ink: [...drawing.ink], x: [...drawing.x.data], says: predict(teacher, drawing.x)[0]});
}
await dropped(new File(["words"], "words.txt", {type: "text/plain"}), () => $("sum").textContent.startsWith("That"));
found.words = $("sum").textContent;

await until(() => hidden.accuracy.units.length > 31);
$("ascend-reset").click(); for (let n = 0; n < 7; n++) $("ascend-step").click();
found.tick = $("ascend-tick").textContent; found.tiles = document.querySelectorAll("#ascend-tiles canvas").length;
change("ascend-decay", 1); found.decayed = $("ascend-tick").textContent;
change("ascend-decay", 0); change("ascend-box", "-0.1,0.1"); found.boxed = $("ascend-tick").textContent;
change("ascend-box", ""); change("ascend-objective", "probability"); found.untick = $("ascend-tick").textContent;
$("retrain-step").click(); $("retrain-step").click(); click($("retrain-student").children[3].firstChild, .5, .6);
found.slope = [$("retrain-weight").innerText, pupil.weight, list(thetaOf(pupil.now.network)), list(pupil.images)];
const began = performance.now();
$("retrain-play").click(); await until(() => $("retrain-play").textContent === "Play");
found.rate = 1000 * pupil.now.step / (performance.now() - began);
found.retrained = ["steps", "distance", "accuracy", "agreement", "certificate"].map(id => $("retrain-" + id).textContent);
found.axis = $("retrain-curve").textContent.replace(/\s+/g, " ").trim().replaceAll("steps ", "steps"); change("retrain-count", 6); found.six = $("retrain-certificate").textContent;
change("retrain-count", 10); change("retrain-source", "one_step");
$("retrain-step").click(); found.one = ["steps", "distance", "agreement"].map(id => $("retrain-" + id).textContent);
found.hidden = $("hidden-certificate").textContent; found.gates = $("hidden-said").textContent;
change("hidden-source", "classes"); found.ten = $("hidden-certificate").textContent;
$("check-run").click(); found.check = [$("check-verdict").textContent, $("check-rows").children.length];
$("check-error").value = [...$("check-error").options].at(-1).value; $("check-error").dispatchEvent(new Event("input"));
found.planted = $("check-verdict").textContent;

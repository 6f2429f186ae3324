// The ascents of a page: a slider and a button that show their frames.
for (const figure of document.querySelectorAll("figure[data-frames]")) {
  const {steps, values, what} = JSON.parse(figure.dataset.frames), last = steps.length - 1;
  const [button, slider, output] = figure.querySelectorAll("button, input, output");
  const cells = [...figure.querySelectorAll(".frames > div")];
  let timer = 0;
  const show = frame => {
    figure.style.setProperty("--frame", frame);
    slider.value = frame;
    const text = `step ${steps[frame]} of ${steps[last]}`, low = Math.min(...values[frame]).toFixed(2);
    slider.setAttribute("aria-valuetext", `${text}, ${what} at least ${low}`);
    output.textContent = text;
    cells.forEach((cell, c) => { cell.querySelector("b").textContent = values[frame][c].toFixed(2); });
  };
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = "Play"; };
  slider.addEventListener("input", () => { stop(); show(+slider.value); });
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (+slider.value === last) show(0);
    button.textContent = "Stop";
    timer = setInterval(() => { if (+slider.value === last) stop(); else show(+slider.value + 1); }, 250);
  });
  figure.querySelector(".controls").hidden = false;
  show(last);
}

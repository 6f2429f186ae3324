// What a reader would miss on a page: fills `found`; the lists are empty on a page without faults.
found.title = document.title; found.lang = document.documentElement.lang; found.width = innerWidth;
found.overflow = document.documentElement.scrollWidth - innerWidth;
found.images = document.images.length;
found.broken = [...document.images].filter(i => i.loading !== "lazy" && !(i.complete && i.naturalWidth)).map(i => i.src.slice(0, 80));
found.loaded = [...document.images].every(i => i.complete && i.naturalWidth === +i.getAttribute("width"));
const nameOf = e => e.alt ?? e.getAttribute("aria-label") ?? document.getElementById(e.getAttribute("aria-labelledby"))?.textContent ?? "";
const pictures = [...document.querySelectorAll("img, canvas, svg, [role=img]")].filter(e => !e.closest("[aria-hidden=true]"));
found.names = pictures.map(nameOf); found.pictures = pictures.length;
found.unnamed = pictures.filter(e => !nameOf(e).trim()).map(e => e.outerHTML.slice(0, 80));
found.headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(h => +h.tagName[1]);
found.jumps = found.headings.filter((level, i, all) => i && level > all[i - 1] + 1);
found.labels = [...document.querySelectorAll("input, select")].filter(e => e.checkVisibility())
  .filter(e => ![...e.labels].some(label => label.offsetHeight && label.textContent.trim())).map(e => e.id);
found.hidden = [...document.querySelectorAll(".wide")].filter(w => w.tabIndex !== 0 || !w.getAttribute("aria-label")).length;
found.lost = [...document.querySelectorAll('a[href^="#"]')].filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.hash);
found.twice = [...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i);
found.outside = performance.getEntriesByType("resource").map(entry => entry.name).filter(name => !/^(file|data):/.test(name));
const dot = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d", {willReadFrequently: true});
const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const mixed = (...layers) => { for (const [colour, alpha] of layers) {
  dot.globalAlpha = alpha; dot.fillStyle = colour; dot.fillRect(0, 0, 1, 1); }
  return light(dot.getImageData(0, 0, 1, 1).data); };
const known = new Map();
found.contrast = [];
for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, .skip, option")) continue;
  const chain = []; for (let e = element; e; e = e.parentElement) chain.unshift(getComputedStyle(e));
  const backs = chain.map(style => style.backgroundColor), alpha = chain.reduce((a, style) => a * style.opacity, 1);
  const colour = element.closest("svg") ? chain.at(-1).fill : chain.at(-1).color, key = [...backs, colour, alpha].join();
  if (!known.has(key)) {
    const back = backs.map(value => [value, 1]);
    const [a, b] = [mixed(["white", 1], ...back), mixed(...back, [colour, alpha])].sort((x, y) => y - x);
    known.set(key, (a + .05) / (b + .05));
  }
  if (known.get(key) < 4.5) found.contrast.push(element.outerHTML.slice(0, 80) + " " + known.get(key).toFixed(2));
}

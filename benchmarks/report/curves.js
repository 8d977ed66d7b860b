// Drawing of curves as SVG: score over the fraction of pixels replaced, one line per map.
const PLOT = { width: 360, height: 230, left: 38, right: 10, top: 10, bottom: 38 };

function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function scoresOf(curve, index) {
  return [...valuesOf({ ...curve, h: 1, w: curve.fractions.length }, index)];
}

// lines: [{ fractions, scores, style: { colour, dash }, name, id }]
function plot(lines, title) {
  const all = lines.flatMap((line) => line.scores.filter(Number.isFinite));
  const [low, high] = [Math.min(0, ...all), Math.max(1e-9, ...all, all.length && Math.max(...all) > 0.5 ? 1 : 0)];
  const x = (f) => PLOT.left + f * (PLOT.width - PLOT.left - PLOT.right);
  const y = (s) => PLOT.height - PLOT.bottom - ((s - low) / (high - low)) * (PLOT.height - PLOT.top - PLOT.bottom);
  const drawing = svg("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", "aria-label": title });
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    const score = low + tick * (high - low);
    drawing.append(
      svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(score), y2: y(score) }),
      svg("text", { x: x(0) - 6, y: y(score) + 4, "text-anchor": "end" }, String(Number(score.toPrecision(2)))),
      svg("text", { x: x(tick), y: PLOT.height - PLOT.bottom + 16, "text-anchor": "middle" }, String(tick)));
  }
  drawing.append(svg("text", { x: x(0.5), y: PLOT.height - 4, "text-anchor": "middle" }, "fraction of pixels replaced"));
  for (const line of lines) drawing.append(drawn(line, x, y));
  return drawing;
}

function drawn({ fractions, scores, style, name, id }, x, y) {
  const points = fractions.map((f, i) => [f, scores[i]]).filter(([, s]) => Number.isFinite(s));
  return svg("polyline", {
    class: "curve", "data-id": id, stroke: style.colour, "stroke-dasharray": style.dash,
    points: points.map(([f, s]) => `${x(f).toFixed(1)},${y(s).toFixed(1)}`).join(" "),
  }, svg("title", {}, name));
}

// A line chart of the last seconds on a canvas.

const POINTS = 60;

/** Chart draws one of several series in one colour. Values are numbers or null for "not known". */
export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.series = new Map();
    this.shown = "";
    this.unit = "";
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Appends a value to a series. */
  add(name, value) {
    const points = this.series.get(name) ?? [];
    points.push(value);
    if (points.length > POINTS) points.shift();
    this.series.set(name, points);
    if (name === this.shown) this.draw();
  }

  /** Chooses the series that is drawn, and how its values read. */
  show(name, title, unit) {
    this.shown = name;
    this.title = title;
    this.unit = unit;
    this.draw();
  }

  /** The colour of the line; an empty one is that of the page. */
  color(value) {
    if (value === "") this.canvas.style.removeProperty("--chart");
    else this.canvas.style.setProperty("--chart", value);
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = globalThis.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0 || height === 0) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const g = canvas.getContext("2d");
    g.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const color = style.getPropertyValue("--chart").trim();
    const points = this.series.get(this.shown) ?? [];
    const known = points.filter((p) => p !== null);
    const top = ceiling(Math.max(0, ...known));
    this.describe(known, top);
    const left = 34;
    const bottom = 8;
    const x = (i) => left + ((width - left - 6) * (i + POINTS - points.length)) / (POINTS - 1);
    const y = (v) => height - bottom - ((height - bottom - 10) * v) / top;
    this.grid(g, style, { left, width, y, top });
    this.area(g, points, x, y, color, height - bottom);
    this.last(g, points, x, y, color);
  }

  grid(g, style, { left, width, y, top }) {
    g.font = "11px " + style.fontFamily;
    g.textAlign = "right";
    g.textBaseline = "middle";
    g.fillStyle = style.getPropertyValue("--muted");
    g.strokeStyle = style.getPropertyValue("--line");
    g.lineWidth = 1;
    for (const v of [0, top / 2, top]) {
      g.beginPath();
      g.moveTo(left, Math.round(y(v)) + 0.5);
      g.lineTo(width, Math.round(y(v)) + 0.5);
      g.stroke();
      g.fillText(short(v), left - 7, y(v));
    }
  }

  area(g, points, x, y, color, floor) {
    g.lineJoin = "round";
    g.lineCap = "round";
    g.lineWidth = 2.25;
    g.strokeStyle = color;
    g.fillStyle = color;
    for (const [from, to] of runs(points)) {
      g.beginPath();
      for (let i = from; i <= to; i++) g.lineTo(x(i), y(points[i]));
      g.stroke();
      g.lineTo(x(to), floor);
      g.lineTo(x(from), floor);
      g.closePath();
      g.globalAlpha = 0.14;
      g.fill();
      g.globalAlpha = 1;
    }
  }

  last(g, points, x, y, color) {
    const i = points.length - 1;
    if (i < 0 || points[i] === null) return;
    g.fillStyle = color;
    g.beginPath();
    g.arc(x(i), y(points[i]), 3.5, 0, 2 * Math.PI);
    g.fill();
  }

  describe(known, top) {
    const now = known.at(-1);
    const text = now === undefined ? "no values yet" : `now ${short(now)} ${this.unit}, at most ${short(Math.max(...known))}, scale to ${short(top)}`;
    this.canvas.setAttribute("aria-label", `${this.title}: ${text}`);
  }
}

/** The stretches of known values as [from, to]. */
function runs(points) {
  const out = [];
  let from = -1;
  points.forEach((p, i) => {
    if (p !== null && from < 0) from = i;
    if (from >= 0 && (p === null || i === points.length - 1)) {
      out.push([from, p === null ? i - 1 : i]);
      from = -1;
    }
  });
  return out;
}

/** The next round number that is not below v. */
function ceiling(v) {
  if (v <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 4, 5, 10].map((n) => n * unit).find((n) => n >= v * 1.02) ?? 20 * unit;
}

/** A number in at most four characters. */
export function short(v) {
  if (v >= 1e6) return (v / 1e6).toFixed(1) + "M";
  if (v >= 1e4) return Math.round(v / 1e3) + "k";
  if (v >= 100 || Number.isInteger(v)) return String(Math.round(v));
  return v.toFixed(v < 10 ? 1 : 0);
}

// Draws the plots of a page with uPlot, from the JSON beside each of them.
(function () {
  "use strict";

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const known = (v) => v !== null && v !== undefined && Number.isFinite(v);
  const MINUS = "\u2212";

  function words(v, digits = 4) {
    if (!known(v)) return "\u2013";
    if (v === 0) return "0";
    const size = Math.floor(Math.log10(Math.abs(v)));
    const text = size <= -4 || size >= 5 ? v.toExponential(digits - 1) : v.toFixed(Math.max(digits - 1 - size, 0));
    return text.replace(/-/g, MINUS);
  }

  // Labels of a logarithmic axis: fewer, the more decades it has.
  const leads = (all) => {
    const decades = Math.log10(all[all.length - 1] / all[0]);
    return decades > 2.2 ? [1] : decades > 1.2 ? [1, 2, 5] : [1, 2, 3, 5, 7];
  };

  function tick(v, log, kept) {
    if (!known(v)) return "";
    if (!log) return String(+v.toPrecision(12)).replace("-", MINUS);
    const size = Math.log10(v);
    if (Math.abs(size - Math.round(size)) > 1e-6) {
      const lead = v / 10 ** Math.floor(size);
      const round = kept.some((n) => Math.abs(lead - n) < 1e-6);
      return round && v >= 0.001 && v < 10000 ? String(+v.toPrecision(6)) : "";
    }
    const n = Math.round(size);
    if (n >= -2 && n <= 3) return String(+v.toPrecision(6));
    const raised = String(n).replace(/./g, (c) => ({ "-": "\u207b", 0: "\u2070", 1: "\u00b9", 2: "\u00b2", 3: "\u00b3", 4: "\u2074", 5: "\u2075", 6: "\u2076", 7: "\u2077", 8: "\u2078", 9: "\u2079" })[c]);
    return "10" + raised;
  }

  const FILLS = { band1: "band1", band2: "band2", error: "soft" };
  const fillOf = (look) => css(FILLS[look] || look);

  function lengths(values, n, steps) {
    const found = values.slice(0, n);
    if (steps) found.push(found.length ? found[found.length - 1] : null);
    return found;
  }

  function ends(axis, values) {
    const good = values.filter((v) => known(v) && (!axis.log || v > 0));
    if (!good.length) return axis.log ? [0.1, 1] : [0, 1];
    let low = Math.min(...good), high = Math.max(...good);
    if (axis.log) {
      if (axis.low) low = Math.max(axis.low, low); else low /= 1.6;
      high = axis.high || high * 1.6;
      return low < high ? [low, high] : [low / 2, high * 2];
    }
    const room = 0.06 * (high - low || Math.abs(high) || 1);
    return [known(axis.low) ? axis.low : low - room, known(axis.high) ? axis.high : high + room];
  }

  function dataOf(spec, colours) {
    const n = spec.steps ? spec.x.length - 1 : spec.x.length;
    const data = [spec.x], series = [{}], bands = [], every = [];
    const paths = spec.steps ? uPlot.paths.stepped({ align: 1 }) : undefined;
    const positive = (v) => (spec.yAxis.log && known(v) && v <= 0 ? null : v);
    for (const band of spec.bands) {
      const high = lengths(band.high, n, spec.steps).map(positive);
      const low = lengths(band.low, n, spec.steps).map((v, i) => (spec.yAxis.log && known(v) && v <= 0 && known(high[i]) ? Number.MIN_VALUE * 1e16 : v));
      every.push(...high, ...low);
      const edge = band.look[0] === "c" || band.look === "signal" ? colours.observed : "transparent";
      data.push(high, low);
      series.push({ stroke: edge, width: edge === "transparent" ? 0 : 0.6, paths, points: { show: false } });
      series.push({ stroke: "transparent", width: 0, paths, points: { show: false } });
      bands.push({ series: [data.length - 2, data.length - 1], fill: colours.fills[band.look] });
    }
    for (const one of spec.series) {
      const values = one.values.map(positive);
      every.push(...values, ...(one.high || []), ...(one.low || []));
      if (spec.steps && one.points) {
        data.push(spec.x.map(() => null));
        series.push({ show: true, points: { show: false } });
        continue;
      }
      data.push(lengths(values, n, spec.steps));
      series.push({
        stroke: one.line ? colours.lines[one.look] : "transparent", width: one.line ? 2 : 0, dash: one.dash ? [8, 5] : undefined,
        paths, spanGaps: false,
        points: { show: one.points, size: n > 80 ? 4 : 7, fill: colours.lines[one.look], stroke: colours.lines[one.look] },
      });
    }
    for (const mark of spec.marks) if (mark.axis === "y") every.push(mark.at);
    if (!spec.curves.length) return { data, series, bands, every };
    const low = Math.min(...spec.x), high = Math.max(...spec.x), tables = [data];
    for (const one of spec.curves) {
      tables.push([one.x, one.values.map(positive)]);
      every.push(...one.values.filter((v, i) => one.x[i] >= low && one.x[i] <= high));
      series.push({ stroke: css(one.look), width: 1.8, dash: one.dash ? [3, 3] : undefined, points: { show: false } });
    }
    return { data: uPlot.join(tables), series, bands, every };
  }

  function colourSet(spec) {
    const fills = {}, lines = {};
    for (const one of spec.bands) {
      fills[one.look] = one.look === "error" ? hatch() : fillOf(one.look);
    }
    const named = { observed: "observed", expected: "expected", second: "signal" };
    for (const one of spec.series) lines[one.look] = css(named[one.look] || one.look);
    return { fills, lines, observed: css("observed"), ink: css("ink"), soft: css("soft"), grid: css("grid"), card: css("card") };
  }

  function hatch() {
    const tile = document.createElement("canvas"), size = 8;
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.strokeStyle = css("ink");
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1.2;
    for (const shift of [-size, 0, size]) {
      pen.beginPath();
      pen.moveTo(shift - 1, size + 1);
      pen.lineTo(shift + size + 1, -1);
      pen.stroke();
    }
    return tile.getContext("2d").createPattern(tile, "repeat");
  }

  // Marks across the plot, and points with errors in the middle of bins.
  function decorate(u, spec, colours) {
    const pen = u.ctx, box = u.bbox;
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top, box.width, box.height);
    pen.clip();
    pen.font = `${12 * devicePixelRatio}px ${css("text")}`;
    for (const mark of spec.marks) {
      const x = mark.axis === "x", at = u.valToPos(mark.at, x ? "x" : "y", true);
      pen.strokeStyle = colours.lines.second || css("signal");
      pen.lineWidth = 1.3 * devicePixelRatio;
      pen.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      pen.beginPath();
      if (x) { pen.moveTo(at, box.top); pen.lineTo(at, box.top + box.height); }
      else { pen.moveTo(box.left, at); pen.lineTo(box.left + box.width, at); }
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = css("signal-ink");
      pen.textAlign = x ? "left" : "right";
      const place = [x ? at + 5 * devicePixelRatio : box.left + box.width - 6 * devicePixelRatio, x ? box.top + 14 * devicePixelRatio : at - 5 * devicePixelRatio];
      pen.strokeStyle = colours.card;
      pen.lineWidth = 4 * devicePixelRatio;
      pen.strokeText(mark.label, ...place);
      pen.fillText(mark.label, ...place);
    }
    for (const one of spec.series) {
      if (!(spec.steps && one.points) && !one.low) continue;
      pen.strokeStyle = pen.fillStyle = colours.lines[one.look];
      pen.lineWidth = 1.5 * devicePixelRatio;
      one.values.forEach((v, i) => {
        if (!known(v)) return;
        const middle = spec.steps ? (spec.x[i] + spec.x[i + 1]) / 2 : spec.x[i];
        const px = u.valToPos(middle, "x", true), py = u.valToPos(v, "y", true);
        if (one.low && known(one.low[i])) {
          const foot = spec.yAxis.log && one.low[i] <= 0 ? box.top + box.height : u.valToPos(one.low[i], "y", true);
          pen.beginPath();
          pen.moveTo(px, foot);
          pen.lineTo(px, u.valToPos(one.high[i], "y", true));
          pen.stroke();
        }
        pen.beginPath();
        pen.arc(px, py, (spec.x.length > 80 ? 2 : 3.6) * devicePixelRatio, 0, 2 * Math.PI);
        pen.fill();
      });
    }
    pen.restore();
  }

  function readout(box, spec) {
    const between = (one, x) => {
      const k = one.x.findIndex((v) => v >= x);
      if (k < 0 || (k === 0 && one.x[0] > x)) return null;
      if (one.x[k] === x || k === 0) return one.values[k];
      const share = (x - one.x[k - 1]) / (one.x[k] - one.x[k - 1]);
      return Math.exp(Math.log(one.values[k - 1]) * (1 - share) + Math.log(one.values[k]) * share);
    };
    const list = document.createElement("ul");
    list.className = "readout";
    box.after(list);
    const items = [];
    const row = (look, label, dash) => {
      const item = document.createElement("li"), swatch = document.createElement("span"), value = document.createElement("b");
      swatch.className = "swatch " + look + (dash ? " dashed" : "");
      item.append(swatch, document.createTextNode(label + " "), value);
      items.push(value);
      return item;
    };
    const at = document.createElement("li");
    at.className = "at";
    at.textContent = "Point at the plot to read its numbers.";
    list.append(at);
    for (const one of [...spec.bands].reverse()) list.append(row(one.look, one.label));
    for (const one of spec.series) list.append(row(one.line ? one.look : "dots", one.label));
    for (const one of spec.curves) list.append(row(one.look + " line", one.label, one.dash));
    const bands = [...spec.bands].reverse(), before = bands.length + spec.series.length;
    return (i) => {
      if (i === null || i === undefined) {
        at.textContent = "Point at the plot to read its numbers.";
        items.forEach((value) => { value.textContent = ""; });
        return;
      }
      const place = spec.steps ? `${words(spec.x[i])} to ${words(spec.x[i + 1])}` : words(spec.x[i]);
      at.textContent = `${spec.xAxis.label}: ${place}${spec.names[i] ? " \u00b7 " + spec.names[i] : ""}`;
      bands.forEach((one, k) => {
        const shown = one.shown ? words(one.shown[i]) : `${words(one.low[i])} to ${words(one.high[i])}`;
        items[k].textContent = known(one.shown ? one.shown[i] : one.low[i]) ? shown : "\u2013";
      });
      spec.series.forEach((one, k) => { items[bands.length + k].textContent = words(one.values[i]); });
      spec.curves.forEach((one, k) => { items[before + k].textContent = words(between(one, spec.x[i]), 3); });
    };
  }

  function axis(spec, colours, extra) {
    return {
      label: spec.label, labelFont: `13px ${css("text")}`, font: `12px ${css("text")}`, stroke: colours.ink,
      grid: { stroke: colours.grid, width: 1 }, ticks: { stroke: colours.soft, width: 1, size: 6 },
      values: (u, all) => all.map((v) => tick(v, spec.log, leads(all))), labelSize: 22,
      filter: spec.log ? (u, all) => all : undefined, ...extra,
    };
  }

  function draw(box) {
    const source = document.getElementById(box.dataset.plot);
    if (!source || box.dataset.drawn) return;
    box.dataset.drawn = "yes";
    const spec = JSON.parse(source.textContent);
    const tell = readout(box, spec);
    let plot = null;

    function make() {
      if (plot) plot.destroy();
      const colours = colourSet(spec), made = dataOf(spec, colours);
      const [low, high] = ends(spec.yAxis, made.every);
      const xEnds = spec.steps || spec.x.length < 2 ? null : [Math.min(...spec.x), Math.max(...spec.x)];
      plot = new uPlot({
        width: box.clientWidth, height: Math.max(270, Math.min(420, box.clientWidth * 0.55)),
        legend: { show: false }, series: made.series, bands: made.bands, padding: [12, 14, 0, 0],
        cursor: { points: { size: 7 }, drag: { x: true, y: false }, y: false },
        scales: {
          x: { time: false, distr: spec.xAxis.log ? 3 : 1, range: xEnds && (spec.xAxis.log || spec.curves.length) ? () => xEnds : undefined },
          y: { distr: spec.yAxis.log ? 3 : 1, range: [low, high] },
        },
        axes: [axis(spec.xAxis, colours, { size: 40, incrs: spec.xAxis.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5] : undefined }), axis(spec.yAxis, colours, { size: 58 })],
        hooks: {
          draw: [(u) => decorate(u, spec, colours)],
          setCursor: [(u) => {
            let i = u.cursor.idx;
            if (spec.curves.length && i !== null && i !== undefined) {
              const v = u.posToVal(u.cursor.left, "x");
              i = spec.x.reduce((best, x, k) => (Math.abs(x - v) < Math.abs(spec.x[best] - v) ? k : best), 0);
            }
            if (spec.steps && i !== null && i !== undefined) {
              const v = u.posToVal(u.cursor.left, "x");
              i = spec.x.findIndex((edge, k) => k + 1 < spec.x.length && v >= edge && v < spec.x[k + 1]);
              if (i < 0) i = null;
            }
            tell(u.cursor.left < 0 ? null : i);
          }],
        },
      }, made.data, box);
    }

    let at = -1;
    box.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const count = spec.steps ? spec.x.length - 1 : spec.x.length;
      if (!step && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      at = event.key === "Home" ? 0 : event.key === "End" ? count - 1 : Math.max(0, Math.min(count - 1, at + step));
      const x = spec.steps ? (spec.x[at] + spec.x[at + 1]) / 2 : spec.x[at];
      plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });
    });
    box.addEventListener("focus", () => box.nextElementSibling.setAttribute("aria-live", "polite"));
    box.addEventListener("blur", () => box.nextElementSibling.removeAttribute("aria-live"));

    make();
    let width = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== width) { width = box.clientWidth; make(); }
    }).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", make);
  }

  window.drawPlots = (root) => {
    for (const box of (root || document).querySelectorAll("[data-plot]")) draw(box);
  };
  document.addEventListener("DOMContentLoaded", () => window.drawPlots());
  document.addEventListener("htmx:load", (event) => window.drawPlots(event.detail.elt.parentElement || event.detail.elt));
})();

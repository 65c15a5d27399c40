"use strict";
// The page's own script: a table that draws only the rows in view, and what links it with the figures.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(tag, text = "", properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

function shown(value) {
  if (value === null) return "–";
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(6))) : String(value);
}

class Table {
  constructor(columns, sort, onShow) {
    this.columns = columns;
    this.sort = sort;
    this.onShow = onShow;
    this.all = columns[0].values.map((_, row) => row);
    this.picked = null; // rows that are selected in a figure; null: any
    const sought = columns.filter((column) => column.is_sought);
    this.texts = this.all.map((row) => sought.map((column) => shown(column.values[row])).join("\n").toLowerCase());
    this.box = byId("rows");
    this.body = this.box.querySelector("tbody");
    this.makeHead();
    for (const id of ["outcome", "cause"]) {
      for (const value of [...new Set(this.values(id))].filter(Boolean).sort()) byId(id).append(element("option", value));
      byId(id).addEventListener("change", () => this.apply());
    }
    let waiting;
    byId("find").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.apply(), 120);
    });
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("clear").addEventListener("click", () => {
      byId("filters").reset();
      this.pick(null);
    });
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.body.addEventListener("click", (event) => event.target.closest("button") && this.tell(Number(event.target.value)));
    this.apply();
  }

  values(name) {
    return this.columns.find((column) => column.name === name).values;
  }

  makeHead() {
    const [group, head] = [this.box.querySelector("colgroup"), this.box.querySelector("thead tr")];
    this.columns.forEach((column, index) => {
      const longest = column.values.reduce((most, value) => Math.max(most, shown(value).length), column.label.length + 2);
      const col = element("col");
      col.style.width = `calc(${Math.min(longest, 32)}ch + 1.4rem)`;
      group.append(col);
      const cell = element("th", "", { scope: "col", className: column.is_number ? "number" : "" });
      const button = element("button", column.label, { type: "button", title: `Sort by ${column.label}` });
      button.addEventListener("click", () => {
        const again = this.sort.column === column.name;
        this.sort = { column: column.name, descending: again && !this.sort.descending };
        this.apply();
      });
      cell.append(button);
      head.append(cell);
    });
  }

  pick(rows) {
    this.picked = rows && rows.length ? new Set(rows) : null;
    this.apply();
  }

  apply() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [outcome, cause] = [byId("outcome").value, byId("cause").value];
    const [outcomes, causes] = [this.values("outcome"), this.values("cause")];
    const isFiltered = words.length > 0 || outcome !== "" || cause !== "";
    this.order = this.all.filter(
      (row) =>
        (this.picked === null || this.picked.has(row)) &&
        (outcome === "" || outcomes[row] === outcome) &&
        (cause === "" || causes[row] === cause) &&
        words.every((word) => this.texts[row].includes(word)),
    );
    const values = this.values(this.sort.column);
    const sign = this.sort.descending ? -1 : 1;
    const isMissing = (value) => value === null || value === "";
    this.order.sort((a, b) => {
      const [x, y] = [values[a], values[b]];
      if (isMissing(x) || isMissing(y)) return isMissing(x) - isMissing(y) || a - b; // last, whatever the direction
      const order = typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y;
      return sign * order || a - b;
    });
    this.box.querySelectorAll("thead th").forEach((cell, index) => {
      const isSorted = this.columns[index].name === this.sort.column;
      cell.ariaSort = isSorted ? (this.sort.descending ? "descending" : "ascending") : "none";
    });
    this.box.querySelector("table").ariaRowCount = this.order.length + 1;
    const selected = this.picked === null ? "" : ", selected in a figure";
    byId("shown").textContent = `${this.order.length} of ${this.all.length} trials${selected}`;
    byId("clear").hidden = !isFiltered && this.picked === null;
    this.box.scrollTop = 0;
    this.drawn = null;
    this.draw();
    this.onShow(isFiltered || this.picked !== null ? this.order : []);
  }

  draw() {
    const height = this.rowHeight || 32;
    const first = Math.max(0, Math.floor(this.box.scrollTop / height) - 10);
    const last = Math.min(this.order.length, first + Math.ceil(this.box.clientHeight / height) + 30);
    if (this.drawn === `${first} ${last}`) return;
    this.drawn = `${first} ${last}`;
    const rows = this.order.slice(first, last).map((row, index) => this.row(row, first + index));
    const gap = (count) => {
      const cell = element("td", "", { colSpan: this.columns.length });
      cell.style.cssText = `height: ${count * height}px; padding: 0; border: 0`;
      const spacer = element("tr", "", { ariaHidden: "true" });
      spacer.append(cell);
      return count ? [spacer] : [];
    };
    this.body.replaceChildren(...gap(first), ...rows, ...gap(this.order.length - last));
    if (!this.rowHeight && rows.length) {
      this.rowHeight = rows[0].getBoundingClientRect().height || undefined;
      this.drawn = null;
      this.draw();
    }
  }

  row(row, place) {
    const line = element("tr", "", { ariaRowIndex: place + 2 });
    this.columns.forEach((column, index) => {
      const cell = element("td", "", { className: column.is_number ? "number" : "" });
      const text = shown(column.values[row]).split("\n", 1)[0];
      if (index === 0) cell.append(element("button", text, { type: "button", value: row, ariaLabel: `Trial ${text}: all of it` }));
      else cell.textContent = text;
      if (column.name === "outcome") cell.classList.add(text);
      line.append(cell);
    });
    line.classList.toggle("best", data.best.includes(this.columns[0].values[row]));
    return line;
  }

  tell(row) {
    const dialog = byId("trial");
    byId("trial-title").textContent = `Trial ${this.columns[0].values[row]}`;
    const facts = this.columns.slice(1).filter((column) => ![null, ""].includes(column.values[row]));
    dialog.querySelector("dl").replaceChildren(
      ...facts.map((column) => {
        const fact = element("div", "", { className: column.name === "error" ? "whole" : "" });
        fact.append(element("dt", column.label), element("dd", shown(column.values[row])));
        return fact;
      }),
    );
    dialog.showModal();
  }
}

class Drawings {
  constructor(doc) {
    this.doc = doc;
    this.trials = doc.get_model_by_name("trials");
    this.attempts = doc.get_model_by_name("attempts");
    this.rows = new Map([...this.trials.data.number].map((number, row) => [number, row]));
    this.onPick = () => {};
    this.isShowing = false;
    this.listen(this.trials, (rows) => rows);
    if (this.attempts) this.listen(this.attempts, (rows) => rows.map((row) => this.rows.get(this.attempts.data.number[row])));
    byId("quantity").addEventListener("change", (event) => this.showQuantity(data.quantities[event.target.value]));
    byId("against").addEventListener("change", (event) => this.showAgainst(event.target.value, event.target.selectedOptions[0].text));
    const isDark = matchMedia("(prefers-color-scheme: dark)");
    isDark.addEventListener("change", () => this.colour());
    matchMedia("print").addEventListener("change", () => this.colour());
    this.colour();
    if (matchMedia("(pointer: coarse)").matches) {
      // A finger on a figure scrolls the page.
      for (const root of doc.roots()) root.toolbar.active_drag = null;
    }
  }

  listen(source, rowsOf) {
    const selected = source.selected;
    selected.on_change(selected.properties.indices, () => this.isShowing || this.onPick(rowsOf(selected.indices)));
  }

  show(rows) {
    this.isShowing = true;
    this.trials.selected.indices = rows;
    if (this.attempts) {
      const wanted = new Set(rows.map((row) => this.trials.data.number[row]));
      this.attempts.selected.indices = [...this.attempts.data.number.keys()].filter((row) => wanted.has(this.attempts.data.number[row]));
    }
    this.isShowing = false;
  }

  showQuantity(quantity) {
    for (const root of this.tagged("quantity")) {
      for (const renderer of root.renderers) {
        const isEdge = renderer.glyph.tags.includes("edge");
        if (isEdge) renderer.visible = quantity.edge !== null;
        this.place(renderer, { y: isEdge ? { value: quantity.edge ?? 0 } : { field: quantity.field } });
      }
      const { start, end } = quantity;
      root.y_range.setv({ start, end, reset_start: start, reset_end: end });
      root.left[0].axis_label = quantity.label;
    }
  }

  showAgainst(field, label) {
    for (const root of this.tagged("against")) {
      for (const renderer of root.renderers) this.place(renderer, { x: { field } });
      root.below[0].axis_label = label;
      root.reset.emit();
    }
  }

  tagged(tag) {
    return this.doc.roots().filter((root) => root.renderers.some((renderer) => renderer.glyph.tags.includes(tag)));
  }

  place(renderer, place) {
    const glyphs = ["glyph", "selection_glyph", "nonselection_glyph", "muted_glyph", "hover_glyph"];
    for (const name of glyphs) if (renderer[name]?.setv) renderer[name].setv(place);
  }

  colour() {
    const style = getComputedStyle(document.documentElement);
    const [ink, rule, grid, paper] = ["--ink", "--rule", "--grid", "--paper"].map((name) => style.getPropertyValue(name));
    const colours = {
      background_fill_color: paper,
      border_fill_color: paper,
      axis_label_text_color: ink,
      major_label_text_color: ink,
      axis_line_color: rule,
      major_tick_line_color: rule,
      minor_tick_line_color: rule,
      grid_line_color: grid,
    };
    for (const model of this.doc.all_models) {
      const found = Object.entries(colours).filter(([name]) => name in model.properties);
      if (found.length) model.setv(Object.fromEntries(found));
    }
  }
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = "copy"), 1500);
}

async function start() {
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
  if (!data.columns) return;
  let drawings = null;
  const table = new Table(data.columns, data.sort, (rows) => drawings && drawings.show(rows));
  await Bokeh.embed.embed_items({ study: data.figures }, [{ docid: "study", roots: data.roots, root_ids: Object.keys(data.roots) }]);
  drawings = new Drawings(Bokeh.documents.at(-1));
  drawings.onPick = (rows) => table.pick(rows);
  document.documentElement.dataset.ready = "";
}

start();

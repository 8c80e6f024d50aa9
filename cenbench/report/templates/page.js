"use strict";
// Adds sorting, filtering, hiding, comparing and copying. Without it, every page can be read.
(() => {
  const make = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  const status = document.getElementById("status");
  const say = (text) => { if (status) status.textContent = text; };

  for (const source of document.querySelectorAll("[data-copy]")) {
    const button = make("button", { type: "button", textContent: `Copy ${source.dataset.copy}` });
    button.addEventListener("click", async () => {
      await copy(source.textContent);
      say(`${source.dataset.copy} copied`);
    });
    const tools = document.getElementById("tools");
    if (tools && source.dataset.tool !== undefined) tools.append(button);
    else source.before(button);
  }
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) {
      if (!folded.closest("#tools")) folded.open = true;
    }
  });

  const table = document.getElementById("numbers");
  if (!table) return;
  const tools = document.getElementById("tools");
  tools.hidden = false;
  const body = table.tBodies[0];
  const headRow = table.tHead.rows[0];
  table.style.setProperty("--second", `${headRow.getBoundingClientRect().height}px`);
  const declared = [...body.rows];
  const dataRows = declared.filter((row) => !row.classList.contains("group"));

  // Sorting: within each group; a third click restores the order of the table.
  const value = (row, place) => {
    const cell = row.cells[place];
    const number = Number.parseFloat(cell.dataset.v);
    return Number.isNaN(number) ? cell.textContent.trim() : number;
  };
  const order = (a, b) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a.localeCompare(b);
  };
  const sort = (place, direction) => {
    if (!direction) return body.append(...declared);
    let segment = [];
    const sorted = [];
    const flush = () => {
      segment.sort((a, b) => {
        const [x, y] = [value(a, place), value(b, place)];
        return typeof x === typeof y ? direction * order(x, y) : order(x, y);
      });
      sorted.push(...segment);
      segment = [];
    };
    for (const row of declared) {
      if (row.classList.contains("group")) { flush(); sorted.push(row); } else segment.push(row);
    }
    flush();
    return body.append(...sorted);
  };
  const heads = [...table.tHead.querySelectorAll("th[data-place]")];
  for (const head of heads) {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { none: "descending", descending: "ascending", ascending: "none" }[head.ariaSort ?? "none"];
      for (const other of heads) other.ariaSort = "none";
      head.ariaSort = next;
      sort(Number(head.dataset.place), { none: 0, descending: -1, ascending: 1 }[next]);
      say(next === "none" ? "Order of the table" : `Sorted by ${head.textContent.trim()}, ${next}`);
    });
  }

  // Filtering: by any text, and by the terms of the rows.
  const search = make("input", { type: "search", placeholder: "Filter rows", ariaLabel: "Filter rows by text" });
  const terms = [...table.tHead.querySelectorAll("th.stub")].map((head, place) => {
    const known = [...new Set(dataRows.map((row) => row.cells[place].textContent.trim()))];
    const name = head.textContent.trim();
    const select = make("select", { ariaLabel: `Rows by ${name}` }, new Option(`${name}: all`, ""));
    for (const term of known) select.add(new Option(term || "(empty)", term));
    return known.length > 1 && known.length < dataRows.length ? select : null;
  });
  const filter = () => {
    const text = search.value.toLowerCase();
    let shown = 0;
    let group = null;
    for (const row of body.rows) {
      if (row.classList.contains("group")) { group = row; group.hidden = true; continue; }
      const matches = row.textContent.toLowerCase().includes(text) || (group?.textContent.toLowerCase().includes(text) ?? false);
      const fits = terms.every((select, place) => !select?.value || row.cells[place].textContent.trim() === select.value);
      row.hidden = !(matches && fits);
      if (!row.hidden) { shown += 1; if (group) group.hidden = false; }
    }
    say(`${shown} of ${dataRows.length} rows`);
  };
  search.addEventListener("input", filter);
  const selects = terms.filter(Boolean);
  for (const select of selects) select.addEventListener("change", filter);

  // Columns, and the paper's numbers.
  const show = (cells, shown) => { for (const cell of cells) cell.hidden = !shown; };
  const columns = make("fieldset", {}, make("legend", { textContent: "Columns" }));
  for (const head of headRow.querySelectorAll("th[data-column]")) {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => show(table.querySelectorAll(`[data-column="${head.dataset.column}"]`), box.checked));
    columns.append(make("label", {}, box, ` ${head.dataset.label}`));
  }
  const papers = table.querySelectorAll("tbody .paper, thead .paper");
  const paper = make("button", { type: "button", textContent: "Paper's numbers", ariaPressed: "true" });
  paper.addEventListener("click", () => {
    const on = paper.ariaPressed !== "true";
    paper.ariaPressed = String(on);
    show(papers, on);
    for (const head of table.tHead.querySelectorAll("[data-papers]")) {
      head.colSpan += (on ? 1 : -1) * Number(head.dataset.papers);
    }
  });

  // Comparing two rows.
  const chosen = [];
  const panel = document.getElementById("compared");
  const compare = () => {
    for (const row of dataRows) row.classList.toggle("chosen", chosen.includes(row));
    panel.hidden = chosen.length < 2;
    if (panel.hidden) return;
    const [a, b] = chosen;
    const lines = heads.filter((head) => head.dataset.number !== undefined).map((head) => {
      const [x, y] = [a, b].map((row) => Number.parseFloat(row.cells[Number(head.dataset.place)].dataset.v));
      const digits = Number(head.dataset.number);
      const text = (number) => (Number.isNaN(number) ? "" : number.toFixed(digits).replace("-", "\u2212"));
      const cells = [x, y, y - x].map((number) => make("td", { className: "n", textContent: text(number) }));
      return make("tr", {}, make("th", { scope: "row", textContent: head.dataset.label }), ...cells);
    });
    const named = chosen.map((row) => make("th", { scope: "col", className: "n", textContent: row.dataset.name }));
    const top = make("tr", {}, make("th", { scope: "col", textContent: "Number" }), ...named, make("th", { scope: "col", className: "n", textContent: "Difference" }));
    panel.replaceChildren(
      make("h3", { textContent: "Two rows compared" }),
      make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, make("thead", {}, top), make("tbody", {}, ...lines))),
      make("p", { className: "dim", textContent: `With seeds and intervals: cenbench compare ${table.dataset.table}:${a.dataset.number} ${table.dataset.table}:${b.dataset.number}` }),
    );
    say("Two rows compared below the table");
  };
  for (const row of dataRows) {
    const box = make("input", { type: "checkbox", className: "noprint", ariaLabel: `Compare ${row.dataset.name}` });
    box.addEventListener("change", () => {
      if (box.checked) chosen.push(row); else chosen.splice(chosen.indexOf(row), 1);
      if (chosen.length > 2) chosen.shift().querySelector("input").checked = false;
      compare();
    });
    row.cells[0].prepend(box, " ");
  }
  tools.append(make("a", { className: "button", href: `${table.dataset.table}.csv`, textContent: "CSV" }));
  tools.prepend(search, ...selects, make("details", {}, make("summary", { textContent: "Columns" }), columns), ...(papers.length ? [paper] : []));
})();

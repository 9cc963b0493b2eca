// The page of the emulator: it shows what the server says, sends what a person does, and decides nothing.
//
// Rows and columns are known by identities that stay when they move, so a selection, an editor and the
// marks of what changed go with their row. Only the rows in sight, and some more, are asked for and drawn.
"use strict";

const ROW = 21, AHEAD = 40, EVERY = 600, FLASH = 2400, NUMBERS = 46;
const COLOURS = { none: [1, 1, 1], red: [0.96, 0.8, 0.8], orange: [0.99, 0.9, 0.8], yellow: [1, 0.95, 0.8], green: [0.85, 0.92, 0.83], blue: [0.79, 0.86, 0.97], violet: [0.85, 0.82, 0.91] };
const one = (selector) => document.querySelector(selector);
const [sheet, editor, bar, menu] = ["#sheet", "#editor", "#bar", "#menu"].map(one);
const book = location.pathname.split("/")[3];
const view = { gid: new URLSearchParams(location.search).get("gid") ?? "", from: 0, hidden: false };

let state = null; // what the server said last
let asked = ""; // which window that was
let selected = null; // {row, column}, by identity
let editing = null; // the cell that is being typed into
let calls = -1;
let drawn = new Map(); // row -> {key, tr}, so that rows that did not change stay as they are
const texts = new Map(); // row -> column -> the text seen last
const changed = new Map(); // "row:column" -> when its text changed

// --- Asking -----------------------------------------------------------------------------------------

async function look() {
  const rows = Math.ceil(sheet.clientHeight / ROW) + 2 * AHEAD;
  const window_ = new URLSearchParams({ gid: view.gid, from: view.from, rows, hidden: view.hidden ? "yes" : "" }).toString();
  const since = state && asked === window_ ? `&since=${state.version}` : "";
  let news;
  try {
    news = await (await fetch(`state?${window_}${since}`)).json();
  } catch {
    one("#live").className = "gone";
    one("#live").title = "The emulator does not answer";
    return;
  }
  one("#live").className = "";
  if (news.problem) return tell(news.problem);
  showCalls(news);
  showBooks(news.books);
  if (!news.columns) return;
  const known = state && asked === window_; // else rows that were not in sight would count as new
  [state, asked] = [news, window_];
  view.gid = `${news.tab}`;
  notice(known);
  draw();
}

let busy = null;
// One question at a time; who waits for an answer gets one that was asked for after the call.
async function refresh() {
  while (busy) await busy;
  busy = look().finally(() => (busy = null));
  await busy;
}

async function send(edit) {
  const answer = await fetch(`edit?gid=${view.gid}`, { method: "POST", body: JSON.stringify(edit) });
  if (!answer.ok) tell((await answer.json()).problem);
  await refresh();
  return answer.ok;
}

function notice(known) {
  const now = Date.now();
  for (const row of [...state.head, ...state.rows]) {
    const before = texts.get(row.id);
    const after = new Map(Object.entries(row.cells).map(([id, cell]) => [id, cell.text + (cell.note ?? "")]));
    if (before || known)
      for (const id of new Set([...(before?.keys() ?? []), ...after.keys()]))
        if ((before?.get(id) ?? "") !== (after.get(id) ?? "")) changed.set(`${row.id}:${id}`, now);
    texts.set(row.id, after);
  }
  for (const [key, when] of changed) if (now - when > FLASH) changed.delete(key);
}

// --- Drawing ----------------------------------------------------------------------------------------

function make(tag, text = "", properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text) element.textContent = text;
  return element;
}

function draw() {
  const left = frozenPlaces();
  const table = sheet.querySelector("table");
  table.querySelector("colgroup").replaceChildren(...[NUMBERS, ...state.columns.map((c) => c.width)].map((width) => make("col", "", { style: `width:${width}px` })));
  const corner = make("th", "", { className: "number" });
  const letters = make("tr");
  letters.append(corner, ...state.columns.map((column) => {
    const th = make("th", column.name, { className: column.hidden ? "unseen" : "" });
    th.dataset.column = column.id;
    freeze(th, column, left);
    return th;
  }));
  const head = [letters, ...state.head.map((row) => drawnRow(row, left))];
  head.forEach((tr, at) => [...tr.children].forEach((cell) => (cell.style.top = `${at * ROW}px`)));
  table.querySelector("thead").replaceChildren(...head);
  const below = state.total - state.from - state.rows.length;
  const columns = JSON.stringify(state.columns);
  const next = new Map(state.rows.map((row) => [row.id, keptRow(row, left, columns)]));
  drawn = next;
  table.querySelector("tbody").replaceChildren(space(state.from), ...[...next.values()].map(({ tr }) => tr), space(below));
  one("#hidden-count").textContent = state.hidden ? `(${state.hidden})` : "";
  drawTabs();
  drawSelection();
  placeEditor();
}

// Where each frozen column sticks: beside the ones before it.
function frozenPlaces() {
  const left = new Map();
  let at = NUMBERS;
  for (const column of state.columns.filter((c) => c.frozen)) {
    left.set(column.id, at);
    at += column.width;
  }
  return left;
}

function freeze(cell, column, left) {
  if (!left.has(column.id)) return;
  cell.classList.add("frozen");
  cell.style.left = `${left.get(column.id)}px`;
  if ([...left.keys()].at(-1) === column.id) cell.classList.add("edge");
}

function space(rows) {
  const tr = make("tr", "", { className: "space" });
  tr.append(make("td", "", { colSpan: state.columns.length + 1, style: `height:${rows * ROW}px` }));
  return tr;
}

function keptRow(row, left, columns) {
  const key = columns + JSON.stringify(row);
  const kept = drawn.get(row.id);
  if (kept?.key !== key) return { key, tr: drawnRow(row, left) };
  for (const td of kept.tr.querySelectorAll(".flash")) mark(td, row.id, td.dataset.column);
  return kept;
}

// A mark goes on where it was, also when its row is drawn again.
function mark(td, row, column) {
  const age = Date.now() - (changed.get(`${row}:${column}`) ?? 0);
  td.classList.toggle("flash", age < FLASH);
  td.style.animationDelay = `-${age}ms`;
}

function drawnRow(row, left) {
  const tr = make("tr");
  tr.dataset.row = row.id;
  tr.append(make("th", row.number, { className: row.hidden ? "number unseen" : "number" }));
  for (const column of state.columns) tr.append(drawnCell(row, column, left));
  return tr;
}

function drawnCell(row, column, left) {
  const cell = row.cells[column.id];
  const td = make("td");
  td.dataset.column = column.id;
  if (column.hidden || row.hidden) td.classList.add("unseen");
  if (cell) fill(td, cell);
  freeze(td, column, left);
  if (changed.has(`${row.id}:${column.id}`)) mark(td, row.id, column.id);
  return td;
}

function fill(td, cell) {
  td.textContent = cell.box ? (cell.text === "TRUE" ? "☑" : "☐") : cell.text;
  if (cell.kind) td.classList.add(cell.kind);
  if (cell.box) td.classList.add("truth");
  if (cell.choices) td.classList.add("list");
  if (cell.style) td.style.cssText = cell.style;
  if (cell.note) {
    td.classList.add("note");
    td.dataset.note = cell.note;
  }
}

function drawTabs() {
  one("#tabs").replaceChildren(...state.tabs.map((tab) => {
    const link = make("a", tab.title, { href: `?gid=${tab.id}`, role: "tab", ariaSelected: `${tab.id === state.tab}` });
    return link;
  }));
}

function drawSelection() {
  if (selected && !columnOf(selected.column)) selected = null;
  selected ??= state.columns.length && rows().length ? { row: rows()[0].id, column: state.columns[0].id } : null;
  sheet.querySelectorAll(".selected, th.on").forEach((cell) => cell.classList.remove("selected", "on"));
  const td = selectedCell();
  td?.classList.add("selected");
  td?.parentElement.firstChild.classList.add("on");
  sheet.querySelector(`thead th[data-column="${selected?.column}"]`)?.classList.add("on");
  const row = rowOf(selected?.row);
  one("#name").textContent = row ? columnOf(selected.column).name + row.number : "";
  if (document.activeElement !== bar) bar.value = typedIn(selected);
}

function showBooks(books) {
  const list = one("#books");
  const known = books.map((b) => b.id + b.title).join();
  if (list.dataset.known === known) return;
  list.dataset.known = known;
  list.replaceChildren(...books.map((b) => make("option", b.title, { value: b.id, selected: b.id === book })));
}

function showCalls(news) {
  const fresh = calls < 0 ? 0 : news.count - calls;
  if (news.count === calls) return;
  calls = news.count;
  one("#call-count").textContent = news.count || "";
  one("#calls tbody").replaceChildren(...news.calls.map((call, at) => {
    const tr = make("tr", "", { className: `${call.kind.toLowerCase()} ${at < fresh ? "fresh" : ""}` });
    const outcome = make("td", call.status ?? "dropped", { className: call.status < 400 && call.status ? "good" : "bad" });
    tr.append(...[call.at, call.method, call.kind, bytes(call.sent), bytes(call.received)].map((text) => make("td", text)), outcome);
    tr.title = call.method;
    return tr;
  }));
}

function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

let telling;
function tell(problem) {
  one("#problem").textContent = problem;
  one("#problem").hidden = false;
  clearTimeout(telling);
  telling = setTimeout(() => (one("#problem").hidden = true), 5000);
}

// --- Finding ----------------------------------------------------------------------------------------

const rows = () => [...state.head, ...state.rows];
const rowOf = (id) => rows().find((row) => row.id === id);
const columnOf = (id) => state.columns.find((column) => column.id === id);
const cellOf = (place) => rowOf(place?.row)?.cells[place.column];
const typedIn = (place) => cellOf(place)?.typed ?? cellOf(place)?.text ?? "";
const elementOf = (place) => place && sheet.querySelector(`tr[data-row="${place.row}"] > td[data-column="${place.column}"]`);
const selectedCell = () => elementOf(selected);

function placeAt(target) {
  const cell = target.closest("td[data-column]");
  return cell && { row: +cell.parentElement.dataset.row, column: +cell.dataset.column };
}

// --- Moving -----------------------------------------------------------------------------------------

function select(place) {
  selected = place;
  drawSelection();
  bringIntoSight(selectedCell());
}

// Not `scrollIntoView`: it takes what lies under frozen rows and columns for seen.
function bringIntoSight(td) {
  if (!td || td.closest("thead")) return;
  const [cell, frame] = [td.getBoundingClientRect(), sheet.getBoundingClientRect()];
  const top = frame.top + (state.head.length + 1) * ROW;
  if (cell.top < top) sheet.scrollTop -= top - cell.top;
  else if (cell.bottom > frame.top + sheet.clientHeight) sheet.scrollTop += cell.bottom - frame.top - sheet.clientHeight;
  if (td.classList.contains("frozen")) return;
  const left = frame.left + NUMBERS + state.columns.filter((c) => c.frozen).reduce((sum, c) => sum + c.width, 0);
  if (cell.left < left) sheet.scrollLeft -= left - cell.left;
  else if (cell.right > frame.left + sheet.clientWidth) sheet.scrollLeft += cell.right - frame.left - sheet.clientWidth;
}

async function move(down, across) {
  const found = rows().findIndex((row) => row.id === selected?.row);
  // The row may have gone, or be out of sight: then the first one in sight is where it goes on.
  const at = found < 0 ? state.head.length : found;
  const headed = state.head.length;
  const position = at < headed ? at : state.from + at; // counts the head, then all rows
  const target = Math.max(0, Math.min(position + down, headed + state.total - 1));
  const column = state.columns.findIndex((c) => c.id === selected?.column);
  const next = state.columns[Math.max(0, Math.min(column + across, state.columns.length - 1))];
  const inside = target - headed;
  if (inside >= 0 && (inside < state.from || inside >= state.from + state.rows.length)) {
    view.from = Math.max(0, inside - AHEAD);
    sheet.scrollTop = inside * ROW;
    await refresh();
  }
  const row = inside < 0 ? state.head[target] : state.rows[inside - state.from];
  if (row) select({ row: row.id, column: next.id });
}

sheet.addEventListener("scroll", () => {
  const first = Math.floor(sheet.scrollTop / ROW);
  const last = first + Math.ceil(sheet.clientHeight / ROW);
  const isDrawn = first >= state.from && last <= state.from + state.rows.length;
  if (isDrawn || (first >= state.from && state.from + state.rows.length >= state.total)) return;
  view.from = Math.max(0, first - AHEAD);
  refresh();
});

// --- Typing -----------------------------------------------------------------------------------------

function edit(text = null) {
  if (!selectedCell()) return;
  editing = { ...selected };
  editor.value = text ?? typedIn(editing);
  const choices = cellOf(editing)?.choices ?? [];
  one("#choices").replaceChildren(...choices.map((value) => make("option", "", { value })));
  editor.hidden = false;
  placeEditor();
  editor.focus();
  if (text === null) editor.select();
}

function placeEditor() {
  const td = editing && elementOf(editing);
  if (!td) return;
  const inside = td.getBoundingClientRect(), frame = sheet.getBoundingClientRect();
  const left = inside.left - frame.left + sheet.scrollLeft, top = inside.top - frame.top + sheet.scrollTop;
  editor.style.cssText = `left:${left - 1}px;top:${top - 1}px;width:${Math.max(td.offsetWidth, 140) + 2}px;height:${td.offsetHeight + 2}px`;
}

function leave() {
  editing = null;
  editor.hidden = true;
  sheet.focus({ preventScroll: true });
}

async function commit(down, across) {
  if (!editing) return;
  const [place, text] = [editing, editor.value];
  leave();
  // The selection moves on at once: who types fast is in the next cell before the answer comes.
  const sending = text !== typedIn(place) && send({ do: "type", ...place, text });
  await move(down, across);
  await sending;
}

editor.addEventListener("keydown", (event) => {
  event.stopPropagation();
  if (event.key === "Enter") commit(event.shiftKey ? -1 : 1, 0);
  else if (event.key === "Tab") commit(0, event.shiftKey ? -1 : 1);
  else if (event.key === "Escape") leave();
  else return;
  event.preventDefault();
});
editor.addEventListener("blur", () => commit(0, 0));

bar.addEventListener("focus", () => (editing = null));
bar.addEventListener("keydown", async (event) => {
  if (event.key === "Escape") bar.value = typedIn(selected);
  else if (event.key !== "Enter") return;
  const text = bar.value;
  sheet.focus();
  if (event.key === "Enter" && selected && text !== typedIn(selected)) await send({ do: "type", ...selected, text });
});

const page = () => Math.max(1, Math.floor(sheet.clientHeight / ROW) - 3);
const KEYS = {
  ArrowDown: () => move(1, 0),
  ArrowUp: () => move(-1, 0),
  ArrowLeft: () => move(0, -1),
  ArrowRight: () => move(0, 1),
  Enter: () => edit(),
  F2: () => edit(),
  Tab: () => move(0, 1),
  PageDown: () => move(page(), 0),
  PageUp: () => move(-page(), 0),
  Home: () => move(0, -1e9),
  End: () => move(0, 1e9),
  Delete: () => send({ do: "clear", ...selected }),
  Backspace: () => send({ do: "clear", ...selected }),
  "Shift+Tab": () => move(0, -1),
  "Shift+F2": () => act("note"),
  "Ctrl+Home": () => move(-1e9, -1e9),
  "Ctrl+End": () => move(1e9, 0),
  "Ctrl+Alt+i": () => act("insert above"),
  "Ctrl+Alt+-": () => act("delete row"),
  Escape: () => (menu.hidden = true),
};

sheet.addEventListener("keydown", (event) => {
  const pressed = [event.ctrlKey && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift", event.key].filter(Boolean).join("+");
  const isBox = event.key === " " && cellOf(selected)?.box;
  if (isBox) send({ do: "type", ...selected, text: typedIn(selected) === "TRUE" ? "FALSE" : "TRUE" });
  else if (KEYS[pressed]) KEYS[pressed]();
  else if (event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey) edit(event.key);
  else return;
  event.preventDefault();
});

sheet.addEventListener("mousedown", (event) => {
  const place = placeAt(event.target);
  if (place) select(place);
});
sheet.addEventListener("dblclick", (event) => placeAt(event.target) && edit());

// --- Acting -----------------------------------------------------------------------------------------

async function act(what, more = {}) {
  if (!selected) return;
  if (what === "note") return askForNote();
  sheet.focus({ preventScroll: true }); // before the answer: who goes on by keyboard does not wait
  await send({ do: what, ...selected, ...more });
}

function askForNote() {
  const [dialog, area, place] = [one("#notes"), one("#notes textarea"), { ...selected }];
  area.value = cellOf(place)?.note ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  area.focus();
  dialog.onclose = () => {
    if (dialog.returnValue === "save") send({ do: "note", ...place, text: area.value });
    sheet.focus({ preventScroll: true });
  };
}

one("#notes textarea").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.ctrlKey) one("#notes").close("save");
});

for (const [name, colour] of Object.entries(COLOURS)) {
  const button = make("button", "", { title: `Colour the row: ${name}`, ariaLabel: `Colour the row: ${name}` });
  button.style.background = `rgb(${colour.map((part) => part * 255)})`;
  button.addEventListener("click", () => act("colour", { colour }));
  one("#colours").append(button);
}
const buttons = [...document.querySelectorAll("#tools > button[data-do]")];
for (const button of buttons) button.addEventListener("click", () => act(button.dataset.do, { down: "down" in button.dataset }));

sheet.addEventListener("contextmenu", (event) => {
  const column = event.target.closest("th[data-column]");
  const place = placeAt(event.target) ?? (column && selected && { row: selected.row, column: +column.dataset.column });
  if (!place) return;
  event.preventDefault();
  select(place);
  const offered = buttons.map((button) => {
    const item = make("button", button.textContent);
    item.addEventListener("click", () => button.click());
    return item;
  });
  if (columnOf(place.column).hidden) {
    const show = make("button", "Show column");
    show.addEventListener("click", () => act("show column"));
    offered.push(show);
  }
  menu.replaceChildren(...offered);
  menu.hidden = false;
  menu.style.left = `${Math.min(event.clientX, innerWidth - menu.offsetWidth - 8)}px`;
  menu.style.top = `${Math.min(event.clientY, innerHeight - menu.offsetHeight - 8)}px`;
});
addEventListener("click", () => (menu.hidden = true));

sheet.addEventListener("mouseover", (event) => {
  const td = event.target.closest("td.note");
  one("#tip").hidden = !td;
  if (!td) return;
  const place = td.getBoundingClientRect();
  one("#tip").textContent = td.dataset.note;
  one("#tip").style.cssText = `left:${Math.min(place.right + 6, innerWidth - 310)}px;top:${place.top}px`;
});
sheet.addEventListener("mouseleave", () => (one("#tip").hidden = true));

one("#hidden").addEventListener("change", (event) => {
  view.hidden = event.target.checked;
  refresh();
});
one("#panel").addEventListener("click", () => {
  const shut = !one("#calls").hidden;
  one("#calls").hidden = shut;
  one("#panel").ariaPressed = `${!shut}`;
});
one("#books").addEventListener("change", (event) => (location.href = `/spreadsheets/d/${event.target.value}/edit`));

// --- The list of spreadsheets, at the address without one --------------------------------------------

async function lookHome() {
  const news = await (await fetch("/spreadsheets.json")).json();
  showCalls(news);
  const list = make("ul", "", { className: "home" });
  list.append(...news.books.map((b) => {
    const item = make("li");
    item.append(make("a", b.title, { href: `/spreadsheets/d/${b.id}/edit` }));
    return item;
  }));
  if (!news.books.length) list.append(make("li", "No spreadsheets yet"));
  sheet.replaceChildren(list);
}

if (book) {
  refresh().then(() => sheet.focus());
  setInterval(() => busy ?? refresh(), EVERY);
  addEventListener("resize", refresh);
} else {
  document.querySelectorAll("#tools, #formula, #tabs, #books, header label").forEach((part) => (part.style.display = "none"));
  lookHome();
  setInterval(lookHome, 2000);
}

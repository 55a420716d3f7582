"use strict";
// Text reaches the page through textContent only: names in a capture are a stranger's.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const ROW = 30, ZOOMS = [0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3], PAUSE_US = 250000, FIELDS_SHOWN = 1500, SLOW_MS = 100;
const ANSWERS = new Set(["response", "fault", "bind_ack", "bind_nak", "alter_ack"]);
const ASKS = new Set(["request", "bind", "alter"]);
const QUIET = new Set(["close", "auth3"]);

function make(tag, className, text) {
	const e = document.createElement(tag);
	if (className) e.className = className;
	if (text !== undefined) e.textContent = text;
	return e;
}

function svg(tag, attributes) {
	const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const name in attributes) e.setAttribute(name, attributes[name]);
	return e;
}

// ---- Events to calls: a question with its answer, or an event of its own ----

const conns = new Map(), calls = [], open = new Map();

function hostOf(address) {
	return address.slice(0, address.lastIndexOf(":"));
}

function portOf(address) {
	return address.slice(address.lastIndexOf(":") + 1);
}

function shortHost(host, near) {
	const a = host.split("."), b = near.split(".");
	return a.length === 4 && b.length === 4 && a.slice(0, 3).join() === b.slice(0, 3).join() ? "." + a[3] : host;
}

function addConn(c) {
	c.client = hostOf(c.cl);
	c.server = hostOf(c.sv);
	c.port = portOf(c.sv);
	c.pair = c.client + " → " + c.server;
	c.place = `${shortHost(c.client, c.server)}:${portOf(c.cl)} → ${c.port}`;
	conns.set(c.C, c);
}

function addEvent(e) {
	const call = ANSWERS.has(e.k) && open.get(e.q);
	if (call) {
		call.answer = e;
		open.delete(e.q);
		return;
	}
	const made = {ask: e, answer: null, conn: conns.get(e.c)};
	calls.push(made);
	if (ASKS.has(e.k)) open.set(e.n, made);
}

for (const item of data.events) item.C ? addConn(item) : addEvent(item);

for (const call of calls) {
	const last = call.answer || call.ask, waits = ASKS.has(call.ask.k) && !call.answer;
	call.failed = !!(last.x || last.dm || last.sig === "bad");
	call.open = waits;
	call.text = waits ? last.s + ": answer not captured" : last.s + (last.sig === "bad" ? ": signature does not verify" : "");
	call.ms = last.ms;
	call.parked = !!call.ask.pk;
	call.svc = last.v;
	call.style = data.styles[last.b] || [null, null];
	call.quiet = QUIET.has(call.ask.k) && !call.failed;
	call.find = [call.text, call.svc, last.op, last.st, last.u, last.ep, call.conn.cl, call.conn.sv, call.ask.k,
		...(call.ask.rp || []), ...(last.rp || [])].join(" ").toLowerCase();
}

// ---- What is shown ----

let rows = [], shownCalls = 0, lanes = [], laneKey = null, picked = null, outlook = false;
const off = new Set();

function wanted() {
	const all = byId("all").checked, pair = byId("pair").value;
	const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
	return calls.filter(c => (all || (!c.quiet && (!c.conn.m || words.length))) && !off.has(c.svc) &&
		(!pair || c.conn.pair === pair) &&
		words.every(w => c.find.includes(w) || String(c.ask.f) === w || (c.answer && String(c.answer.f) === w)));
}

function pauseBetween(before, call) {
	const end = before.answer ? before.answer.t : before.ask.t;
	const us = call.ask.t - end;
	return us >= PAUSE_US ? {pause: (us / 1e6).toFixed(2) + " s: nothing from " + (outlook ? "Outlook" : "the client")} : null;
}

// A lane a port; of more than two servers those with the same port share one.
function findLanes(list) {
	const servers = new Set(list.map(c => c.conn.server)), seen = new Map();
	laneKey = servers.size > 2 ? conn => conn.port : conn => conn.sv;
	for (const c of list) {
		const key = laneKey(c.conn);
		if (!seen.has(key))
			seen.set(key, {key, server: servers.size > 2 ? `${servers.size} servers` : c.conn.server, port: c.conn.port, style: c.style});
		else if (!seen.get(key).style[1]) seen.get(key).style = c.style;
	}
	return [...seen.values()].slice(0, 8);
}

function refresh() {
	const list = wanted(), pairs = new Set(list.map(c => c.conn.pair));
	outlook = list.some(c => ["rfr", "nspi", "store", "async"].includes(c.svc));
	lanes = findLanes(list);
	rows = [];
	list.forEach((c, i) => {
		const pause = i && pairs.size === 1 ? pauseBetween(list[i - 1], c) : null;
		if (pause) rows.push(pause);
		c.place = i + 1;
		rows.push(c);
	});
	shownCalls = list.length;
	findSpans();
	byId("space").style.height = rows.length * rowHeight() + "px";
	byId("shown").textContent = `${list.length.toLocaleString("en")} of ${calls.length.toLocaleString("en")} lines` +
		(data.left ? `; ${data.left.toLocaleString("en")} events left out of the page` : "");
	drawHead(pairs);
	made.forEach(r => r.remove());
	made.clear();
	drawn = "";
	draw();
}

// ---- The ladder beside the list ----

let zoom = 1, spans = [];
const rowHeight = () => Math.round(ROW * zoom);

// The last row that begins before a time.
function lastBefore(t, from) {
	let low = from, high = rows.length - 1;
	while (low < high) {
		const middle = (low + high + 1) >> 1, row = rows[middle].pause ? rows[middle + 1] : rows[middle];
		if (row.ask.t <= t) low = middle;
		else high = middle - 1;
	}
	return low;
}

// A wait is a span on its port's line from where it is parked to where it comes back, or to the end.
function findSpans() {
	spans = [];
	rows.forEach((row, i) => {
		if (row.parked) spans.push({row, from: i, to: row.answer ? lastBefore(row.answer.t, i) : rows.length - 1});
	});
}

function drawSpans(s, i) {
	for (const {row, from, to} of spans) {
		if (i < from || i > to) continue;
		const y = i === from ? 10 : 0, end = i < to || !row.answer ? ROW : from === to ? 21 : 27;
		s.append(svg("rect", {class: "span", x: laneX(laneOf(row)) - 4, y, width: 9, height: end - y}));
		if (i === to && to > from && row.answer) drawArrow(s, row, false, 27, row.failed);
	}
}

const CLIENT = 34;
const firstLane = () => lanes.length > 4 ? 100 : 150;
const laneStep = () => lanes.length > 4 ? 66 : 82;
const laneX = i => CLIENT + firstLane() + laneStep() * i;
const ladderWidth = () => laneX(Math.max(0, lanes.length - 1)) + 42;

function laneOf(call) {
	const key = laneKey(call.conn), i = lanes.findIndex(l => l.key === key);
	return i < 0 ? lanes.length - 1 : i;
}

function strokeOf(call) {
	const bg = call.style[1];
	return !bg || bg === "#bcbcbc" ? "var(--epm)" : bg;
}

function arrow(from, to, y, fails) {
	const d = to > from ? 1 : -1, tip = fails ? `M${to - d * 8 - 4} ${y - 4}l8 8m0-8l-8 8`
		: `M${to - d * 7} ${y - 4}L${to} ${y}L${to - d * 7} ${y + 4}`;
	return `M${from} ${y}H${to}${tip}`;
}

function drawArrow(s, row, fromLeft, y, fails) {
	const x = laneX(laneOf(row));
	const p = svg("path", {class: "arrow", d: fromLeft ? arrow(CLIENT + 2, x - 2, y, fails) : arrow(x - 2, CLIENT + 2, y, fails)});
	p.style.stroke = fails ? "var(--bad)" : strokeOf(row);
	if (row.open && !row.parked) p.setAttribute("stroke-dasharray", "4 4");
	s.append(p);
}

function ladderSvg(height) {
	return svg("svg", {width: ladderWidth() * zoom, height: height * zoom, viewBox: `0 0 ${ladderWidth()} ${height}`});
}

function drawRungs(row, i) {
	const s = ladderSvg(ROW);
	s.setAttribute("aria-hidden", "true");
	let life = `M${CLIENT} 0V${ROW}`;
	lanes.forEach((l, k) => life += `M${laneX(k)} 0V${ROW}`);
	s.append(svg("path", {class: "life", d: life}));
	drawSpans(s, i);
	if (row.pause) return s;
	const right = row.ask.d, later = spans.some(p => p.row === row && p.to > i), two = !!row.answer && !later;
	drawArrow(s, row, right, two || row.parked ? 10 : 15, !row.answer && row.failed);
	if (two) drawArrow(s, row, !right, 21, row.failed);
	return s;
}

function drawHead(pairs) {
	const s = svg("svg", {width: ladderWidth() * zoom, height: 38});
	const text = (x, y, cls, t) => {
		const e = svg("text", {x: x * zoom, y, class: cls, "text-anchor": "middle"});
		e.textContent = t;
		s.append(e);
	};
	const one = pairs.size === 1 ? [...pairs][0].split(" → ") : null;
	text(CLIENT, 12, "host", one ? shortHost(one[0], one[1]) : "");
	text(CLIENT, 31, "lane", outlook ? "Outlook" : "client");
	const pillWidth = Math.min(58, laneStep() * zoom - 4);
	const servers = [...new Set(lanes.map(l => l.server))];
	servers.forEach(server => {
		const mine = lanes.map((l, i) => l.server === server ? laneX(i) : -1).filter(x => x >= 0);
		text((mine[0] + mine[mine.length - 1]) / 2, 12, "host", server);
	});
	lanes.forEach((l, i) => {
		const [fg, bg] = l.style, pill = svg("rect", {x: laneX(i) * zoom - pillWidth / 2, y: 19, width: pillWidth, height: 18, rx: 9});
		pill.style.fill = bg || "var(--line)";
		s.append(pill);
		text(laneX(i), 32, "lane", ":" + l.port);
		s.lastChild.style.fill = bg ? fg : "";
	});
	byId("lanes").replaceChildren(s);
	byId("lanes").style.width = ladderWidth() * zoom + "px";
}

// ---- Rows: only those in sight exist, each with its place among all for who cannot see it ----

let drawn = "";
const made = new Map();
const scroller = byId("scroller");

function sameplace(i) {
	const before = rows[i - 1], row = rows[i];
	return before && !before.pause && before.conn === row.conn && before.svc === row.svc;
}

// What a screen reader says of a row; the pause above it is no row of the list to it.
function spoken(row, i) {
	const before = rows[i - 1], last = row.answer || row.ask;
	return [before && before.pause, row.failed && "failed", row.text, row.svc, row.ms !== undefined && row.ms.toFixed(1) + " ms",
		`frame ${row.ask.f}` + (last.f !== row.ask.f ? ` to ${last.f}` : ""), `second ${(row.ask.t / 1e6).toFixed(3)}`,
		`${row.conn.client} to port ${row.conn.port}`].filter(Boolean).join(", ");
}

function makeOption(r, row, i) {
	const attributes = {role: "option", id: "row-" + i, "aria-label": spoken(row, i), "aria-setsize": shownCalls, "aria-posinset": row.place};
	for (const name in attributes) r.setAttribute(name, attributes[name]);
	r.addEventListener("click", () => pick(row, true));
}

function makeRow(row, i) {
	const r = make("div", "row" + (row.pause ? " pause" : row.failed ? " failed" : row.open ? " open" : ""));
	const cell = (cls, text) => r.append(make("span", cls, text));
	cell("frame", row.pause ? "⋮" : row.ask.f);
	cell("sec", row.pause ? "" : (row.ask.t / 1e6).toFixed(3));
	cell("place", row.pause || sameplace(i) ? "" : row.conn.place);
	cell("svc");
	if (!row.pause) {
		const badge = make("i", "", row.svc);
		if (row.style[1]) badge.style.cssText = `color:${row.style[0] || "inherit"};background:${row.style[1]}`;
		r.lastChild.append(badge);
	}
	cell("what", row.pause || row.text);
	if (!row.pause) r.lastChild.title = row.text;
	cell(row.ms >= SLOW_MS && !row.parked ? "ms slow" : "ms", row.ms === undefined || row.pause ? "" : row.ms.toFixed(row.ms < 0.01 ? 3 : row.ms < 0.05 ? 2 : row.ms < 100000 ? 1 : 0));
	cell("rungs");
	r.lastChild.style.width = ladderWidth() * zoom + "px";
	r.lastChild.append(drawRungs(row, i));
	if (row.pause) r.setAttribute("aria-hidden", "true");
	else makeOption(r, row, i);
	return r;
}

function draw() {
	const first = Math.max(0, Math.floor(scroller.scrollTop / rowHeight()) - 5);
	const last = Math.min(rows.length, first + Math.ceil(scroller.clientHeight / rowHeight()) + 10);
	const key = first + " " + last + " " + (picked ? picked.ask.n : "");
	if (key === drawn) return;
	drawn = key;
	for (const [i, r] of made)
		if (i < first || i >= last) {
			r.remove();
			made.delete(i);
		}
	// A row that stays is left where it is: a screen reader would read a new one again.
	for (let i = last - 1, below = null; i >= first; below = made.get(i--))
		if (!made.has(i)) {
			made.set(i, makeRow(rows[i], i));
			byId("rows").insertBefore(made.get(i), below);
		}
	byId("rows").style.top = first * rowHeight() + "px";
	markPicked();
}

function markPicked() {
	let id = "";
	for (const [i, r] of made) {
		if (rows[i].pause) continue;
		r.setAttribute("aria-selected", String(rows[i] === picked));
		if (rows[i] === picked) id = r.id;
	}
	if (id) scroller.setAttribute("aria-activedescendant", id);
	else scroller.removeAttribute("aria-activedescendant");
}

// ---- What is said aloud: the count once the typing rests, an end that is reached ----

let sayLater = 0;

function say(text, after) {
	clearTimeout(sayLater);
	sayLater = setTimeout(() => byId("said").textContent = text, after);
}

function sayCount() {
	say(shownCalls ? `${shownCalls.toLocaleString("en")} of ${calls.length.toLocaleString("en")} lines` : "No line fits", 400);
}

// ---- One call opened ----

function addFacts(pane, e) {
	const list = make("dl"), add = (name, value, cls) => {
		if (value === undefined || value === null || value === "") return;
		const pair = make("div");
		pair.append(make("dt", "", name), make("dd", cls, value));
		list.append(pair);
	};
	add("call", e.id);
	add("interface", e.i);
	add("method", e.op);
	add("status", e.st, e.x ? "bad" : "");
	add("endpoint", e.ep);
	add("user", e.u);
	add("protection", e.a && e.a !== "none" ? `${e.a}, level ${e.lv}${e.y ? e.z ? "; opened with a secret" : "; sealed" : ""}` : "");
	add("signature", e.sig, e.sig === "bad" ? "bad" : "");
	add("sealed", e.why);
	add("encoding", e.en);
	if (e.rp) add("ROPs", e.rp.map((r, i) => e.rs && e.rs[i] && e.rs[i] !== "ok" ? r + ": " + e.rs[i] : r).join(", "));
	add("damaged", e.dm, "bad");
	pane.append(list);
}

function addFields(pane, fields, from) {
	const box = make("div", "fields");
	let inPdu;
	fields.slice(from, from + FIELDS_SHOWN).forEach(([depth, name, value, offset, size, pdu]) => {
		if (pdu !== inPdu) {
			inPdu = pdu;
			const part = make("div", "part");
			part.append(make("span", "at", "offset  size"), make("span", "", ["stub", "PDU", "decompressed data"][pdu]));
			box.append(part);
		}
		const line = make("div", value === null ? "group" : "");
		line.append(make("span", "at", offset + " " + String(size || "").padStart(5)));
		const nv = make("span", "nv");
		nv.style.paddingLeft = depth * 1.3 + "em";
		nv.append(make("b", "", name));
		if (value !== null) nv.append(": " + value);
		line.append(nv);
		box.append(line);
	});
	pane.append(box);
	if (fields.length <= from + FIELDS_SHOWN) return;
	const more = make("button", "more", `${(fields.length - from - FIELDS_SHOWN).toLocaleString("en")} more`);
	more.addEventListener("click", () => { more.remove(); addFields(pane, fields, from + FIELDS_SHOWN); });
	pane.append(more);
}

function makePane(e) {
	const pane = make("div", "pane");
	const frames = e.l && e.l !== e.f ? `frames ${e.f} to ${e.l}` : `frame ${e.f}`;
	pane.append(make("h2", "", `${e.k.replace("_", " ")}, ${frames}, ${(e.t / 1e6).toFixed(6)} s`));
	addFacts(pane, e);
	if (e.F) addFields(pane, e.F, 0);
	else if (e.FT) pane.append(make("p", "try", "Its fields are left out of the page, which would be too large."));
	return pane;
}

function showDetails(row) {
	byId("what").textContent = row.text;
	byId("what").className = row.failed ? "bad" : "";
	byId("facts").textContent = `${row.conn.cl} → ${row.conn.sv}, ${row.conn.C < 0 ? "datagrams" : "connection"} ${Math.abs(row.conn.C)}` +
		(row.ms === undefined ? "" : `, ${row.ms.toFixed(3)} ms`);
	byId("panes").replaceChildren(makePane(row.ask), ...(row.answer ? [makePane(row.answer)] : []));
	byId("details").hidden = false;
}

function openPicked() {
	if (!picked) return;
	showDetails(picked);
	intoSight(rows.indexOf(picked));
	say("Opened below the list; Escape closes it", 0);
}

// ---- Moving about ----

function intoSight(i) {
	if (i < 0) return;
	const row = rowHeight(), top = i * row, seen = scroller.clientHeight;
	if (top < scroller.scrollTop) scroller.scrollTop = top;
	else if (top + row > scroller.scrollTop + seen) scroller.scrollTop = top + row - seen;
}

function pick(row, show) {
	picked = row;
	if (show || !byId("details").hidden) showDetails(row);
	history.replaceState(null, "", "#frame=" + row.ask.f);
	intoSight(rows.indexOf(row));
	draw();
}

function move(step, fits) {
	let i = picked ? rows.indexOf(picked) : step > 0 ? -1 : rows.length;
	const to = i + step;
	i = Math.max(0, Math.min(rows.length - 1, to));
	const d = Math.sign(step);
	while (rows[i] && !fits(rows[i])) i += d;
	if (rows[i]) pick(rows[i], false);
	else say(step > 0 ? "None further down" : "None further up", 0);
}

function goToFrame(frame) {
	const has = c => c.ask.f === frame || (c.answer && c.answer.f === frame);
	let row = rows.find(r => !r.pause && has(r));
	if (!row && calls.some(has)) {
		byId("all").checked = true;
		byId("search").value = byId("pair").value = "";
		off.clear();
		refresh();
		row = rows.find(r => !r.pause && has(r));
	}
	if (row) pick(row, true);
}

function closeDetails() {
	byId("details").hidden = true;
	scroller.focus();
	draw();
}

// The wider ladder takes its room from the other columns, of which "what" keeps the least that can be read.
function zoomTo(wish) {
	const most = Math.max(1, (scroller.clientWidth - 480) / ladderWidth()), before = rowHeight();
	const top = scroller.scrollTop;
	zoom = ZOOMS.filter(z => z <= Math.min(wish, most)).pop();
	document.body.style.setProperty("--zoom", zoom);
	document.body.classList.toggle("wide", zoom > 1);
	byId("zoom").textContent = Math.round(zoom * 100) + " %";
	refresh();
	scroller.scrollTop = top / before * rowHeight();
	draw();
	say("Ladder at " + byId("zoom").textContent, 0);
}

const zoomBy = step => zoomTo(ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, ZOOMS.indexOf(zoom) + step))]);

const isCall = r => !r.pause;
const page = () => Math.max(1, Math.floor(scroller.clientHeight / rowHeight()) - 1);
const keys = {
	ArrowDown: () => move(1, isCall), j: () => move(1, isCall), ArrowUp: () => move(-1, isCall), k: () => move(-1, isCall),
	PageDown: () => move(page(), isCall), PageUp: () => move(-page(), isCall),
	Home: () => move(-rows.length, isCall), End: () => move(rows.length, isCall),
	n: () => move(1, r => r.failed), N: () => move(-1, r => r.failed),
	Enter: openPicked, Escape: closeDetails,
	"+": () => zoomBy(1), "=": () => zoomBy(1), "-": () => zoomBy(-1), 0: () => zoomTo(1),
	"/": () => byId("search").focus(),
};

document.addEventListener("keydown", e => {
	if (e.ctrlKey || e.altKey || e.metaKey) return;
	if (e.target.tagName === "A" && e.key === "Enter") return;
	if (/^(INPUT|SELECT|BUTTON)$/.test(e.target.tagName) && !(e.target.type === "checkbox")) {
		if (e.key === "Escape" || (e.key === "Enter" && e.target === byId("search"))) scroller.focus();
		return;
	}
	const act = keys[e.key];
	if (!act) return;
	e.preventDefault();
	act();
});

// ---- The rest of the page ----

function makeServices() {
	const seen = new Map();
	for (const c of calls) if (!seen.has(c.svc)) seen.set(c.svc, c.style);
	for (const [name, style] of [...seen].slice(0, 12)) {
		const b = make("button", "", name);
		b.setAttribute("aria-pressed", "true");
		b.style.cssText = `color:${style[1] ? style[0] : "inherit"};background:${style[1] || "var(--line)"}`;
		b.addEventListener("click", () => {
			off.has(name) ? off.delete(name) : off.add(name);
			b.setAttribute("aria-pressed", String(!off.has(name)));
			refresh();
			sayCount();
		});
		byId("services").append(b);
	}
}

function makePairs() {
	const pairs = [...new Set(calls.filter(c => !c.conn.m).map(c => c.conn.pair))];
	if (pairs.length < 2) return;
	const select = byId("pair");
	select.append(new Option("all hosts", ""));
	pairs.forEach(p => select.append(new Option(p, p)));
	select.hidden = false;
}

function makeFindings() {
	data.findings.forEach((f, i) => {
		const li = make("li", f.harmless ? "harmless" : "");
		li.append(make("b", "", `Finding ${i + 1}`), " (frame" + (f.frames.length > 1 ? "s " : " "));
		f.frames.forEach((n, k) => {
			const a = make("a", "", String(n));
			a.tabIndex = 0;
			a.href = "#frame=" + n;
			a.addEventListener("click", e => { e.preventDefault(); goToFrame(n); scroller.focus(); });
			li.append(k ? ", " : "", a);
		});
		li.append((f.more ? ` and ${f.more} more` : "") + "): " + f.sentence);
		if (f.attempt) li.append(" ", make("span", "try", f.attempt));
		byId("findings").append(li);
	});
}

byId("title").textContent = data.title;
document.title = data.title + ": mapiwire";
byId("counts").textContent = data.counts;
makeServices();
makePairs();
makeFindings();
if (!calls.some(c => !c.conn.m)) byId("all").checked = true;
const fromTop = () => { scroller.scrollTop = 0; refresh(); sayCount(); };
byId("search").addEventListener("input", fromTop);
byId("pair").addEventListener("change", fromTop);
byId("all").addEventListener("change", () => { refresh(); sayCount(); });
byId("smaller").addEventListener("click", () => zoomBy(-1));
byId("zoom").addEventListener("click", () => zoomTo(1));
byId("larger").addEventListener("click", () => zoomBy(1));
scroller.addEventListener("wheel", e => {
	if (!e.ctrlKey) return;
	e.preventDefault();
	if (e.deltaY) zoomBy(e.deltaY < 0 ? 1 : -1);
}, {passive: false});
byId("close").addEventListener("click", closeDetails);
scroller.addEventListener("scroll", draw, {passive: true});
new ResizeObserver(draw).observe(scroller);
refresh();
// page.html#frame=57 or page.html#find=QueryRows opens that call.
const asked = /^#frame=(\d+)$/.exec(location.hash), sought = /^#find=(.+)$/.exec(location.hash);
if (asked) goToFrame(Number(asked[1]));
if (sought) {
	const row = rows.find(r => !r.pause && r.find.includes(decodeURIComponent(sought[1]).toLowerCase()));
	if (row) pick(row, true);
}
scroller.focus({preventScroll: true});

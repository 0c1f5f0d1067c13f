// SPDX-License-Identifier: Apache-2.0
// The page: each event is the whole status of the node; what is shown is made from it anew.
const KEEP = 60; // events of history for rates and sparklines
const history = [];
const $ = (id) => document.getElementById(id);

const number = (n) => n.toLocaleString("en-US");
function size(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) { n /= 1000; i++; }
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}
function time(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

// Text goes in as text: names come from other machines.
function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "line", "circle", "text", "polyline", "title"].includes(tag);
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
                : document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}
const cell = (text, cls = "") => element("td", cls ? { class: cls } : {}, text);
const heads = (...names) => element("tr", {}, ...names.map(([text, cls]) =>
  element("th", cls ? { class: cls } : {}, text)));

// Change a second of what get() takes from a status, over the last few events.
function rate(get, span = 3) {
  const now = history.at(-1), then = history[Math.max(0, history.length - 1 - span)];
  const a = get(then.status), b = get(now.status);
  if (now.at === then.at || a === undefined || b === undefined || b < a) return 0;
  return (b - a) * 1000 / (now.at - then.at);
}
function spark(get) {
  const rates = [];
  for (let i = 1; i < history.length; i++) {
    const a = get(history[i - 1].status), b = get(history[i].status);
    const dt = history[i].at - history[i - 1].at;
    rates.push(a === undefined || b === undefined || b < a || dt <= 0 ? 0 : (b - a) / dt);
  }
  const top = Math.max(...rates, 1e-9);
  const points = rates.map((r, i) =>
    `${(120 * (i + KEEP - rates.length) / (KEEP - 1)).toFixed(1)},${(20 - 18 * r / top).toFixed(1)}`);
  const s = element("svg", { class: "spark", viewBox: "0 0 120 22", "aria-hidden": "true" });
  s.append(element("polyline", { points: points.join(" ") }));
  return s;
}

const space = (id) => (status) => status.spaces.find((s) => s.id === id);
const peer = (id) => (status) => status.peers.find((p) => p.device === id);

function spaceState(s) {
  if (s.joining) return [`joining ${Math.floor(s.joined_permille / 10)} %`, "warn"];
  if (s.missing > 0) return [`${number(s.missing)} writes to come`, "warn"];
  if (s.unstable > 0) return [`${number(s.unstable)} writes wait for others`, "warn"];
  return ["in sync", "good"];
}
function drawSpaces(status) {
  const rows = status.spaces.map((s) => {
    const writes = (x) => space(s.id)(x)?.writes;
    const [text, cls] = spaceState(s);
    const graph = element("td");
    graph.append(spark(writes));
    return element("tr", {}, cell(s.name), cell(s.role, "soft"), cell(number(s.keys), "n"),
      cell(`${number(Math.round(rate(writes)))}/s`, "n"), graph,
      cell(size(s.log_bytes), "n"), cell(text, `state ${cls}`));
  });
  if (rows.length === 0) rows.push(element("tr", {}, cell("none yet: rejoin bucket add NAME", "soft")));
  $("spaces").replaceChildren(heads(["name"], ["role"], ["keys", "n"], ["writes", "n"],
    ["last minute"], ["log", "n"], ["state"]), ...rows);
}
function drawPeers(status) {
  const rows = status.peers.map((p) => {
    const state = p.closed ? ["removed", "bad"] : p.connected ? ["connected", "good"]
                                                              : [p.why || "not reachable", "warn"];
    return element("tr", {}, cell(p.name || p.device.slice(0, 8)), cell(p.spaces, "soft"),
      cell(p.address, "soft"), cell(number(p.lag), "n"),
      cell(`${size(rate((x) => peer(p.device)(x)?.sent_bytes))}/s`, "n"),
      cell(`${size(rate((x) => peer(p.device)(x)?.received_bytes))}/s`, "n"),
      cell(state[0], `state ${state[1]}`));
  });
  if (rows.length === 0) rows.push(element("tr", {}, cell("nobody yet: rejoin invite", "soft")));
  $("peers").replaceChildren(heads(["name"], ["spaces"], ["address"], ["lag", "n"],
    ["sent", "n"], ["received", "n"], ["state"]), ...rows);
}
function drawMap(status) {
  const items = [], lines = [], peers = status.peers.filter((p) => !p.closed);
  const cx = 320, cy = 100;
  const dot = (x, y, r, cls, name, below) => {
    items.push(element("circle", { cx: x, cy: y, r, class: cls }),
      element("text", { x, y: y + r + 16 }, name));
    if (below) items.push(element("text", { x, y: y + r + 30, class: "soft" }, below));
  };
  peers.forEach((p, i) => {
    const angle = Math.PI * (peers.length === 2 ? i : 2 * i / peers.length) +
      (peers.length > 2 ? Math.PI / 2 : 0);
    const x = cx + 240 * Math.cos(angle), y = cy + 72 * Math.sin(angle);
    lines.push(element("line", { x1: cx, y1: cy, x2: x, y2: y,
      class: p.connected ? (p.lag > 0 ? "up lag" : "up") : "" }));
    dot(x, y, 14, p.connected ? "up" : "", p.name || p.device.slice(0, 8),
      p.lag > 0 ? `${number(p.lag)} behind` : "");
  });
  dot(cx, cy, 18, "self", status.name, "");
  $("map").replaceChildren(...lines, ...items);
}
function drawAlerts(status) {
  const lines = status.spaces.flatMap((s) => s.limits.map((l) => `${s.name}: ${l}`));
  $("alerts").replaceChildren(...lines.map((l) => element("p", {}, l)));
}
function draw(status) {
  document.title = `${status.name} \u2013 rejoin`;
  $("name").textContent = status.name;
  $("self").textContent =
    `${status.device.slice(0, 8)}  \u00B7  rejoin ${status.version}  \u00B7  up ${time(status.up_ms)}`;
  drawAlerts(status);
  drawMap(status);
  drawSpaces(status);
  drawPeers(status);
}

function connected(yes) {
  $("link").textContent = yes ? "live" : "not connected";
  $("link").className = yes ? "on" : "off";
}
const events = new EventSource("/events");
events.onopen = () => connected(true);
events.onerror = () => connected(false);
events.onmessage = (e) => {
  connected(true);
  history.push({ at: performance.now(), status: JSON.parse(e.data) });
  if (history.length > KEEP) history.shift();
  draw(history.at(-1).status);
};

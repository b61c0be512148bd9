/**
 * The chat page.
 *
 * A connection is in a room once it has spoken there, and only for as long as it lives: the host
 * remembers nothing of a connection that is gone. So this page calls a room joined only when its
 * own words have come back from there on this very connection, and left once the connection ends.
 */

const OPENING_LIMIT = 10_000; // ms for a connection to open before the next try
const ECHO_LIMIT = 15_000; // ms for one's own words to come back before the line counts as dead
const STEADY = 5_000; // ms that a connection lasts to count as a success
const BACKOFF = { first: 500, cap: 15_000 }; // ms
const LOG_LIMIT = 500; // entries on the page, the newest
const NEARLY_FULL = 1_000; // bytes left from which on the hint counts them

const STORED_AS = "wsf.chat";
const NO_ANSWER = "The host does not answer";
const NO_LINE = "Not connected. Your message stays here until it can be sent.";

const MAX_BYTES = Number(document.body.dataset.maxMessageBytes);
const TITLE = document.title;

/** Every element with an id, by its id. */
const ui = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));


// ── The connection: one socket at a time, and the wait between two ──────────────────────────────

class Connection {
  #url;
  #on;
  #socket;
  #timer;
  #failures = 0;

  /** `on.state` is told of every change of state, `on.text` gets every text frame. */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    const socket = new WebSocket(this.#url);
    let openedAt = Infinity;
    this.#socket = socket;
    this.#on.state({ name: "connecting", again: this.#failures > 0 });
    this.#wait(OPENING_LIMIT, () => this.drop(NO_ANSWER));

    socket.onopen = () => {
      clearTimeout(this.#timer);
      openedAt = Date.now();
      this.#on.state({ name: "connected" });
    };
    socket.onmessage = ({ data }) => typeof data === "string" && this.#on.text(data);
    socket.onclose = (event) => {
      // A host that accepts and closes at once is no success: the next try still waits longer.
      if (Date.now() - openedAt >= STEADY) this.#failures = 0;
      this.#retry(explain(event, openedAt < Infinity));
    };
  }

  send(text) {
    this.#socket.send(text);
  }

  /** Gives up a socket that answers no more, without waiting for its closing handshake. */
  drop(reason) {
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#retry(reason);
  }

  /** Exponential backoff with full jitter: a thousand pages do not come back in one instant. */
  #retry(reason) {
    const delay = Math.random() * Math.min(BACKOFF.cap, BACKOFF.first * 2 ** this.#failures++);
    this.#socket = undefined;
    this.#wait(delay, () => this.open());
    this.#on.state({ name: "disconnected", reason, retryAt: Date.now() + delay });
  }

  #wait(delay, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delay);
  }

  #wake() {
    if (this.#socket) return; // open, or about to be
    clearTimeout(this.#timer);
    this.open();
  }
}

/** How a connection ended, in words: the code's meaning, then what the host gave as its reason. */
function explain({ code, reason, wasClean }, wasOpen) {
  const meaning = {
    1000: "The host ended the conversation",
    1001: "The host is going away",
    1002: "The host did not understand this page",
    1003: "The host does not take such messages",
    1007: "The host refused what was sent",
    1008: "The host does not allow this",
    1009: "The message was too big for the host",
    1011: "The host made a mistake",
    1012: "The host is restarting",
    1013: "The host is too busy, or this page too slow for it",
  }[code] ?? (wasClean ? "The host closed the connection" : wasOpen ? "The connection was lost" : NO_ANSWER);
  return reason ? `${meaning}: ${reason}` : meaning;
}


// ── Rooms: where this connection has been heard ─────────────────────────────────────────────────

/** Room name -> the nicknames that hold a place there on this connection; none: the room was left. */
const standing = new Map();

function join({ nickname, room }) {
  if (!standing.has(room)) standing.set(room, new Set());
  standing.get(room).add(nickname);
  renderRooms();
}

function leaveAll() {
  for (const nicknames of standing.values()) nicknames.clear();
  renderRooms();
}

function forgetLeft() {
  for (const [room, nicknames] of standing) if (!nicknames.size) standing.delete(room);
  renderRooms();
  ui.message.focus();
}

function renderRooms() {
  const chips = new Map([...ui.rooms.children].map((chip) => [chip.dataset.room, chip]));
  for (const [room, chip] of chips) if (!standing.has(room)) chip.remove();
  for (const [room, nicknames] of standing) {
    const chip = chips.get(room) ?? addChip(room);
    chip.dataset.standing = nicknames.size ? "joined" : "left";
    chip.querySelector("small").textContent = chip.dataset.standing;
  }
  ui.membership.hidden = !standing.size;
  renderNotice();
}

function addChip(room) {
  const button = el("button", { type: "button" }, el("bdi", {}, room), " ", el("small"));
  const chip = tint(el("li", {}, button), room);
  chip.dataset.room = room;
  button.onclick = () => {
    setRoom(room);
    ui.message.focus();
  };
  ui.rooms.append(chip);
  return chip;
}

function renderNotice() {
  const left = [...standing.keys()].filter((room) => !standing.get(room).size);
  const names = new Intl.ListFormat("en").formatToParts(left)
    .map(({ type, value }) => (type === "element" ? el("bdi", {}, value) : value));
  const remedy = left.length > 1 ? ". Speak in a room to be back in it." : ". Speak there to be back in it.";
  ui.notice.replaceChildren(...(left.length ? ["You are no longer in ", ...names, remedy] : []));
  ui.forget.hidden = !left.length;
}


// ── Speaking and hearing ────────────────────────────────────────────────────────────────────────

/** What was said on this connection and has not come back yet, oldest first. */
const unheard = [];

function say(event) {
  event.preventDefault();
  if (!connection.isOpen) return advise(NO_LINE, true);

  const chatter = written();
  const frame = JSON.stringify(chatter);
  connection.send(frame);
  const timer = setTimeout(() => connection.drop(NO_ANSWER), ECHO_LIMIT);
  unheard.push({ frame, chatter, timer });
  remember(chatter);
  ui.message.value = "";
  ui.message.focus();
  scrollTo({ top: 0 }); // where one's words are going to appear
  return advise();
}

function hear(frame) {
  const chatter = parse(frame);
  if (!chatter) return; // nothing that this page could show
  const own = takeUnheard(frame);
  if (own) {
    join(chatter);
    tabs.postMessage({ spoke: chatter.nickname, room: chatter.room });
  }
  showMessage(chatter, own);
}

/** The host returns the same bytes, so what is equal to something said is its echo. */
function takeUnheard(frame) {
  const index = unheard.findIndex((said) => said.frame === frame);
  if (index < 0) return false;
  clearTimeout(unheard.splice(index, 1)[0].timer);
  return true;
}

function parse(frame) {
  try {
    const { nickname, room, message } = JSON.parse(frame);
    const complete = [nickname, room, message].every((member) => typeof member === "string");
    return complete ? { nickname, room, message } : null;
  } catch {
    return null;
  }
}

function written() {
  return { nickname: ui.nickname.value.trim(), room: ui.room.value.trim(), message: ui.message.value };
}

/** Bytes by which what is written exceeds a message; negative while it fits. */
function excess() {
  return new TextEncoder().encode(JSON.stringify(written())).length - MAX_BYTES;
}

/** Native validation says what is wrong with the message; the hint says it before it is sent. */
function review() {
  const over = excess();
  const bytes = Math.abs(over) === 1 ? "1 byte" : `${Math.abs(over).toLocaleString("en")} bytes`;
  const problem = over > 0 ? `Too long by ${bytes}: shorten it, or say it in parts.`
    : ui.message.value && !ui.message.value.trim() ? "More than spaces, please." : "";
  ui.message.setCustomValidity(problem);
  advise(over > 0 ? problem : over > -NEARLY_FULL ? `${bytes} left.` : undefined, over > 0);
}

function advise(text = "Enter sends, Shift+Enter starts a new line.", urgent = false) {
  ui.hint.classList.toggle("urgent", urgent);
  if (ui.hint.textContent !== text) ui.hint.textContent = text; // a live region: no news, no touch
}

/** Puts words back that never came back, without harm to what is being written. */
function writeAgain({ nickname, room, message }) {
  ui.nickname.value = nickname;
  setRoom(room);
  ui.message.value = [message, ui.message.value].filter(Boolean).join("\n");
  ui.message.focus();
  review();
}


// ── What is seen ────────────────────────────────────────────────────────────────────────────────

/** An element with attributes and children; strings become text, never markup. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Room name -> hue, in the order in which the rooms appear here: golden angles stay far apart. */
const hues = new Map();

/** Colour means room. A room not seen yet is shown in the hue that it is going to have. */
function tint(element, room, { seen = true } = {}) {
  const hue = hues.get(room) ?? (185 + hues.size * 137.5) % 360;
  if (seen) hues.set(room, hue);
  element.classList.add("tinted");
  element.style.setProperty("--hue", hue);
  return element;
}

function setRoom(room) {
  ui.room.value = room;
  tint(ui.composer, room.trim(), { seen: false });
}

/** The sentence of the page: who, in which room, said what; and when it came. */
function sentence({ nickname, room, message }, verb, className) {
  const who = el("span", { class: "who" },
    el("bdi", {}, nickname), el("span", { class: "place" }, "@", el("bdi", {}, room)), el("i", {}, ` ${verb} `));
  const words = el("span", { class: "words", dir: "auto" }, message);
  return tint(el("li", { class: className }, el("p", {}, who, words), clock()), room);
}

function showMessage(chatter, own) {
  show(sentence(chatter, "said", own ? "own" : "other"));
  ui.welcome.hidden = true;
  countUnread();
}

function showUnheard(chatter) {
  const entry = sentence(chatter, "perhaps said", "unheard");
  const button = el("button", { type: "button" }, "Write again");
  button.onclick = () => writeAgain(chatter);
  entry.firstElementChild.after(button);
  show(entry);
}

/** One note for one loss: a line that comes and goes does not push the messages off the page. */
function showLoss(reason) {
  const newest = ui.messages.firstElementChild;
  if (newest?.className === "loss") newest.remove();
  const text = `${reason}. What is said until you are back is not heard here.`;
  show(el("li", { class: "loss" }, el("p", {}, el("span", { class: "words", dir: "auto" }, text)), clock()));
}

function show(entry) {
  ui.messages.prepend(entry);
  while (ui.messages.childElementCount > LOG_LIMIT) ui.messages.lastElementChild.remove();
}

function clock(now = new Date()) {
  const text = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return el("time", { datetime: now.toISOString() }, text);
}

let unread = 0;
function countUnread() {
  if (document.hidden) document.title = `(${++unread}) ${TITLE}`;
}

function readAll() {
  unread = 0;
  document.title = TITLE;
}

/** What is announced changes only when there is news; the countdown beside it is for the eye. */
function renderState({ name, again, retryAt }) {
  const text = { connecting: "Connecting", connected: "Connected", disconnected: "Disconnected: retrying" };
  const news = again ? text.disconnected : text[name];
  document.body.dataset.state = name;
  if (ui.state.textContent !== news) ui.state.textContent = news;
  ui.send.setAttribute("aria-disabled", name !== "connected");
  countDown(retryAt, again ? " now" : "");
}

let ticking;
function countDown(until, otherwise) {
  clearInterval(ticking);
  const tick = () => {
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
    ui.countdown.textContent = until ? ` in ${seconds} s` : otherwise;
  };
  tick();
  if (until) ticking = setInterval(tick, 250);
}


// ── What outlives a page, and what the other tabs say ───────────────────────────────────────────

function remember({ nickname, room }) {
  try {
    localStorage.setItem(STORED_AS, JSON.stringify({ nickname, room }));
  } catch {
    // storage is full or forbidden: the page works without it
  }
}

function recall() {
  try {
    const { nickname, room } = JSON.parse(localStorage.getItem(STORED_AS));
    ui.nickname.defaultValue = typeof nickname === "string" ? nickname : "";
    if (typeof room === "string") ui.room.value = room;
  } catch {
    // nothing there that this page wrote
  }
}

/*
 * In a room, a nickname's place belongs to the connection that spoke with it last. The tabs of one
 * browser remember one nickname between them, so each tells the others which one it goes by.
 */
const tabs = new BroadcastChannel(STORED_AS);

tabs.onmessage = ({ data: { opened, at, taken, spoke, room } }) => {
  const mine = opened && opened === ui.nickname.value && performance.timeOrigin < at;
  if (mine) tabs.postMessage({ taken: opened });
  if (taken && taken === ui.nickname.value && taken === ui.nickname.defaultValue) yieldNickname(taken);
  if (spoke && standing.get(room)?.delete(spoke)) renderRooms();
};

function yieldNickname(taken) {
  if (standing.size) return; // it has spoken with the name, so it was here first
  ui.nickname.value = "";
  ui.nickname.focus();
  advise(`Another tab goes by ${taken}: choose another nickname here.`, true);
}


// ── The parts together ──────────────────────────────────────────────────────────────────────────

function connect() {
  const url = new URL(document.body.dataset.endpoint, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  let lost = false;
  return new Connection(url, {
    text: hear,
    state(state) {
      renderState(state);
      if (state.name === "connected") {
        lost = false;
        if (ui.hint.textContent === NO_LINE) review();
      }
      if (state.name !== "disconnected" || lost) return; // a failed try is no further loss
      lost = true;
      leaveAll();
      showLoss(state.reason);
      for (const { chatter, timer } of unheard.splice(0)) {
        clearTimeout(timer);
        showUnheard(chatter);
      }
    },
  });
}

const connection = connect();

ui.composer.onsubmit = say;
ui.composer.oninput = review;
ui.room.oninput = () => setRoom(ui.room.value);
ui.message.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ui.composer.requestSubmit();
};
ui.forget.onclick = forgetLeft;
document.addEventListener("visibilitychange", () => document.hidden || readAll());

recall();
setRoom(ui.room.value);
advise();
[ui.nickname, ui.room, ui.message].find((field) => !field.value)?.focus();
if (ui.nickname.value) tabs.postMessage({ opened: ui.nickname.value, at: performance.timeOrigin });
connection.open();

/** Puts the page together: one session, the views that show it, the switches that steer it. */

import { CandidatesView } from "./candidates-view.js";
import { ChatView } from "./chat-view.js";
import { byId, make, write } from "./dom.js";
import { HelpView } from "./help-view.js";
import { I18n } from "./i18n.js";
import { LobbyView } from "./lobby-view.js";
import { unavailable } from "./media.js";
import { PathView } from "./path-view.js";
import { PreviewView } from "./preview-view.js";
import { linkTo, takeTokens } from "./room.js";
import { Session } from "./session.js";
import { StageView } from "./stage-view.js";
import { stateLine, STEPS, stepsDone } from "./state.js";
import { WindowView } from "./window-view.js";
import en from "./words-en.js";
import ja from "./words-ja.js";

/** What opens rooms that are not open to all. @type {string | null} */
let token = null;
takeTokens((brought) => (token = brought));

const i18n = new I18n({ en, ja });
const { signaling } = await (await fetch("/config.json")).json();
const session = new Session(signaling);
const lobby = new LobbyView(i18n);
const preview = new PreviewView(i18n, session, () => lobby.wish);
const stage = new StageView(i18n, session);
const chat = new ChatView(i18n, session);
const windows = new WindowView(i18n, session);
new HelpView(i18n, () => session.phase !== "lobby");
const path = new PathView(i18n);
const candidates = new CandidatesView(i18n);
/** @type {HTMLInputElement} */
const relayOnly = byId("relay-only");
/** @type {HTMLSelectElement} */
const relayOver = byId("relay-over");

/** What holds before anyone enters: no camera on this page, and why. @type {import("./session.js").Notice[]} */
const standing = [];

session.addEventListener("change", render);
session.addEventListener("call", (event) => {
  candidates.begin();
  chat.begin(/** @type {CustomEvent<import("./call.js").Call>} */ (event).detail);
});
session.addEventListener("candidate", (event) => candidates.add(/** @type {CustomEvent} */ (event).detail));
session.addEventListener("reading", () => {
  if (!session.call) return;
  path.read(session.call);
  candidates.select(session.call.path);
  render();
});

lobby.addEventListener("enter", (event) => {
  const { detail } = /** @type {CustomEvent<Omit<import("./session.js").Entry, "token" | "relay">>} */ (event);
  history.replaceState(null, "", linkTo(location.href, detail.room));
  stage.enter(detail.room);
  session.enter({ ...detail, token, relay: relay() });
});
for (const choice of [relayOnly, relayOver]) choice.addEventListener("change", () => session.setRelay(relay()));

i18n.addEventListener("change", () => {
  candidates.render();
  render();
});

// The server notices a closed connection by itself; saying so first is quicker and surer.
addEventListener("pagehide", () => session.phase !== "lobby" && session.leave());

const reason = unavailable(window);
if (reason) {
  standing.push({ key: `media.${reason}`, params: { origin: location.origin } });
  lobby.withoutMedia();
  preview.withoutMedia();
}
for (const step of STEPS) byId("steps").append(stepItem(step));
i18n.start();
candidates.render();
render();
document.body.dataset.ready = "";

/** What is chosen about relays. */
function relay() {
  return relayOnly.checked ? /** @type {import("./relay-choice.js").Relay} */ (relayOver.value) : "off";
}

function render() {
  const { key, params, tone } = stateLine(session);
  const name = params.name || i18n.t("guest");
  write(byId("state-text"), i18n.t(key, { ...params, name }));
  byId("state").dataset.tone = tone;
  renderPhase();
  renderNotices();
  renderSteps();
  byId("relay-choice").hidden = !relayOnly.checked;
  lobby.render();
  preview.render();
  stage.render();
  chat.render();
  windows.render();
  path.render(session.call);
}

/** Shows the form or the call, and moves the focus along with it. */
function renderPhase() {
  const view = session.phase === "lobby" ? "lobby" : "call";
  const { dataset } = byId("main");
  if (dataset.view === view) return;
  const first = dataset.view === undefined;
  dataset.view = view;
  byId("lobby").hidden = view !== "lobby";
  byId("call").hidden = view !== "call";
  byId(view === "lobby" ? "relay-in-lobby" : "relay-in-call").append(byId("relay"));
  if (!first) byId(view === "lobby" ? "join" : "hang-up").focus();
}

function renderNotices() {
  const notices = [...standing, ...session.notices.filter(({ key }) => !standing.some((n) => n.key === key))];
  const text = notices.map(({ key, params }) => i18n.t(key, params)).join(" ");
  write(byId("notice"), text);
  byId("notice").hidden = text === "";
}

function renderSteps() {
  const done = stepsDone(session);
  for (const step of STEPS) byId(`step-${step}`).classList.toggle("done", done.has(step));
}

/** @param {string} step */
function stepItem(step) {
  const text = make("span", "");
  text.dataset.t = `steps.${step}`;
  const item = make("li", "", text);
  item.id = `step-${step}`;
  return item;
}

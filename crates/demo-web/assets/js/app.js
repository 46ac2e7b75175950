/** Puts the page together: one session, the views that show it, the switches that steer it. */

import { CandidatesView } from "./candidates-view.js";
import { ChatView } from "./chat-view.js";
import { ChoiceView } from "./choice-view.js";
import { ControlsView } from "./controls-view.js";
import { byId, write } from "./dom.js";
import { HelpView } from "./help-view.js";
import { I18n } from "./i18n.js";
import { LobbyView } from "./lobby-view.js";
import { unavailable } from "./media.js";
import { PathView } from "./path-view.js";
import { People } from "./people.js";
import { PreviewView } from "./preview-view.js";
import { QualityView } from "./quality-view.js";
import { linkTo, takeTokens } from "./room.js";
import { Session } from "./session.js";
import { StageView } from "./stage-view.js";
import { StateView } from "./state-view.js";
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
const people = new People(i18n, session);
const state = new StateView(i18n, session, people);
const stage = new StageView(i18n, session, people);
const controls = new ControlsView(i18n, session);
const chat = new ChatView(i18n, session, people);
const choice = new ChoiceView(session, people);
const windows = new WindowView(i18n, session, people, stage, () => choice.call);
new HelpView(i18n, () => session.phase !== "lobby");
const path = new PathView(i18n);
const quality = new QualityView(i18n);
const candidates = new CandidatesView(i18n);
/** @type {HTMLInputElement} */
const relayOnly = byId("relay-only");
/** @type {HTMLSelectElement} */
const relayOver = byId("relay-over");

/** What holds before anyone enters: no camera on this page, and why. @type {import("./session.js").Notice[]} */
const standing = [];

session.addEventListener("change", render);
session.addEventListener("call", (event) => begin(/** @type {CustomEvent<import("./call.js").Call>} */ (event).detail));
choice.addEventListener("change", render);

lobby.addEventListener("enter", (event) => {
  const { detail } = /** @type {CustomEvent<Omit<import("./session.js").Entry, "token" | "relay">>} */ (event);
  history.replaceState(null, "", linkTo(location.href, detail.room));
  stage.enter(detail.room);
  controls.enter(detail.room);
  session.enter({ ...detail, token, relay: relay() });
});
for (const control of [relayOnly, relayOver]) control.addEventListener("change", () => session.setRelay(relay()));

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
i18n.start();
candidates.render();
render();
document.body.dataset.ready = "";

/** What is chosen about relays. */
function relay() {
  return relayOnly.checked ? /** @type {import("./relay-choice.js").Relay} */ (relayOver.value) : "off";
}

/**
 * Follows one call; what it finds out is kept also while another one is looked at.
 * @param {import("./call.js").Call} call
 */
function begin(call) {
  candidates.begin(call);
  chat.begin(call);
  call.addEventListener("candidate", (event) => candidates.add(call, /** @type {CustomEvent} */ (event).detail));
  call.addEventListener("reading", () => {
    candidates.select(call);
    // The others are shown with it.
    if (call === choice.call) render();
  });
}

function render() {
  renderPhase();
  renderNotices();
  byId("relay-choice").hidden = !relayOnly.checked;
  lobby.render();
  preview.render();
  stage.render();
  controls.render();
  chat.render();
  windows.render();
  choice.render();
  renderChosen(choice.call);
}

/** @param {import("./call.js").Call | null} chosen whose path is looked at */
function renderChosen(chosen) {
  state.render(chosen);
  path.render(chosen);
  quality.render(chosen);
  candidates.show(chosen);
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

/** The form that leads into a room. */

import { byId, write } from "./dom.js";
import { randomRoom, roomOf } from "./room.js";

const STORED_AS = "watari.name";

/** Fires `enter` with an Entry as `detail`, but for the token and the relay. */
export class LobbyView extends EventTarget {
  #i18n;
  /** @type {HTMLInputElement} */
  #name = byId("name");
  /** @type {HTMLInputElement} */
  #room = byId("room");
  /** @type {HTMLInputElement} */
  #camera = byId("want-camera");
  /** @type {HTMLInputElement} */
  #microphone = byId("want-microphone");

  /** @param {import("./i18n.js").I18n} i18n */
  constructor(i18n) {
    super();
    this.#i18n = i18n;
    this.#name.value = storedName();
    this.#room.value = roomOf(location.href) || randomRoom();
    byId("make-room").addEventListener("click", () => (this.#room.value = randomRoom()));
    for (const box of [this.#camera, this.#microphone]) box.addEventListener("change", () => this.render());
    byId("lobby").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
  }

  /** Camera and microphone cannot be chosen where the browser gives none. */
  withoutMedia() {
    for (const box of [this.#camera, this.#microphone]) {
      box.checked = false;
      box.disabled = true;
    }
    this.render();
  }

  /** What the switches say. */
  get wish() {
    return { audio: this.#microphone.checked, video: this.#camera.checked };
  }

  render() {
    const sends = this.#camera.checked || this.#microphone.checked;
    write(byId("join"), this.#i18n.t(sends ? "lobby.join" : "lobby.join.receive"));
  }

  #enter() {
    const name = this.#name.value.trim();
    const room = this.#room.value.trim();
    storeName(name);
    this.dispatchEvent(new CustomEvent("enter", { detail: { room, name, wish: this.wish } }));
  }
}

function storedName() {
  try {
    return localStorage.getItem(STORED_AS) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name */
function storeName(name) {
  try {
    localStorage.setItem(STORED_AS, name);
  } catch {
    return;
  }
}

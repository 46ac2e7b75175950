import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { begin, pass, sockets } from "./fakes.mjs";

const { Signaling } = await import("../assets/js/signaling.js");

beforeEach(begin);
afterEach(() => mock.timers.reset());

test("many signals reach the server in order and once, whatever waited as the connection was lost", async () => {
  const signaling = new Signaling(null);
  const [socket] = sockets;
  signaling.open();
  socket.up();
  const joined = signaling.join("north", "", null);
  socket.asked("join").answer({ resume: { token: "t" } });
  await joined;
  for (let n = 0; n < 150; n += 1) signaling.send("candidate", { to: "a" });
  const said = () => socket.sent.flatMap(({ name, payload }) => (name === "candidate" ? [payload.seq] : []));
  assert.equal(said().length, 100);
  socket.disconnect();
  await pass(1000);
  assert.equal(said().length, 100);
  socket.sent.length = 0;
  socket.up();
  const resumed = signaling.resume();
  // The last of them were lost on the way.
  socket.asked("resume").answer({ received: 90, resume: { token: "u" } });
  await resumed;
  signaling.send("candidate", { to: "a" });
  await pass(3000);
  assert.deepEqual(said(), Array.from({ length: 61 }, (_, n) => 91 + n));
});

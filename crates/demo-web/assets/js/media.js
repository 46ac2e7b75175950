/** Camera and microphone, and plain reasons when they cannot be had. */

/**
 * @typedef {"denied" | "missing" | "busy"} Reason
 * @typedef {{ audio: boolean, video: boolean }} Wish
 * @typedef {{ audio?: string, video?: string }} Chosen ids of devices; without one the browser chooses
 * @typedef {{ stream: MediaStream, lacking: { audio?: Reason, video?: Reason } }} Opened
 */

/**
 * Says why no camera can be asked for at all; null when it can.
 * @param {{ isSecureContext: boolean, navigator: { mediaDevices?: unknown } }} scope
 * @returns {"insecure" | "unsupported" | null}
 */
export function unavailable(scope) {
  if (scope.navigator.mediaDevices) return null;
  return scope.isSecureContext ? "unsupported" : "insecure";
}

/**
 * Opens what is wished for, or as much of it as can be had: without a camera there may be a microphone.
 * @param {Wish} wish
 * @param {MediaDevices} devices
 * @param {Chosen} [chosen]
 * @param {(kind: "camera" | "microphone") => Promise<string>} [permission]
 * @returns {Promise<Opened>}
 */
export async function open(wish, devices, chosen = {}, permission = permissionState) {
  const stream = new MediaStream();
  if (!wish.audio && !wish.video) return { stream, lacking: {} };
  const together = await attempt(devices, wish, chosen);
  if (together.stream) return { stream: together.stream, lacking: {} };

  /** @type {Opened} */
  const opened = { stream, lacking: {} };
  for (const kind of /** @type {const} */ (["audio", "video"])) {
    if (!wish[kind]) continue;
    const device = kind === "audio" ? "microphone" : "camera";
    // Who refused both is not asked again for each.
    const again =
      wish.audio && wish.video && (together.reason !== "denied" || (await permission(device)) === "granted");
    const alone = again ? await attempt(devices, { audio: kind === "audio", video: kind === "video" }, chosen) : together;
    if (alone.stream) for (const track of alone.stream.getTracks()) stream.addTrack(track);
    else opened.lacking[kind] = alone.reason;
  }
  return opened;
}

/**
 * Names the sentences that tell what is lacking and what is sent all the same; none when nothing is lacking.
 * @param {Opened["lacking"]} lacking
 * @param {Wish} wish
 * @returns {string[]}
 */
export function lackingKeys(lacking, wish) {
  const kinds = /** @type {const} */ (["video", "audio"]);
  const keys = kinds.filter((kind) => lacking[kind]).map((kind) => `media.${lacking[kind]}.${kind}`);
  if (keys.length === 0) return [];
  const sent = kinds.find((kind) => wish[kind] && !lacking[kind]) ?? "nothing";
  const denied = kinds.some((kind) => lacking[kind] === "denied");
  return [...keys, `media.only.${sent}`, ...(denied ? ["media.denied.hint"] : [])];
}

/**
 * What to ask the browser for. As a wish only, a chosen microphone would lose against the system's default.
 * @param {Wish} wish
 * @param {Chosen} chosen
 * @returns {MediaStreamConstraints}
 */
export function constraintsOf({ audio, video }, chosen) {
  const size = sizeFor(1);
  return {
    audio: audio && (chosen.audio ? { deviceId: { exact: chosen.audio } } : true),
    video: video && (chosen.video ? { ...size, deviceId: { exact: chosen.video } } : { ...size, facingMode: "user" }),
  };
}

/**
 * How large the camera's picture shall be: for each of the others it is encoded and sent apart, and each shows it smaller.
 * @param {number} others
 */
export function sizeFor(others) {
  const [width, height] = others > 1 ? [640, 360] : [1280, 720];
  return { width: { ideal: width }, height: { ideal: height } };
}

/**
 * @param {MediaDevices} devices
 * @param {Wish} wish
 * @param {Chosen} chosen
 * @returns {Promise<{ stream?: MediaStream, reason?: Reason }>}
 */
async function attempt(devices, wish, chosen) {
  try {
    return { stream: await devices.getUserMedia(constraintsOf(wish, chosen)) };
  } catch (error) {
    const gone = error instanceof Error && error.name === "OverconstrainedError" && (chosen.audio || chosen.video);
    // A chosen device that was pulled out is no reason to get none.
    if (gone) return attempt(devices, wish, {});
    return { reason: reasonOf(error instanceof Error ? error.name : "") };
  }
}

/**
 * @param {string} name of the exception
 * @returns {Reason}
 */
function reasonOf(name) {
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  return "busy";
}

/** @param {"camera" | "microphone"} name */
async function permissionState(name) {
  try {
    return (await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) })).state;
  } catch {
    return "unknown";
  }
}

/** Which way a call goes, read from the statistics of its RTCPeerConnection. */

/**
 * @typedef {object} End one end of the pair that carries the call
 * @property {string} id of the candidate in the statistics
 * @property {string} type host, srflx, prflx or relay
 * @property {string} protocol udp or tcp
 * @property {string} relayProtocol between this end and its TURN server: udp, tcp, tls, or empty
 * @property {string} address empty when the browser hides it
 * @property {number} port
 *
 * @typedef {object} Path
 * @property {End} local
 * @property {End} remote
 * @property {number | null} rtt seconds
 * @property {number} bytesSent
 * @property {number} bytesReceived
 * @property {number} at milliseconds
 *
 * @typedef {object} Received
 * @property {number} framesDecoded
 * @property {number} width
 * @property {number} height
 * @property {number} framesPerSecond
 * @property {number} audioSamples
 */

/**
 * Finds the candidate pair in use; null while there is none.
 * @param {ReadonlyMap<string, any>} report
 * @returns {Path | null}
 */
export function selectedPath(report) {
  const pair = selectedPair(report);
  const local = pair && report.get(pair.localCandidateId);
  const remote = pair && report.get(pair.remoteCandidateId);
  if (!local || !remote) return null;
  return {
    local: end(local),
    remote: end(remote),
    rtt: pair.currentRoundTripTime ?? null,
    bytesSent: pair.bytesSent ?? 0,
    bytesReceived: pair.bytesReceived ?? 0,
    at: pair.timestamp,
  };
}

/**
 * Sums up what arrived and could be shown.
 * @param {ReadonlyMap<string, any>} report
 * @returns {Received}
 */
export function received(report) {
  const sum = { framesDecoded: 0, width: 0, height: 0, framesPerSecond: 0, audioSamples: 0 };
  for (const stat of report.values()) {
    if (stat.type !== "inbound-rtp") continue;
    if (stat.kind === "audio") sum.audioSamples += stat.totalSamplesReceived ?? 0;
    if (stat.kind !== "video") continue;
    sum.framesDecoded += stat.framesDecoded ?? 0;
    sum.width = Math.max(sum.width, stat.frameWidth ?? 0);
    sum.height = Math.max(sum.height, stat.frameHeight ?? 0);
    sum.framesPerSecond = Math.max(sum.framesPerSecond, stat.framesPerSecond ?? 0);
  }
  return sum;
}

/**
 * Gives a peer-reflexive remote end the type the other side has announced its address with. Which came first, the
 * announcement or the check from there, says nothing about the path; Firefox keeps calling it prflx.
 * @param {Path} path
 * @param {ReadonlyMap<string, string>} announced types by `placeKey`
 * @returns {Path}
 */
export function recognise(path, announced) {
  const type = path.remote.type === "prflx" ? announced.get(placeKey(path.remote)) : undefined;
  return type ? { ...path, remote: { ...path.remote, type } } : path;
}

/** @param {{ protocol: string, address: string, port: number }} end */
export function placeKey({ protocol, address, port }) {
  return `${protocol} ${address} ${port}`;
}

/**
 * Tells whether a relay stands in the way, at whichever end.
 * @param {Path} path
 */
export function isRelayed(path) {
  return path.local.type === "relay" || path.remote.type === "relay";
}

/**
 * Computes kbit/s between two readings of one pair; null when they cannot be compared.
 * @param {Path | null} before
 * @param {Path} now
 */
export function rates(before, now) {
  const same = before && before.local.id === now.local.id && before.remote.id === now.remote.id;
  if (!same || now.at <= before.at) return null;
  const kbit = (/** @type {number} */ from, /** @type {number} */ to) =>
    Math.max(0, Math.round(((to - from) * 8) / (now.at - before.at)));
  return {
    sending: kbit(before.bytesSent, now.bytesSent),
    receiving: kbit(before.bytesReceived, now.bytesReceived),
  };
}

/** @param {ReadonlyMap<string, any>} report */
function selectedPair(report) {
  let nominated = null;
  for (const stat of report.values()) {
    if (stat.type === "transport" && stat.selectedCandidatePairId) {
      return report.get(stat.selectedCandidatePairId) ?? null;
    }
    // Firefox names no pair in its transport but marks the pair itself.
    if (stat.type === "candidate-pair" && (stat.selected || (stat.nominated && stat.state === "succeeded"))) {
      if (!nominated || stat.selected) nominated = stat;
    }
  }
  return nominated;
}

/**
 * @param {any} stat
 * @returns {End}
 */
function end(stat) {
  return {
    id: stat.id,
    type: stat.candidateType,
    protocol: (stat.protocol ?? "udp").toLowerCase(),
    relayProtocol: stat.candidateType === "relay" ? (stat.relayProtocol ?? "").toLowerCase() : "",
    address: stat.address ?? stat.ip ?? "",
    port: stat.port ?? 0,
  };
}

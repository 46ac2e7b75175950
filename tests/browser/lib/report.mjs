/** Plain lines about what was checked. */

/** Waits so that frames and bytes can come in. */
export const seconds = (/** @type {number} */ n) => new Promise((resolve) => setTimeout(resolve, n * 1000));

/**
 * Runs one check and prints its line; a failure ends the run.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} body may return a remark for the line
 */
export async function check(name, body) {
  try {
    const remark = await body();
    process.stdout.write(`ok: ${name}${typeof remark === "string" ? ` (${remark})` : ""}\n`);
  } catch (error) {
    process.stdout.write(`not ok: ${name}\n`);
    throw error;
  }
}

/**
 * Asks until it is so, or complains with the last answer.
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} ask
 * @param {(answer: T) => boolean} enough
 * @param {number} [timeout] ms
 */
export async function eventually(what, ask, enough, timeout = 20_000) {
  const until = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (enough(answer)) return answer;
    if (Date.now() > until) throw new Error(`${what}: still ${JSON.stringify(answer)}`);
    await seconds(0.2);
  }
}

/** Checks messages against docs/signaling.schema.json. */

import { readFileSync } from "node:fs";

import Ajv from "ajv/dist/2020.js";

const file = new URL("../../../../docs/signaling.schema.json", import.meta.url);
const ajv = new Ajv({ strict: true, allowUnionTypes: true });
ajv.addSchema(JSON.parse(readFileSync(file, "utf8")), "signaling");

/** What is wrong with a message, or nothing. */
const check = (/** @type {string} */ definition) => {
  const validate = ajv.compile({ $ref: `signaling#/$defs/${definition}` });
  return (/** @type {unknown} */ message) => (validate(message) ? "" : JSON.stringify([message, validate.errors]));
};

export const fromClient = check("fromClient");
export const fromServer = check("fromServer");

/** What the gate reads from outside: a repository's state, the owner's approval, and a worker's result. */
import { ACTIONS, type Claim, type Finding, type Result } from "../job";
import { isObjectId } from "../objects";
import { printable } from "../printable";
import type { Approval, RepositoryState } from "../state";
import { Refusal } from "./refusal";

/** Most findings, objects of one, and characters of a text that a result adds to a state. */
const MOST_FINDINGS = 100;
const MOST_NAMED = 1000;
const MOST_TEXT = 1000;

/**
 * Reads a state.
 *
 * @throws Error where this version did not write it
 */
export function parseState(content: Buffer): RepositoryState {
  const state = JSON.parse(content.toString()) as { version?: unknown } | null;
  if (state?.version !== 1) throw new Error("the repository's state is of another version");
  return state as RepositoryState;
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/**
 * Reads the owner's approval.
 *
 * @throws Error where the operator's command did not write it
 */
export function parseApproval(content: Buffer): Approval {
  const approval = JSON.parse(content.toString()) as Partial<Record<keyof Approval, unknown>> | null;
  if (typeof approval?.at !== "number" || !isStrings(approval.forget) || !isStrings(approval.versions)) {
    throw new Error("the owner's approval is not understood: approve again");
  }
  return { at: approval.at, forget: approval.forget, versions: approval.versions };
}

const text = (value: unknown): string => {
  if (typeof value !== "string") throw new Refusal(400, "the result lacks a text");
  return printable(value, MOST_TEXT);
};

const list = (value: unknown): readonly unknown[] => {
  if (!Array.isArray(value)) throw new Refusal(400, "the result lacks a list");
  return value;
};

const record = (value: unknown): Record<string, unknown> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, "the result lacks an object");
  }
  return value as Record<string, unknown>;
};

function readFinding(value: unknown): Finding {
  const { kind, objects, why } = record(value);
  return { kind: text(kind), objects: list(objects).slice(0, MOST_NAMED).map(text), why: text(why) };
}

function readClaim(value: unknown): Claim {
  const { time, hostname, report } = record(value);
  return {
    time: text(time),
    hostname: text(hostname),
    ...(report === "partial" || report === "failed" ? { report } : {}),
  };
}

/**
 * Reads a result. A worker parses what an attacker wrote, so its form is not taken for granted.
 *
 * @throws Refusal
 */
export function readResult(value: unknown): Result {
  const result = record(value);
  const { keyId, verified, readBytes } = result;
  const done = record(result["done"]);
  if (typeof verified !== "boolean" || typeof readBytes !== "number") {
    throw new Refusal(400, "the result lacks verified or readBytes");
  }
  if (keyId !== undefined && (typeof keyId !== "string" || !isObjectId(keyId))) {
    throw new Refusal(400, "the result's keyId is no ID");
  }
  return {
    ...(keyId === undefined ? {} : { keyId }),
    verified,
    readBytes,
    findings: list(result["findings"]).slice(0, MOST_FINDINGS).map(readFinding),
    done: Object.fromEntries(
      ACTIONS.filter((action) => done[action] !== undefined).map((action) => {
        const { ok, detail } = record(done[action]);
        return [action, { ok: ok === true, detail: text(detail) }];
      }),
    ),
    claims: Object.fromEntries(
      Object.entries(record(result["claims"]))
        .filter(([id]) => isObjectId(id))
        .map(([id, claim]) => [id, readClaim(claim)]),
    ),
  };
}

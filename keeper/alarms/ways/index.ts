/** The ways by which alarms are sent. */
import type { AlarmsConfig } from "../../settings";
import { bodyFor } from "../chat";
import type { Message } from "../message";
import { runCommand } from "./command";
import { sendMail } from "./mail";
import { decoded, request } from "./request";

/** Milliseconds after which a way counts as one that does not answer. */
const SLOW_MS = 30_000;
const REQUEST_MS = 10_000;

/** A way. */
export interface Way {
  /** As the status calls it. */
  readonly name: string;
  /** Milliseconds after which it is ended. */
  readonly limitMs: number;
  /**
   * @param signal ends it
   * @returns why not everybody got it; `undefined`: everybody did
   * @throws Error where nobody did
   */
  readonly send: (message: Message, signal: AbortSignal) => Promise<string | undefined>;
}

/** The ways that are configured, by the names that `messengers` gives them. */
export function waysOf({ mail, webhooks, command }: AlarmsConfig): Way[] {
  const ways: Way[] = webhooks.map(({ name, url, form }) => ({
    name: `webhook ${name}`,
    limitMs: REQUEST_MS,
    send: async (message, signal) => {
      await request(url, signal, bodyFor(form, message));
      return undefined;
    },
  }));
  if (mail !== undefined) {
    ways.push({ name: "mail", limitMs: SLOW_MS, send: (message, signal) => sendMail(mail, message, signal) });
  }
  if (command !== undefined) {
    ways.push({
      name: "command",
      limitMs: SLOW_MS,
      send: async (message, signal) => {
        await runCommand(command, message, signal);
        return undefined;
      },
    });
  }
  return ways;
}

/** The request after each whole round. */
export async function ping(url: string): Promise<void> {
  await bounded(REQUEST_MS, (signal) => request(url, signal));
}

/**
 * Does something that a signal ends when it takes too long, and does not wait for its end.
 *
 * @throws Error what it throws, or that it did not answer
 */
export async function bounded<T>(limitMs: number, step: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const late = new Error(`it did not answer within ${limitMs / 1000} seconds`);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(late);
      controller.abort();
    }, limitMs);
  });
  try {
    return await Promise.race([step(controller.signal), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** What of the ways must not be shown, the longest first. */
export function secretsOf({ mail, webhooks, ping: pingUrl }: AlarmsConfig): string[] {
  const urls = [...webhooks.map(({ url }) => url), ...(pingUrl === undefined ? [] : [pingUrl])];
  const secrets = urls.flatMap((text) => {
    const { href, pathname, search, username, password } = new URL(text);
    return [text, href, pathname + search, search, username, password, decoded(username), decoded(password)];
  });
  if (mail?.password !== undefined) {
    const encoded = [mail.password, `\0${mail.user ?? ""}\0${mail.password}`].map((text) =>
      Buffer.from(text).toString("base64"),
    );
    secrets.push(mail.password, ...encoded);
  }
  // A path that is "/" is none.
  return secrets.filter(({ length }) => length > 1).sort((one, other) => other.length - one.length);
}

/** A text without the secrets. */
export const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((shown, secret) => shown.replaceAll(secret, "(secret)"), text);

import { createHash } from "node:crypto";

/** Pulumi's mark of an encoded secret: an object with this key, whatever its other keys hold. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
/** What `pulumi preview --json` writes where a secret is. */
const SECRET = "[secret]";
/** What it writes where a value is known only during the update. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Inputs that are secret, or hold a secret, however a preview was made (`--show-secrets` too). */
const SECRET_INPUTS =
  /^(connection|environment|stdin|userData|password|passphrase|secret|secretAccessKey|privateKey.*|__provider)$/;

/** A shorter secret is not searched for in other values: it would match ordinary words. */
const SHORTEST_SECRET = 6;

/** The fingerprint of a public key, which is there to be compared; else whatever could be an encoded value. */
const FINGERPRINT_OR_RUN = /\bSHA256:[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/=_-])|[A-Za-z0-9+/=_-]{32,}/g;

/** Whether the value is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value of a preview is known only during the update. */
export function isUnknown(value: unknown): boolean {
  return typeof value === "string" && value.includes(UNKNOWN);
}

/** Whether a value is a repository's `stdin`, a command of the configuration: that of a host's command is a string. */
function isDump(key: string, value: unknown): boolean {
  return key === "stdin" && isRecord(value) && !(SIGNATURE in value);
}

/** Enough of a digest to tell two values apart. */
export function digest(value: string): string {
  return createHash("sha256").update(value).digest("hex").slice(0, 12);
}

/** Removes the secrets from the values of one preview and remembers them. */
export class Secrets {
  private readonly found = new Set<string>();

  /** The value with each secret inside replaced by a mark; `secretKeys` names more keys whose values are secret. */
  redact(value: unknown, secretKeys: ReadonlySet<string>): unknown {
    if (Array.isArray(value)) {
      return value.map((item) => this.redact(item, secretKeys));
    }
    if (!isRecord(value)) {
      return value;
    }
    if (SIGNATURE in value) {
      this.collect(value);
      return SECRET;
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        if ((!SECRET_INPUTS.test(key) || isDump(key, item)) && !secretKeys.has(key)) {
          return [key, this.redact(item, secretKeys)];
        }
        // A connection also holds addresses, and a provider holds code: no strings to search for elsewhere.
        if (key === "connection") {
          this.redact(item, secretKeys);
        } else if (key !== "__provider") {
          this.collect(item);
        }
        return [key, item === UNKNOWN ? UNKNOWN : `${SECRET} ${digest(JSON.stringify(item))}`];
      }),
    );
  }

  /** Turns any string of the preview into one that may be shown: no secret, nothing encoded, no control character. */
  cleaner(): (value: string) => string {
    const longestFirst = [...this.found].sort((a, b) => b.length - a.length);
    return (value) => {
      const shown = longestFirst
        .reduce((shown, secret) => shown.replaceAll(secret, "(secret)"), value)
        .replace(/-----BEGIN [\s\S]*?(-----END [^-]*-----|$)/g, "(secret)")
        .replaceAll(SECRET, "(secret)")
        .replaceAll(UNKNOWN, "(known later)")
        .replace(FINGERPRINT_OR_RUN, (run) =>
          !run.startsWith("SHA256:") && looksEncoded(run) ? `#${digest(run)}` : run,
        );
      return escapeInvisible(shown);
    };
  }

  /** Remembers every string inside a secret value. */
  private collect(value: unknown): void {
    if (typeof value === "string") {
      for (const part of [value, ...value.split("\n")].map((line) => line.trim())) {
        if (part.length >= SHORTEST_SECRET && part !== SECRET && part !== UNKNOWN) {
          this.found.add(part);
        }
      }
      if (/^["{[]/.test(value)) {
        try {
          this.collect(JSON.parse(value));
        } catch {
          return;
        }
      }
    } else if (isRecord(value) || Array.isArray(value)) {
      for (const [key, item] of Object.entries(value)) {
        if (key !== SIGNATURE) {
          this.collect(item);
        }
      }
    }
  }
}

function looksEncoded(run: string): boolean {
  if (/^[0-9a-fA-F]+$/.test(run)) {
    return true;
  }
  const mixed = /[A-Z]/.test(run) && /[a-z]/.test(run) && /[0-9]/.test(run);
  const path = run.startsWith("/") && run.split("/").every((part) => part.length < 32);
  return mixed && !path;
}

function escapeInvisible(value: string): string {
  return value.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/gu,
    (char) => (char === "\n" ? "\u23ce" : `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`),
  );
}

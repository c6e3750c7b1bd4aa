/** A request to a URL that is a secret. */

/**
 * Posts JSON, or without it gets. Redirects are not followed: the configuration names the one receiver.
 *
 * @throws Error in whose message nothing of the URL is: fetch's own errors may quote it
 */
export async function request(secretUrl: string, signal: AbortSignal, json?: unknown): Promise<void> {
  const url = new URL(secretUrl);
  const { username, password } = url;
  // fetch refuses a URL with credentials.
  url.username = url.password = "";
  const login = Buffer.from(`${decoded(username)}:${decoded(password)}`);
  const headers = {
    ...(username + password === "" ? {} : { authorization: `Basic ${login.toString("base64")}` }),
    ...(json === undefined ? {} : { "content-type": "application/json" }),
  };
  const body = json === undefined ? {} : { method: "POST", body: JSON.stringify(json) };
  const answer = await fetch(url, { ...body, headers, redirect: "manual", signal })
    .then(statusOf)
    .catch(codeOf);
  if (typeof answer === "string") throw new Error(`it cannot be reached${answer}`);
  if (answer >= 200 && answer < 300) return;
  const redirect = answer >= 300 && answer < 400 ? ", and redirects are not followed" : "";
  throw new Error(`it answered with HTTP status ${answer}${redirect}`);
}

/** A part of a URL without its escapes. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function statusOf(response: Response): Promise<number> {
  await response.body?.cancel();
  return response.status;
}

/** Why fetch failed, as far as it does not quote the URL: such as ` (ECONNREFUSED)`. */
function codeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  if (cause?.message === "bad port") return ": web requests may not go to this port";
  const code = cause?.code;
  return typeof code === "string" && /^[A-Z0-9_]+$/.test(code) ? ` (${code})` : "";
}

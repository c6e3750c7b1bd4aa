/**
 * Sends an HTTP request; redirects are not followed.
 *
 * @param seconds longest wait for the answer's head
 * @throws Error that names the URL and the cause
 */
export async function ask(url: string, init: RequestInit = {}, seconds = 15): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(seconds * 1000) });
  } catch (error) {
    // Node's own message is "fetch failed", and some causes have none.
    const cause = (error as Error).cause as { message?: string; code?: string } | undefined;
    const why = [cause?.message, cause?.code, (error as Error).message].find(Boolean);
    throw new Error(`${url}: ${why ?? ""}`, { cause: error });
  }
}

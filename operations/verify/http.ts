/**
 * Asks by HTTP, bounded in time; redirects are not followed.
 *
 * @param seconds the longest wait for the answer's head
 * @throws Error that names the URL and what the network said
 */
export async function ask(url: string, init: RequestInit = {}, seconds = 15): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(seconds * 1000) });
  } catch (error) {
    // Node says no more than "fetch failed" itself, and leaves some causes without words.
    const cause = (error as Error).cause as { message?: string; code?: string } | undefined;
    const why = [cause?.message, cause?.code, (error as Error).message].find(Boolean);
    throw new Error(`${url}: ${why ?? ""}`, { cause: error });
  }
}

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
    const { message, cause } = error as Error;
    throw new Error(`${url}: ${cause instanceof Error ? cause.message || cause.name : message}`, {
      cause: error,
    });
  }
}

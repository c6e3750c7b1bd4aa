import { readFileSync } from "node:fs";
import { commentMarker } from "./comment";

/** Where a comment goes. */
export interface Destination {
  /** Base URL of GitHub's REST interface, e.g. `https://api.github.com`. */
  api: string;
  /** `OWNER/NAME`. */
  repository: string;
  /** Number of the pull request. */
  pullRequest: number;
  /** Sent in a header alone. */
  token: string;
}

/** GitHub refused a request, or it is not known where the comment goes. */
export class PostError extends Error {}

const REQUEST_TIMEOUT_MS = 20_000;
const TRIES = 3;
const PAGE = 100;
/** Pages beyond these are not searched: then a new comment is added. */
const MOST_PAGES = 20;

interface Comment {
  id: number;
  body?: string;
  user?: { type?: string } | null;
}

async function request(to: Destination, method: string, path: string, body?: string): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${to.api}/repos/${to.repository}/${path}`, {
      method,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${to.token}`,
        "content-type": "application/json",
        "x-github-api-version": "2022-11-28",
      },
      body: body === undefined ? undefined : JSON.stringify({ body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (response.ok) {
      return response.json();
    }
    await response.body?.cancel();
    // A server error is tried again, but never a POST: that could leave two comments.
    if (response.status < 500 || method === "POST" || attempt === TRIES) {
      const hint = response.status === 403 ? " (does the job have `pull-requests: write`?)" : "";
      throw new PostError(`GitHub answered ${response.status} to ${method} ${path}${hint}`);
    }
    await new Promise((resolve) => setTimeout(resolve, attempt * 1_000));
  }
}

/**
 * Puts `body` on the pull request: over the stack's earlier comment where there is one, else as a new one. Only a
 * bot's comment is ever overwritten: anybody can write the marker into a comment of their own.
 *
 * @throws PostError if GitHub refuses.
 */
export async function postComment(
  to: Destination,
  stack: string,
  body: string,
): Promise<"added" | "updated"> {
  const marker = commentMarker(stack);
  if (!body.startsWith(marker)) {
    throw new PostError(`the comment does not begin with ${marker}`);
  }
  const ofPullRequest = `issues/${to.pullRequest}/comments`;
  for (let page = 1; page <= MOST_PAGES; page++) {
    const comments = (await request(
      to,
      "GET",
      `${ofPullRequest}?per_page=${PAGE}&page=${page}`,
    )) as Comment[];
    const earlier = comments.find(
      (comment) => comment.user?.type === "Bot" && comment.body?.startsWith(marker),
    );
    if (earlier) {
      await request(to, "PATCH", `issues/comments/${earlier.id}`, body);
      return "updated";
    }
    if (comments.length < PAGE) {
      break;
    }
  }
  await request(to, "POST", ofPullRequest, body);
  return "added";
}

/** Reads from a workflow's environment where the comment goes. */
export function destination(env: NodeJS.ProcessEnv): Destination {
  const { GITHUB_REPOSITORY: repository, GITHUB_TOKEN: token, GITHUB_EVENT_PATH: eventPath } = env;
  if (!repository || !token || !eventPath) {
    throw new PostError("GITHUB_REPOSITORY, GITHUB_TOKEN and GITHUB_EVENT_PATH must be set");
  }
  const event = JSON.parse(readFileSync(eventPath, "utf8")) as { pull_request?: { number?: number } };
  const pullRequest = event.pull_request?.number;
  if (pullRequest === undefined) {
    throw new PostError("this workflow was not started by a pull request: there is nothing to comment on");
  }
  return { api: env.GITHUB_API_URL ?? "https://api.github.com", repository, pullRequest, token };
}

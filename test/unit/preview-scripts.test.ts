import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, IncomingMessage, Server } from "node:http";
import { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { commentMarker } from "../../operations/preview/comment";
import { Destination, destination, postComment } from "../../operations/preview/post";

// Each script starts Node twice, which a busy machine makes slow.
jest.setTimeout(60_000);

const ROOT = join(__dirname, "../..");
const FIXTURES = join(__dirname, "preview-fixtures");
const TOKEN = "token-that-nobody-may-see";

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "preview-"));
});
afterAll(() => {
  rmSync(work, { recursive: true });
});

function folder(name: string, files: Record<string, string>): string {
  const path = join(work, name);
  mkdirSync(path);
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(path, file), text, { mode: 0o755 });
  }
  return path;
}

interface Run {
  status: number;
  stdout: string;
  stderr: string;
}

function run(file: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Run> {
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({
        status: error === null ? 0 : typeof error.code === "number" ? error.code : -1,
        stdout,
        stderr,
      });
    });
  });
}

interface Request {
  method: string;
  url: string;
  authorization: string;
  body: string;
}

/** A stand-in for GitHub's comments: keeps them in memory, answers `failures` requests with 502 first. */
class Comments {
  readonly requests: Request[] = [];
  failures = 0;
  private readonly server: Server;

  constructor(public comments: { id: number; body: string; user: { type: string } }[] = []) {
    this.server = createServer((request, response) => {
      void this.answer(request).then(([status, json]) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
      });
    });
  }

  async start(): Promise<Destination> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    const { port } = this.server.address() as AddressInfo;
    return { api: `http://127.0.0.1:${port}`, repository: "example/backups", pullRequest: 7, token: TOKEN };
  }

  stop(): Promise<unknown> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage): Promise<[number, unknown]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const { method = "", url = "", headers } = request;
    const text = Buffer.concat(chunks).toString();
    this.requests.push({ method, url, authorization: headers.authorization ?? "", body: text });
    if (this.failures-- > 0) {
      return [502, {}];
    }
    const body = text === "" ? "" : (JSON.parse(text) as { body: string }).body;
    const path = url.replace(/\?.*/, "").replace("/repos/example/backups/", "");
    if (method === "GET" && path === "issues/7/comments") {
      const page = Number(new URL(url, "http://x").searchParams.get("page"));
      return [200, this.comments.slice((page - 1) * 100, page * 100)];
    }
    if (method === "POST" && path === "issues/7/comments") {
      this.comments.push({ id: this.comments.length + 1, body, user: { type: "Bot" } });
      return [201, {}];
    }
    const known = this.comments.find(({ id }) => path === `issues/comments/${id}`);
    if (method === "PATCH" && known) {
      known.body = body;
      return [200, {}];
    }
    return [403, { message: `the server repeats ${TOKEN}` }];
  }
}

async function withComments(comments: Comments, body: (to: Destination) => Promise<void>): Promise<void> {
  const to = await comments.start();
  try {
    await body(to);
  } finally {
    await comments.stop();
  }
}

describe("posting the comment", () => {
  const marker = commentMarker("prod");

  test("a later comment replaces the first, and another stack's stays", async () => {
    const github = new Comments([
      { id: 1, body: `${commentMarker("staging")}\nstaging`, user: { type: "Bot" } },
    ]);
    await withComments(github, async (to) => {
      await expect(postComment(to, "prod", `${marker}\none`)).resolves.toBe("added");
      await expect(postComment(to, "prod", `${marker}\ntwo`)).resolves.toBe("updated");
    });
    expect(github.comments.map(({ body }) => body.split("\n")[1])).toEqual(["staging", "two"]);
    expect(new Set(github.requests.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${TOKEN}`]),
    );
  });

  test("finds the earlier comment behind a hundred others", async () => {
    const other = (id: number) => ({ id, body: "looks good", user: { type: "User" } });
    const github = new Comments([
      ...Array.from({ length: 130 }, (_, index) => other(index + 1)),
      { id: 131, body: `${marker}\none`, user: { type: "Bot" } },
    ]);
    await withComments(github, async (to) => {
      await expect(postComment(to, "prod", `${marker}\ntwo`)).resolves.toBe("updated");
    });
    expect(github.comments).toHaveLength(131);
    expect(github.comments[130]?.body).toBe(`${marker}\ntwo`);
  });

  test("never overwrites a person's comment, even if it begins with the marker", async () => {
    const github = new Comments([{ id: 1, body: `${marker}\nmine`, user: { type: "User" } }]);
    await withComments(github, async (to) => {
      await expect(postComment(to, "prod", `${marker}\none`)).resolves.toBe("added");
    });
    expect(github.comments[0]?.body).toBe(`${marker}\nmine`);
  });

  test("retries after a server error, and reports a refusal without the token", async () => {
    const github = new Comments();
    github.failures = 1;
    await withComments(github, async (to) => {
      await expect(postComment(to, "prod", `${marker}\none`)).resolves.toBe("added");
      const refused = postComment({ ...to, pullRequest: 8 }, "prod", `${marker}\none`);
      await expect(refused).rejects.toThrow("403 to GET issues/8/comments");
      await expect(refused).rejects.not.toThrow(TOKEN);
    });
  });

  test("refuses a comment without the marker: it could never be found again", async () => {
    await withComments(new Comments(), async (to) => {
      await expect(postComment(to, "prod", "text")).rejects.toThrow(
        "does not begin with <!-- secure-backups",
      );
    });
  });

  test("reads the destination from the workflow's environment", () => {
    const event = join(folder("event", { "event.json": '{"pull_request":{"number":12}}' }), "event.json");
    const env = { GITHUB_REPOSITORY: "example/backups", GITHUB_TOKEN: TOKEN, GITHUB_EVENT_PATH: event };
    expect(destination(env)).toEqual({
      api: "https://api.github.com",
      repository: "example/backups",
      pullRequest: 12,
      token: TOKEN,
    });
    expect(() => destination({ ...env, GITHUB_TOKEN: "" })).toThrow("GITHUB_TOKEN");
    writeFileSync(event, "{}");
    expect(() => destination(env)).toThrow("not started by a pull request");
  });
});

describe("scripts/ci/environments", () => {
  const environments = (path: string): Promise<Run> => run(join(ROOT, "scripts/ci/environments"), [path]);

  test("prints every stack with a file of its own as JSON", async () => {
    const some = folder("some", {
      "Pulumi.yaml": "",
      "Pulumi.prod.yaml": "",
      "Pulumi.local.yaml": "",
      "Pulumi.eu-1.staging.yaml": "",
    });
    expect(JSON.parse((await environments(some)).stdout)).toEqual(["eu-1.staging", "local", "prod"]);
    expect((await environments(folder("none", { "Pulumi.yaml": "" }))).stdout).toBe("[]\n");
  });

  test("refuses a file name that is not the name of a stack", async () => {
    const { status, stderr } = await environments(folder("odd", { 'Pulumi.a"b.yaml': "" }));
    expect(status).toBe(1);
    expect(stderr).toContain("is not the name of a stack");
  });
});

/** A repository with one environment, and a `pulumi` that is this shell program; `script` is the path of a script of ours. */
function repository(
  name: string,
  pulumi: string,
): { script: (name: string) => string; env: NodeJS.ProcessEnv } {
  const root = folder(name, { "Pulumi.prod.yaml": "" });
  for (const part of ["scripts", "node_modules"]) {
    symlinkSync(join(ROOT, part), join(root, part));
  }
  const bin = folder(`${name}-bin`, { pulumi: `#!/bin/sh\n${pulumi}\n` });
  const { PATH, HOME } = process.env;
  return {
    script: (name) => join(root, "scripts/ci", name),
    env: { HOME, PATH: `${bin}:${PATH ?? ""}` },
  };
}

describe("scripts/ci/preview", () => {
  test("prints the Markdown on a workstation, and progress beside it", async () => {
    const { script, env } = repository("workstation", `cat ${join(FIXTURES, "path-change.json")}`);
    const { status, stdout, stderr } = await run(script("preview"), ["prod"], env);
    expect(stderr).toMatch(/^preview: previewing prod: \d+ s, status 0$/m);
    expect(status).toBe(0);
    expect(stdout.startsWith(`${commentMarker("prod")}\n## Preview of \`prod\``)).toBe(true);
    expect(stdout).toContain("also backs up `/srv/data`");
  });

  test("writes the comment even if a policy pack prints lines before the document", async () => {
    const { script, env } = repository(
      "policies",
      `echo 'Loading policy packs...'; cat ${join(FIXTURES, "path-change.json")}`,
    );
    const { status, stdout } = await run(script("preview"), ["prod"], env);
    expect(status).toBe(0);
    expect(stdout).toContain("also backs up `/srv/data`");
    expect(stdout).toContain("Loading policy packs...");
  });

  test("posts the comment in a workflow, and hides the token from the previewed program", async () => {
    const body = `[ -z "\${GITHUB_TOKEN-}" ] && [ -z "\${OS_PASSWORD+set}" ] || exit 9; cat ${join(FIXTURES, "bucket.json")}`;
    const { script, env } = repository("workflow", body);
    const files = folder("workflow-files", { "event.json": '{"pull_request":{"number":7}}', summary: "" });
    const github = new Comments();
    await withComments(github, async (to) => {
      const { status, stdout, stderr } = await run(script("preview"), ["prod"], {
        ...env,
        GITHUB_ACTIONS: "true",
        GITHUB_API_URL: to.api,
        GITHUB_REPOSITORY: to.repository,
        GITHUB_EVENT_PATH: join(files, "event.json"),
        GITHUB_STEP_SUMMARY: join(files, "summary"),
        GITHUB_TOKEN: TOKEN,
        OS_PASSWORD: "",
        PREVIEW_COMMIT: "0123456789abcdef",
      });
      expect(stderr).toContain("the comment was added");
      expect(status).toBe(0);
      expect(`${stdout}${stderr}`).not.toContain(TOKEN);
    });
    expect(github.comments[0]?.body).toContain("versioning of bucket `databucket`: on → off");
    expect(github.comments[0]?.body).toContain("Previewed at commit 0123456789ab.");
    expect(readFileSync(join(files, "summary"), "utf8")).toBe(github.comments[0]?.body);
  });

  test("shows a failed preview and fails, with a report or without one", async () => {
    const reported = repository("reported", `cat ${join(FIXTURES, "protected-host.json")}; exit 255`);
    const first = await run(reported.script("preview"), ["prod"], reported.env);
    expect(first.status).toBe(255);
    expect(first.stdout).toContain("cannot be deleted");
    const silent = repository("silent", "echo 'error: could not reach the backend' >&2; exit 3");
    const second = await run(silent.script("preview"), ["prod"], silent.env);
    expect(second.status).toBe(3);
    expect(second.stdout).toContain("could not reach the backend");
  });

  test("names an environment that does not exist", async () => {
    const { script, env } = repository("missing", "exit 0");
    const { status, stderr } = await run(script("preview"), ["staging"], env);
    expect(status).toBe(64);
    expect(stderr).toContain('there is no Pulumi.staging.yaml; the environments are ["prod"]');
  });
});

describe("scripts/ci/deploy", () => {
  test("asks no question, goes on after a failed client, and fails as Pulumi does", async () => {
    const pulumi = `echo "pulumi $*"; echo 'error: the disk of web is full' >&2; exit 255`;
    const { script, env } = repository("deploy", pulumi);
    const { status, stdout, stderr } = await run(script("deploy"), ["prod"], {
      ...env,
      GITHUB_ACTIONS: "true",
    });
    expect(status).toBe(255);
    expect(stdout).toMatch(
      /^::stop-commands::\w{20,}\npulumi up --stack prod --yes --non-interactive .*--continue-on-error\n$/,
    );
    expect(stderr).toContain("the disk of web is full");
    expect((await run(script("deploy"), [], env)).status).toBe(64);
  });
});

describe("workflows", () => {
  interface Job {
    permissions?: Record<string, string>;
    "timeout-minutes"?: number;
    environment?: string;
    concurrency?: { group: string; "cancel-in-progress": boolean };
    steps: { uses?: string; run?: string; with?: Record<string, unknown>; env?: Record<string, string> }[];
  }
  interface Workflow {
    on: Record<string, unknown>;
    permissions: Record<string, string>;
    jobs: Record<string, Job>;
  }
  const directory = join(ROOT, ".github/workflows");
  const files = readdirSync(directory);
  const source = (file: string): string => readFileSync(join(directory, file), "utf8");
  const read = (file: string): Workflow => parse(source(file)) as Workflow;
  const jobs = (file: string): Job[] => Object.values(read(file).jobs);

  test.each(files)("%s: actions pinned by commit, bounded time, least permissions", (file) => {
    const uses = source(file).match(/uses: .*/g) ?? [];
    expect(uses.length).toBeGreaterThan(0);
    for (const line of uses) {
      expect(line).toMatch(/^uses: actions\/(checkout|setup-node)@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
    const grants = [read(file).permissions, ...jobs(file).map((job) => job.permissions ?? {})];
    const written = grants.flatMap((grant) => Object.entries(grant)).filter(([, level]) => level !== "read");
    expect(written).toEqual(file === "preview.yml" ? [["pull-requests", "write"]] : []);
    for (const job of jobs(file)) {
      expect(job["timeout-minutes"]).toBeLessThanOrEqual(90);
      for (const { uses, with: inputs } of job.steps) {
        if (uses?.startsWith("actions/checkout") === true) {
          expect(inputs).toMatchObject({ "persist-credentials": false });
        }
      }
    }
  });

  test.each(files)("%s: calls scripts that exist, and puts no expression into a shell command", (file) => {
    const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const { run } of jobs(file).flatMap(({ steps }) => steps)) {
      expect(run ?? "").not.toContain("${{");
      for (const [path] of (run ?? "").matchAll(/scripts\/[a-z/-]+/g)) {
        expect(existsSync(join(ROOT, path))).toBe(true);
      }
      for (const [, name = ""] of (run ?? "").matchAll(/npm run ([a-z:]+)/g)) {
        expect(scripts.scripts).toHaveProperty([name]);
      }
    }
  });

  test("only jobs of a protected environment get secrets, and never the code of a fork", () => {
    for (const file of files) {
      expect(Object.keys(read(file).on)).not.toContain("pull_request_target");
      for (const job of jobs(file)) {
        const usesSecrets = job.steps.some(({ env }) =>
          Object.values(env ?? {}).some((text) => text.includes("secrets.")),
        );
        expect(job.environment !== undefined).toBe(usesSecrets);
      }
    }
    expect(source("preview.yml")).toContain("head.repo.full_name == github.repository");
  });

  test("two updates of one environment never run at once, and none is cancelled half-way", () => {
    expect(read("deploy.yml").on).toEqual({ push: { branches: ["main"] } });
    expect(read("deploy.yml").jobs.deploy?.concurrency).toEqual({
      group: "deploy-${{ matrix.environment }}",
      "cancel-in-progress": false,
    });
  });
});

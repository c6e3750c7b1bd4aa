import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { bucketPolicies, DENIED, keystonePrincipal, type BucketPolicyArgs } from "../../plan/bucket-policy";
import { strongestPolicy } from "../harness/strongest-policy";
import { samePolicy } from "../../s3/settings/policy";

const OWNER = "arn:aws:iam::0a000000000000000000000000000001:root";
const WRITER = "arn:aws:iam::0b000000000000000000000000000002:root";
const KEEPER = "arn:aws:iam::0c000000000000000000000000000003:root";

/** The five actions that every form denies. */
const SEED_ACTIONS = [
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:DeleteBucketWebsite",
  "s3:DeleteObject",
  "s3:DeleteObjectVersion",
];

interface Statement {
  Sid: string;
  Effect: "Allow" | "Deny";
  Principal?: "*" | { AWS: string | string[] };
  Action: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
}

const list = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());
const statementsOf = (policy: string): Statement[] =>
  (JSON.parse(policy) as { Statement: Statement[] }).Statement;
/** The statements of one of the forms; there is always a first, and a number beyond the last means the last. */
const statements = ({ at, ...args }: Args): Statement[] => {
  const forms = bucketPolicies(args);
  return statementsOf(forms[Math.min(at, forms.length - 1)]?.policy ?? "");
};
const principals = (statement: Statement): string[] =>
  statement.Principal === "*" ? ["*"] : list(statement.Principal?.AWS);
/** The statements that are about some folders or parts of repositories alone, besides the denial of deletion. */
const OF_PARTS = ["WriterKeepsOut", "OnlyOwnerDecides", "KeeperNeverAddsBackups"];
const denied = (all: Statement[], principal: string): string[] =>
  all
    .filter(({ Sid }) => !OF_PARTS.includes(Sid))
    .filter((s) => s.Effect === "Deny" && (principals(s).includes(principal) || principals(s).includes("*")))
    .flatMap((s) => list(s.Action));

const bucketName = fc.stringMatching(/^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$/);
const principal = fc.stringMatching(/^[0-9a-f]{32}$/).map(keystonePrincipal);
type Args = BucketPolicyArgs & { at: number };
const policyArgs: fc.Arbitrary<Args> = fc
  .record({
    at: fc.nat(3),
    bucket: bucketName,
    arns: fc.uniqueArray(principal, { minLength: 3, maxLength: 3 }),
    form: fc.constantFrom("collapsed", "writer", "writer+keeper", "owner+writer", "all"),
  })
  .map(({ at, bucket, arns: [owner, writer, keeper], form }) => {
    switch (form) {
      case "collapsed":
        return { at, bucket };
      case "writer":
        return { at, bucket, writer };
      case "writer+keeper":
        return { at, bucket, writer, keeper };
      case "owner+writer":
        return { at, bucket, owner, writer };
      default:
        return { at, bucket, owner, writer, keeper };
    }
  });

describe("the text", () => {
  test("with three identities", () => {
    const args = { bucket: "databucket", owner: OWNER, writer: WRITER, keeper: KEEPER };
    expect(strongestPolicy(args)).toMatchSnapshot();
  });

  test("with a writer and no keeper", () => {
    expect(strongestPolicy({ bucket: "databucket", owner: OWNER, writer: WRITER })).toMatchSnapshot();
  });

  test("in its weakest form, for services that know little", () => {
    const forms = bucketPolicies({ bucket: "databucket", owner: OWNER, writer: WRITER, keeper: KEEPER });
    expect(forms.at(-1)).toMatchSnapshot();
  });

  test("with the owner alone", () => {
    expect(strongestPolicy({ bucket: "databucket" })).toMatchSnapshot();
  });
});

describe("every policy", () => {
  test("names somebody in each statement: without a principal it is stored and binds nobody", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        for (const statement of statements(args)) {
          expect(principals(statement)).not.toHaveLength(0);
          expect(principals(statement).every((arn) => arn === "*" || arn.startsWith("arn:aws:iam::"))).toBe(
            true,
          );
        }
      }),
    );
  });

  test("speaks of this bucket alone", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        const arn = `arn:aws:s3:::${args.bucket}`;
        for (const statement of statements(args)) {
          const resources = [...list(statement.Resource), ...list(statement.NotResource)];
          expect(resources).not.toHaveLength(0);
          expect(resources.filter((name) => name !== arn && !name.startsWith(`${arn}/`))).toEqual([]);
        }
      }),
    );
  });

  test("allows nothing to everybody", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        const open = statements(args).filter((s) => s.Effect === "Allow" && principals(s).includes("*"));
        expect(open).toEqual([]);
      }),
    );
  });

  test("denies the writer the five destroying actions, and excepts nothing but locks from one of them", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        const all = statements(args);
        expect(denied(all, args.writer ?? "*")).toEqual(expect.arrayContaining(SEED_ACTIONS));
        const excepting = all.filter((s) => s.NotResource !== undefined);
        const listing = all.filter((s) => s.Effect === "Deny" && s.Action === "s3:DeleteObject");
        const place = `arn:aws:s3:::${args.bucket}/*/*`;
        if (args.at % 2 === 0 && (args.at === 0 || args.writer !== undefined)) {
          expect(excepting).toEqual(listing);
          expect(listing.map((s) => s.NotResource)).toEqual([`${place}/locks/*`]);
        } else {
          const parts = ["data/*", "index/*", "keys/*", "snapshots/*", "config"];
          expect(excepting).toEqual([]);
          expect(listing.map((s) => s.Resource)).toEqual([parts.map((part) => `${place}/${part}`)]);
        }
      }),
    );
  });

  test("never binds an owner who has a separate writer, and never keeps an owner from putting another policy", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        const all = statements(args);
        if (args.writer === undefined) {
          expect(denied(all, "*")).not.toContain("s3:PutBucketPolicy");
        } else {
          expect(denied(all, args.owner ?? OWNER)).toEqual([]);
        }
      }),
    );
  });

  test("lets the keeper remove objects, and destroy as little as the writer", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        fc.pre(args.keeper !== undefined);
        const all = statements(args);
        const forKeeper = denied(all, args.keeper ?? "");
        expect(forKeeper).not.toContain("s3:DeleteObject");
        expect(forKeeper).toEqual(
          denied(all, args.writer ?? "").filter((action) => action !== "s3:DeleteObject"),
        );
      }),
    );
  });

  test("is below the 20 KB that S3 takes, with the longest names", () => {
    const user = (name: string) => `arn:aws:iam::${"0".repeat(32)}:user/${name.repeat(64)}`;
    const args = { bucket: "b".repeat(63), owner: user("o"), writer: user("w"), keeper: user("k") };
    for (const { policy } of bucketPolicies(args)) expect(policy.length).toBeLessThan(20 * 1024);
  });

  test("is the same for the same arguments", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        expect(strongestPolicy({ ...args })).toBe(strongestPolicy(args));
        expect(samePolicy(strongestPolicy(args), strongestPolicy(args))).toBe(true);
      }),
    );
  });
});

test("the strongest form denies the listed actions and no others", () => {
  const strongest = statements({ at: 0, bucket: "b", writer: WRITER });
  expect(denied(strongest, WRITER).sort()).toEqual(["s3:DeleteObject", ...Object.keys(DENIED)].sort());
});

describe('every form, whether a "*" between slashes reaches beyond one folder or not', () => {
  const BUCKET = "arn:aws:s3:::b";
  /** Whether a key fits a resource: Amazon's "*" is any string, Ceph's ends at the next slash but at the very end. */
  const fits = (resource: string, key: string, beyond: boolean): boolean => {
    const pattern = resource
      .replaceAll(".", "\\.")
      .replace(/\*$/, ".+")
      .replaceAll("*", beyond ? ".*" : "[^/]*");
    return new RegExp(`^${pattern}$`).test(`${BUCKET}/${key}`);
  };
  const may = (all: Statement[], who: string, action: string, key: string, beyond: boolean): boolean => {
    const speaks = all.filter(
      (s) =>
        principals(s).includes(who) &&
        (list(s.Action).includes(action) || list(s.Action).includes("s3:*")) &&
        (s.NotResource === undefined
          ? list(s.Resource).some((resource) => fits(resource, key, beyond))
          : !list(s.NotResource).some((resource) => fits(resource, key, beyond))),
    );
    return speaks.length > 0 && speaks.every(({ Effect }) => Effect === "Allow");
  };

  const [PUT, HIDE, GET, OLD] = [
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:GetObjectVersion",
  ] as const;
  const ALL = [PUT, HIDE, GET, OLD];
  /** What keeper and writer may do to a key. */
  const CASES: [key: string, keeper: string[], writer: string[]][] = [
    ["web/main/data/aa/pack", ALL, [PUT, GET]],
    ["web/main/index/one", ALL, [PUT, GET]],
    ["web/main/locks/one", ALL, [PUT, HIDE, GET]],
    ["web/main/keys/one", [HIDE, GET, OLD], [PUT, GET]],
    ["web/main/snapshots/one", [HIDE, GET, OLD], [PUT, GET]],
    ["web/main/config", [HIDE, GET, OLD], [PUT, GET]],
    [".keeper/web/main/state.json", ALL, []],
    [".keeper/web/main/journal/one.json", ALL, []],
    [".keeper/web/locks/one", ALL, []],
    [".status/status.json", ALL, []],
    [".status/web/locks/one", ALL, []],
    [".owner/web/main/hold", [GET, OLD], [GET]],
    [".owner/web/data/one", [GET, OLD], [GET]],
    [".owner/web/locks/one", [GET, OLD], [GET]],
  ];

  test.each([0, 1, 2, 3])("%i gives keeper and writer what they need and nothing else", (at) => {
    const all = statements({ at, bucket: "b", owner: OWNER, writer: WRITER, keeper: KEEPER });
    for (const beyond of [true, false]) {
      const found = CASES.map(([key]) => [
        key,
        ...[KEEPER, WRITER].map((who) => ALL.filter((action) => may(all, who, action, key, beyond))),
      ]);
      expect(found).toEqual(CASES);
      for (const [key] of CASES) {
        for (const action of ALL) expect(may(all, OWNER, action, key, beyond)).toBe(true);
      }
    }
  });

  test.each([0, 1, 2, 3])("%i keeps the writer out of what a later keeper will trust", (at) => {
    const all = statements({ at, bucket: "b", owner: OWNER, writer: WRITER });
    for (const beyond of [true, false]) {
      for (const key of [
        ".keeper/web/main/state.json",
        ".status/outbox.json",
        ".owner/web/main/approval.json",
      ]) {
        expect([PUT, HIDE].filter((action) => may(all, WRITER, action, key, beyond))).toEqual([]);
      }
    }
  });
});

describe("the forms", () => {
  test("come from the strongest on: each denies all that a later one of its kind denies", () => {
    fc.assert(
      fc.property(policyArgs, (args) => {
        const forms = bucketPolicies(args);
        expect(forms).toHaveLength(args.writer === undefined ? 2 : 4);
        expect(new Set(forms.map(({ name }) => name)).size).toBe(forms.length);
        expect(strongestPolicy(args)).toBe(forms[0].policy);
        const who = args.writer ?? "*";
        const deniedBy = forms.map(({ policy }) => denied(statementsOf(policy), who));
        deniedBy.slice(1).forEach((later, index) => {
          expect(deniedBy[index]).toEqual(expect.arrayContaining(later));
        });
      }),
    );
  });

  test("allow the same: what one does not deny by name it does not allow either", () => {
    const [first, ...rest] = bucketPolicies({
      bucket: "b",
      owner: OWNER,
      writer: WRITER,
      keeper: KEEPER,
    }).map(({ policy }) => statementsOf(policy).filter((s) => s.Effect === "Allow"));
    expect(rest).toHaveLength(3);
    for (const allowed of rest) expect(allowed).toEqual(first);
  });
});

describe("identities that would lock somebody out are refused", () => {
  test("a keeper without a separate writer", () => {
    expect(() => strongestPolicy({ bucket: "b", keeper: KEEPER })).toThrow(
      /keeper needs a writer other than the owner/,
    );
  });

  test.each([
    { owner: WRITER, writer: WRITER },
    { writer: WRITER, keeper: WRITER },
    { owner: KEEPER, writer: WRITER, keeper: KEEPER },
  ])("one identity in two roles: %j", (roles) => {
    expect(() => strongestPolicy({ bucket: "b", ...roles })).toThrow(/must be different identities/);
  });

  test("a project's name in place of its ID, which would match nobody", () => {
    expect(() => keystonePrincipal("backups-writer")).toThrow(/not the ID of an OpenStack project/);
    expect(keystonePrincipal("0b000000000000000000000000000002")).toBe(WRITER);
  });
});

describe("policies compared by meaning", () => {
  const one = strongestPolicy({ bucket: "b", writer: WRITER, keeper: KEEPER });

  test("order, one-element lists, repetitions and white space make no difference", () => {
    const document = JSON.parse(one) as { Version: string; Statement: Statement[] };
    const rewritten = document.Statement.map((s) => ({
      Action: [...list(s.Action)].reverse().concat(list(s.Action)[0] ?? []),
      ...(s.Resource === undefined
        ? { NotResource: list(s.NotResource) }
        : { Resource: list(s.Resource).reverse() }),
      Effect: s.Effect,
      Principal: { AWS: principals(s).reverse() },
      Sid: s.Sid,
    })).reverse();
    expect(samePolicy(one, JSON.stringify({ Statement: rewritten, Version: document.Version }))).toBe(true);
    expect(samePolicy('{"Principal":"*"}', '{"Principal":{"AWS":["*"]}}')).toBe(true);
  });

  test("one action less, another effect, another principal, no policy and no JSON do", () => {
    expect(samePolicy(one, one.replace('"s3:PutBucketPolicy",', ""))).toBe(false);
    expect(samePolicy(one, one.replace('"Deny"', '"Allow"'))).toBe(false);
    expect(samePolicy(one, one.replaceAll(WRITER, OWNER))).toBe(false);
    expect(samePolicy(one, "")).toBe(false);
    expect(samePolicy(one, "<html>")).toBe(false);
    expect(samePolicy("", "")).toBe(true);
  });
});

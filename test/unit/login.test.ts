import { describe, expect, test } from "@jest/globals";
import { byApplicationCredential, credentialAdvice, LoginSettings } from "../../plan";

const clouds = `clouds:
  password: { auth: { username: me, password: x } }
  typed: { auth_type: v3applicationcredential, auth: {} }
  by-id: { auth: { application_credential_id: x, application_credential_secret: y } }
`;
const settings = (change: Partial<LoginSettings>): LoginSettings => ({
  environment: {},
  configured: {},
  ...change,
});

describe("a login", () => {
  test.each<[string, LoginSettings, boolean]>([
    ["by user and password", settings({ environment: { OS_USERNAME: "me", OS_PASSWORD: "x" } }), false],
    [
      "by the environment's credential",
      settings({ environment: { OS_APPLICATION_CREDENTIAL_ID: "x" } }),
      true,
    ],
    ["by a credential's name", settings({ environment: { OS_APPLICATION_CREDENTIAL_NAME: "x" } }), true],
    ["by an empty one", settings({ environment: { OS_APPLICATION_CREDENTIAL_ID: "" } }), false],
    ["by the configuration's", settings({ configured: { applicationCredentialId: "x" } }), true],
    ["by a cloud with a password", settings({ environment: { OS_CLOUD: "password" }, clouds }), false],
    ["by a cloud of that type", settings({ environment: { OS_CLOUD: "typed" }, clouds }), true],
    ["by a configured cloud with one", settings({ configured: { cloud: "by-id" }, clouds }), true],
    ["by a cloud that is not there", settings({ environment: { OS_CLOUD: "other" }, clouds }), false],
    ["by a file that is none", settings({ environment: { OS_CLOUD: "typed" }, clouds: "a: [" }), false],
  ])("%s", (_how, given, expected) => {
    expect(byApplicationCredential(given)).toBe(expected);
  });
});

describe("EC2 credentials that an application credential shall create", () => {
  const given = settings({ environment: { OS_APPLICATION_CREDENTIAL_ID: "x" } });
  const project = { projectId: "0".repeat(32) };
  const keys = { accessKeyId: "id", secretAccessKey: "secret", principal: "arn:aws:iam::x:root" };

  test("come with what to give instead, in full", () => {
    const advice = credentialAdvice({ owner: keys, writer: project, keeper: project }, given);
    expect(advice).toContain(
      "the EC2 credentials of writer, keeper are created with an application credential",
    );
    expect(advice).toContain("CVE-2026-43001");
    expect(advice).toContain(`openstack --os-project-id ${project.projectId} ec2 credentials create`);
    expect(advice).toContain(`principal arn:aws:iam::${project.projectId}:root`);
  });
  test("need no advice where all are given, or a user creates them", () => {
    expect(credentialAdvice({ owner: keys, writer: keys }, given)).toBeUndefined();
    expect(credentialAdvice({ owner: project, writer: undefined }, settings({}))).toBeUndefined();
  });
});
